import { describe, expect, test } from 'vitest';
import { toEvents } from '../../src/alerts/pagerduty.ts';
import { causesOf, linksOf, summarise, titleOf } from '../../src/alerts/wording.ts';
import { ALERT, FAILURE, RECOVERED } from './fixtures.ts';

describe('links', () => {
  const base = 'https://wiki.example/';

  test.each([
    [`${base}${'x'.repeat(900 - base.length)}`, true],
    [`${base}${'x'.repeat(901 - base.length)}`, false],
    [`${base}<script>`, false],
    [`${base}a|b`, false],
    [`${base}"`, false],
    [`${base}a b`, false],
    [`${base}ü`, false],
    ['javascript:alert(1)', false],
    ['', false],
  ])('%#: only what every receiver takes as it is', (runbookUrl, isLinked) => {
    const labels = linksOf({ ...ALERT, runbookUrl }).map(([label]) => label);
    expect(labels).toEqual(isLinked ? ['Airflow', 'dagain', 'Runbook'] : ['Airflow', 'dagain']);
  });

  test('those that there are', () => {
    expect(linksOf({ ...ALERT, runUrl: null, runbookUrl: null }).map(([label]) => label)).toEqual(['dagain']);
  });
});

describe('causes', () => {
  const causes = (...failures: Partial<typeof FAILURE>[]) =>
    causesOf({ ...ALERT, failures: failures.map((fields) => ({ ...FAILURE, ...fields })) });

  test('name the task, its map index, the exception and what it said', () => {
    expect(causes({ mapIndex: 3 })).toEqual(['task load[3]: ConnectionError: refused']);
    expect(causes({ exceptionType: null })).toEqual(['task load: refused']);
    expect(causes({ message: '' })).toEqual(['task load: ConnectionError']);
    expect(causes({ taskId: null, exceptionType: null, message: null })).toEqual(['the run: task_error']);
  });

  test('are the first five, and how many more there are', () => {
    expect(causes({}, {}, {}, {}, {})).toHaveLength(5);
    expect(causes({}, {}, {}, {}, {}, {}, {}).at(-1)).toBe('and 2 more');
  });

  test('are none of a run that has recovered', () => {
    expect(causesOf({ ...RECOVERED, failures: [FAILURE] })).toEqual([]);
  });
});

test('every kind of alert has its title', () => {
  const kinds = ['gave_up', 'attempt_failed', 'first_failure', 'recovered'] as const;
  expect(new Set(kinds.map((kind) => titleOf({ ...ALERT, kind }))).size).toBe(3);
});

test('of a run that did not end it is not said that it has failed', () => {
  const unsettled = { ...ALERT, reason: 'settle_timeout' };
  expect([titleOf(unsettled), summarise(unsettled)]).toEqual([
    'Dag run did not end, will not be retried',
    'Dag run etl/run+1 will not be retried (settle_timeout; 2 of 2 retries used)',
  ]);
  expect(titleOf({ ...unsettled, isShadow: true })).toBe('[shadow] Dag run did not end, would not be retried');
  expect(titleOf({ ...unsettled, kind: 'recovered' })).toBe('Dag run recovered');
});

test('in shadow mode nobody takes for done what only would have been', () => {
  const shadow = { ...ALERT, isShadow: true };
  expect([titleOf(shadow), summarise(shadow)]).toEqual([
    '[shadow] Dag run failed for good',
    expect.stringMatching(/^\[shadow\] Dag run .* failed and would not be retried \(/),
  ]);
  const retried = { ...shadow, kind: 'attempt_failed' } as const;
  expect([titleOf(retried), summarise(retried)]).toEqual([
    '[shadow] Dag run failed, would be retried',
    expect.stringMatching(/and would be retried \(/),
  ]);
  expect(toEvents(shadow, 'key')[0]).toMatchObject({ payload: { severity: 'info' } });
});
