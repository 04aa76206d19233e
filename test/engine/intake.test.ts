import { describe, expect, test } from 'vitest';
import type { RunRecord } from '../../src/core/record.ts';
import { failed, NEXT_ATTEMPT } from '../core/transition/events.ts';
import {
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  gaveUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../support/records.ts';
import { createHarness, gate } from './harness.ts';
import { OUTAGE } from './memory-store.ts';

const held = { actor: 'anna', comment: '', atMs: FAILED_AT_MS };
const none = { nextAttempt: null, retryAtMs: null };

async function answerTo(record: RunRecord | null, event: Parameters<typeof report>[1]) {
  return await report(record, event);
}

async function report(record: RunRecord | null, event: ReturnType<typeof failed> | { type: 'success_reported' }) {
  const { intake, store, script } = createHarness();
  script.policy = { delayMs: 60_000 };
  if (record !== null) store.put(record);
  return await intake.report(RUN, event);
}

const success = { type: 'success_reported' } as const;
const again = failed({ id: FAILURE.id });
const forbidden = failed({ exceptionType: 'AirflowFailException' });
const retryAtMs = FAILED_AT_MS + 60_000;

describe('what a reporter is told', () => {
  test.each([
    [
      'a first failure',
      null,
      failed(),
      { decision: 'retry_scheduled', nextAttempt: 2, retriesUsed: 0, maxRetries: 2, retryAtMs },
    ],
    ['the same again', confirmingRecord(), again, { decision: 'already_scheduled', nextAttempt: 2, retryAtMs }],
    ['another task', waitingRecord(), failed(), { decision: 'already_scheduled', nextAttempt: 2, retryAtMs }],
    [
      'while the clear is sent',
      clearingRecord(),
      failed(),
      { decision: 'already_scheduled', nextAttempt: 2, retryAtMs: null, retriesUsed: 1 },
    ],
    [
      'a known failure of the new attempt',
      watchingRecord({ failures: [FAILURE], earlierFailureIds: [] }),
      again,
      { decision: 'already_scheduled', ...none },
    ],
    ['the next attempt', watchingRecord(), failed(), { decision: 'retry_scheduled', nextAttempt: 3, retriesUsed: 1 }],
    ['one that forbids it', null, forbidden, { decision: 'not_retryable', reason: 'never_on', ...none }],
    [
      'one that forbids what is pending',
      waitingRecord(),
      forbidden,
      { decision: 'not_retryable', reason: 'never_on', ...none },
    ],
    [
      'the cap is hit',
      watchingRecord({ retriesUsed: 2, retriesUsedByClass: { task_error: 2 } }),
      failed(),
      { decision: 'giving_up', reason: 'max_retries_reached', retriesUsed: 2, ...none },
    ],
    ['after the give-up', gaveUpRecord(), failed(), { decision: 'giving_up', reason: 'given_up', ...none }],
    [
      'after a person’s restart',
      gaveUpRecord(),
      failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs }),
      { decision: 'retry_scheduled', nextAttempt: 3, retriesUsed: 0 },
    ],
    ['of an earlier attempt', watchingRecord(), again, { decision: 'stale', reason: 'earlier_attempt', ...none }],
    [
      'of a held run',
      waitingRecord({ held }),
      failed(),
      { decision: 'held', reason: 'held_by_operator', nextAttempt: 2, retryAtMs },
    ],
    ['success of a held run', waitingRecord({ held }), success, { decision: 'held' }],
    ['success', watchingRecord(), success, { decision: 'cleaned_up', ...none }],
    [
      'success of an unknown run',
      null,
      success,
      { decision: 'unknown_run', reason: 'no_record', retriesUsed: 0, ...none },
    ],
  ] as const)('%s', async (_name, record, event, expected) => {
    expect(await answerTo(record, event)).toMatchObject(expected);
  });

  test('is counted and logged with the run, the decision and the reason', async () => {
    const { intake, counts, lines } = createHarness();
    await intake.report(RUN, failed());
    expect(counts.get('reported retry_scheduled failure_reported')).toBe(1);
    expect(lines).toMatchObject([['info', 'failure_reported: retry_scheduled', { decision: 'retry_scheduled' }]]);
  });
});

describe('durability', () => {
  test('nobody is answered before it is stored', async () => {
    const { intake, store, timers } = createHarness();
    const writing = gate();
    store.beforeSwap = () => writing.passed;
    let isAnswered = false;
    const answered = intake.report(RUN, failed()).then(() => {
      isAnswered = true;
    });
    await timers.advanceBy(10_000);
    expect(isAnswered).toBe(false);
    writing.open();
    await answered;
    expect(store.get(RUN)).not.toBeNull();
  });

  test('an outage is passed on, so that the reporter tries again, and nothing is half done', async () => {
    const { intake, store, counts } = createHarness();
    store.outage = OUTAGE;
    await expect(intake.report(RUN, failed())).rejects.toMatchObject({ code: 'store_unavailable' });
    expect([...counts.keys()]).toEqual([]);
    store.outage = null;
    expect(await intake.report(RUN, failed())).toMatchObject({ decision: 'retry_scheduled' });
  });

  test('of many reports of one attempt at the same time one starts the retry, and none is lost', async () => {
    const { intake, store, timers } = createHarness();
    const reports = Array.from({ length: 12 }, (_, index) => intake.report(RUN, failed({ id: `task-${index}` })));
    const answered = Promise.all(reports);
    let isDone = false;
    void answered.then(() => {
      isDone = true;
    });
    await timers.advanceUntil(() => isDone);
    const decisions = (await answered).map(({ decision }) => decision);
    expect(decisions.filter((decision) => decision === 'retry_scheduled')).toHaveLength(1);
    expect(decisions.filter((decision) => decision === 'already_scheduled')).toHaveLength(11);
    expect(store.get(RUN)?.failures).toHaveLength(12);
  });
});
