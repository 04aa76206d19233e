import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/event.ts';
import type { RecordIn, RunRecord } from '../../../src/core/record.ts';
import { BUILT_IN_TIMING } from '../../../src/core/rules.ts';
import { nextRegularLookMs } from '../../../src/core/transition/watch-times.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  FINGERPRINT,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { failed, NEXT_ATTEMPT, running, seen, unavailable } from './events.ts';

const NOW_MS = FAILED_AT_MS + 10_000;
const decide = (record: RunRecord | null, event: RunEvent, rules = rulesWith(), nowMs = NOW_MS) =>
  transition(RUN, record, event, rules, nowMs);
/** What a callback alone tells of the attempt. */
const TOLD = { queuedAtMs: null, startedAtMs: FINGERPRINT.startedAtMs, endedAtMs: null };

describe('confirming', () => {
  test('waits for the run to fail, asking less and less often', () => {
    let record: RunRecord = confirmingRecord();
    const waits: number[] = [];
    for (let look = 0; look < 8; look += 1) {
      record = decide(record, seen('running', running(FINGERPRINT))).next as RunRecord;
      waits.push(((record as RecordIn<'confirming'>).dueAtMs - NOW_MS) / 1_000);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  });

  test('is looked at at once when the run itself is said to have failed', () => {
    const record = confirmingRecord({ dueAtMs: NOW_MS + 60_000, checks: 7 });
    const ofRun = failed({ id: 'run', taskId: null, exceptionType: null });
    expect(decide(record, ofRun).next).toMatchObject({ dueAtMs: NOW_MS, checks: 0 });
    expect(decide(record, failed()).next).toMatchObject({ dueAtMs: NOW_MS + 60_000, checks: 7 });
  });

  test('the delay counts from the end of the run, and never beyond max_duration', () => {
    const late = seen('failed', { ...FINGERPRINT, endedAtMs: NOW_MS - 4_000 });
    const rules = rulesWith({ delayMs: 60_000 });
    expect(decide(confirmingRecord(), late, rules).next).toMatchObject({ retryAtMs: NOW_MS + 56_000 });
    // Just in time is in time.
    const justSo = rulesWith({ delayMs: 60_000, maxDurationMs: 66_000 });
    expect(decide(confirmingRecord(), late, justSo).next).toMatchObject({ phase: 'waiting', mayInterrupt: false });
    const short = rulesWith({ delayMs: 60_000, maxDurationMs: 65_000 });
    const after = decide(confirmingRecord(), late, short).next;
    expect(after).toMatchObject({ phase: 'giving_up', reason: 'max_duration_reached', retriesUsed: 0 });
    expect(after?.outbox).toHaveLength(1);
  });

  test('the delay is that of the retry that comes next', () => {
    const rules = rulesWith({ delayMs: 1_000, maxRetries: 5 });
    const delays = [0, 1, 2, 3].map((retriesUsed) => {
      const used = confirmingRecord({ retriesUsed, retriesUsedByClass: { task_error: retriesUsed } });
      const { next } = decide(used, seen('failed', { ...FINGERPRINT, endedAtMs: NOW_MS }), rules);
      return next?.phase === 'waiting' ? next.retryAtMs - NOW_MS : null;
    });
    expect(delays).toEqual([1_000, 3_000, 7_000, 15_000]);
  });

  test('an end that is not known counts as now', () => {
    const event = seen('failed', { ...FINGERPRINT, endedAtMs: null });
    expect(decide(confirmingRecord(), event).next).toMatchObject({ retryAtMs: NOW_MS + 60_000 });
  });

  const timeout = { settleTimeoutMs: 10_000 };
  test.each([
    ['give_up', {}, { phase: 'giving_up', reason: 'settle_timeout' }],
    ['clear', {}, { phase: 'waiting', mayInterrupt: true, fingerprint: null, retryAtMs: NOW_MS }],
    ['clear', { attemptStartedAtMs: null }, { phase: 'giving_up', reason: 'settle_timeout' }],
    ['clear', { retriesUsed: 2, retriesUsedByClass: { task_error: 2 } }, { phase: 'giving_up' }],
  ] as const)('settle_timeout, %s, %j', (onSettleTimeout, fields, expected) => {
    const rules = rulesWith({ ...timeout, onSettleTimeout });
    const event = seen('running', running(FINGERPRINT));
    expect(decide(confirmingRecord(fields), event, rules).next).toMatchObject(expected);
    expect(decide(confirmingRecord(fields), event, rules, NOW_MS - 1).next).toMatchObject({ phase: 'confirming' });
  });

  test('without an answer nothing is cleared at the settle_timeout, whatever the policy says', () => {
    const rules = rulesWith({ ...timeout, onSettleTimeout: 'clear' });
    const unknown = decide(confirmingRecord({ attemptStartedAtMs: null }), unavailable(), rules).next;
    expect(unknown).toMatchObject({ phase: 'giving_up', fingerprint: null });
    const after = decide(confirmingRecord(), unavailable(), rules);
    expect(after.next).toMatchObject({ phase: 'giving_up', reason: 'settle_timeout', fingerprint: TOLD });
  });

  test('people are told of a hit cap after ten minutes without an answer', () => {
    const spent = { retriesUsed: 2, retriesUsedByClass: { task_error: 2 } };
    const since = confirmingRecord({ ...spent, unavailableSinceMs: NOW_MS });
    const patience = NOW_MS + 10 * 60_000;
    expect(decide(since, unavailable(), rulesWith(), patience - 1).next).toMatchObject({ phase: 'confirming' });
    const after = decide(since, unavailable(), rulesWith(), patience).next;
    expect(after).toMatchObject({ phase: 'giving_up', reason: 'max_retries_reached', fingerprint: TOLD });
  });

  test('an answer in between starts the ten minutes anew', () => {
    const since = confirmingRecord({ unavailableSinceMs: NOW_MS - 1 });
    expect(decide(since, seen('running')).next).toMatchObject({ unavailableSinceMs: null });
    expect(decide(since, unavailable()).next).toMatchObject({ unavailableSinceMs: NOW_MS - 1 });
    expect(decide(confirmingRecord(), unavailable()).next).toMatchObject({ unavailableSinceMs: NOW_MS });
  });

  test('nobody is told of a run that was never ours, and that nobody could look at', () => {
    const since = confirmingRecord({ unavailableSinceMs: 0 });
    expect(decide(since, unavailable(), rulesWith({ maxRetries: 0 }))).toMatchObject({
      next: null,
      decision: 'not_retryable',
      reason: 'retries_off',
    });
  });
});

describe('waiting', () => {
  test('is not settled any more where the same attempt runs again: it is asked anew, and no person is named', () => {
    const after = decide(waitingRecord(), seen('running', running(FINGERPRINT)));
    expect(after.next).toMatchObject({ phase: 'confirming', attempt: 1, sinceMs: NOW_MS, failures: [FAILURE] });
  });

  test('without an answer the clear waits, and after max_duration people are told', () => {
    const record = waitingRecord();
    expect(decide(record, unavailable(), rulesWith(), record.retryAtMs).next).toMatchObject({
      phase: 'waiting',
      dueAtMs: record.retryAtMs + 2_000,
    });
    const lastMs = FAILED_AT_MS + 24 * 3_600_000;
    expect(decide(record, unavailable(), rulesWith(), lastMs).next).toMatchObject({ phase: 'waiting' });
    const after = decide(record, unavailable(), rulesWith(), lastMs + 1).next;
    expect(after).toMatchObject({ phase: 'giving_up', reason: 'max_duration_reached', fingerprint: FINGERPRINT });
  });

  test('a success brings the look forward, and the delay stays as it is', () => {
    const after = decide(waitingRecord(), { type: 'success_reported' }).next as RunRecord;
    expect(after).toMatchObject({ dueAtMs: NOW_MS, retryAtMs: FAILED_AT_MS + 60_000 });
    expect(decide(after, seen('failed')).next).toMatchObject({ phase: 'waiting', dueAtMs: FAILED_AT_MS + 60_000 });
  });

  test('a person’s restart drops the retry unspent, also where it has failed already', () => {
    const runs = decide(waitingRecord(), seen('running', running(NEXT_ATTEMPT)));
    expect(runs).toMatchObject({ reason: 'restarted_by_person', command: null });
    expect(runs.next).toMatchObject({ phase: 'watching', startedBy: 'person', attempt: 2, retriesUsed: 0 });
    const failedToo = decide(waitingRecord(), seen('failed', NEXT_ATTEMPT));
    expect(failedToo.next).toMatchObject({ phase: 'waiting', attempt: 2, retriesUsed: 0, fingerprint: NEXT_ATTEMPT });
    expect(failedToo.next?.failures).toMatchObject([{ taskId: null, failureClass: 'infra' }]);
  });
});

describe('the watched attempt', () => {
  test('that fails without a callback counts all the same', () => {
    const after = decide(watchingRecord(), seen('failed', NEXT_ATTEMPT), rulesWith(), FAILED_AT_MS + 130_000).next;
    expect(after).toMatchObject({ phase: 'waiting', attempt: 2, fingerprint: NEXT_ATTEMPT });
    expect(after?.failures).toMatchObject([{ taskId: null, message: 'failed without a callback' }]);
  });

  test('that has used the last retry is given up, with an alert', () => {
    const spent = { retriesUsed: 2, retriesUsedByClass: { task_error: 2 }, attempt: 3 };
    const after = decide(watchingRecord(spent), seen('failed', NEXT_ATTEMPT)).next;
    expect(after).toMatchObject({ phase: 'giving_up', reason: 'max_retries_reached', attempt: 3 });
    expect(after?.outbox).toMatchObject([{ kind: 'gave_up', channel: 'webhook' }]);
  });

  test('is looked at again after the sweep interval while it runs, and without an answer', () => {
    const look = decide(watchingRecord({ checks: 3 }), seen('running', running(NEXT_ATTEMPT))).next;
    expect(look).toMatchObject({ phase: 'watching', checks: 0 });
    expect(look?.dueAtMs).toBe(nextRegularLookMs(RUN, BUILT_IN_TIMING, NOW_MS));
    const none = decide(watchingRecord(), unavailable()).next;
    expect(none).toMatchObject({ phase: 'watching', dueAtMs: NOW_MS + 2_000, checks: 1 });
  });

  test('that a person started is not cleared for showing its old failure a little longer', () => {
    const previous = { fingerprint: FINGERPRINT, wasFailed: true, mode: null };
    const after = decide(watchingRecord({ previous, startedBy: 'person' }), seen('failed'));
    expect(after).toMatchObject({ command: null, next: { phase: 'watching', attempt: 2 } });
  });
});
