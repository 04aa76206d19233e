import { describe, expect, test } from 'vitest';
import { transition } from '../../../src/core/transition.ts';
import { FAILED_AT_MS, FINGERPRINT, gaveUpRecord, RUN } from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { failed, NEXT_ATTEMPT, running, seen } from './events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;
const rules = rulesWith({ delayMs: 0 });

/** A failure that forbids the retry, in a callback that does not tell its attempt. */
const FORBIDS = failed({ exceptionType: 'airflow.exceptions.AirflowFailException' });

describe('a failure that is reported of a given-up run', () => {
  const reported = transition(RUN, gaveUpRecord(), FORBIDS, rules, NOW_MS).next;

  test('is kept, and has the run looked at at once', () => {
    expect(reported).toMatchObject({ phase: 'gave_up', dueAtMs: NOW_MS, failuresMeanwhile: [FORBIDS.failure] });
  });

  test('forbids the next retry where a person has restarted the run', () => {
    const after = transition(RUN, reported, seen('failed', NEXT_ATTEMPT), rules, NOW_MS);
    expect(after).toMatchObject({ command: null, next: { reason: 'never_on', failures: [FORBIDS.failure] } });
  });

  test('also where that attempt has yet to end', () => {
    const watched = transition(RUN, reported, seen('running', running(NEXT_ATTEMPT)), rules, NOW_MS).next;
    expect(watched).toMatchObject({ phase: 'watching', failures: [FORBIDS.failure] });
    const after = transition(RUN, watched, seen('failed', NEXT_ATTEMPT), rules, NOW_MS);
    expect(after).toMatchObject({ command: null, next: { reason: 'never_on' } });
  });

  test('is forgotten once the run shows that it was of the attempt given up', () => {
    const after = transition(RUN, reported, seen('failed', FINGERPRINT), rules, NOW_MS);
    expect(after.next).toMatchObject({ phase: 'gave_up', failuresMeanwhile: [] });
  });
});

describe('a failure of a run that was given up while it ran, and keeps its start when a person clears it', () => {
  const record = gaveUpRecord({ fingerprint: running(FINGERPRINT), clearNumber: 1 });
  const of = (clearNumber: number | null) =>
    failed(
      { exceptionType: 'airflow.exceptions.AirflowFailException' },
      { startedAtMs: FINGERPRINT.startedAtMs, clearNumber },
    );

  test('is kept where its number of clears is higher, and forbids the next retry', () => {
    const reported = transition(RUN, record, of(2), rules, NOW_MS).next;
    expect(reported).toMatchObject({ phase: 'gave_up', dueAtMs: NOW_MS, failuresMeanwhile: [of(2).failure] });
    const cleared = { ...running(FINGERPRINT), queuedAtMs: NOW_MS };
    const watched = transition(RUN, reported, seen('running', cleared), rules, NOW_MS).next;
    const after = transition(RUN, watched, seen('failed', { ...cleared, endedAtMs: NOW_MS }), rules, NOW_MS);
    expect(after).toMatchObject({ command: null, next: { reason: 'never_on' } });
  });

  test.each([1, null])('is of the attempt that was given up where the number is %s', (clearNumber) => {
    expect(transition(RUN, record, of(clearNumber), rules, NOW_MS).next).toBe(record);
  });
});
