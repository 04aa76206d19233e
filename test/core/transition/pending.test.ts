import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/event.ts';
import type { RecordIn, RunRecord } from '../../../src/core/record.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  FINGERPRINT,
  gaveUpRecord,
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
const INFRA = { ...FAILURE, id: 'infra', failureClass: 'infra' } as const;

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

describe('a failure of another task', () => {
  const forbids = failed({ exceptionType: 'AirflowFailException' });

  test('can forbid what the first one started', () => {
    expect(decide(waitingRecord(), forbids)).toMatchObject({
      decision: 'not_retryable',
      reason: 'never_on',
      next: { phase: 'giving_up', reason: 'never_on', fingerprint: FINGERPRINT },
    });
  });

  test('leaves a tombstone where the first one alone would be retried: its next delivery starts nothing', () => {
    const rules = rulesWith({ retryOn: ['infra'] });
    for (const record of [waitingRecord({ failures: [INFRA] }), confirmingRecord({ failures: [INFRA] })]) {
      let after = decide(record, failed(), rules).next as RunRecord;
      if (after.phase === 'confirming') after = decide(after, seen('failed'), rules).next as RunRecord;
      expect(after).toMatchObject({ phase: 'giving_up', reason: 'class_not_retried' });
      expect(decide(after, failed({ ...INFRA }), rules).next).toBe(after);
    }
  });

  test('is not the last word where the Dag’s tags are not known here', () => {
    const after = decide(waitingRecord(), failed(), rulesWith({ maxRetries: 0 }, { isProvisional: true }));
    expect(after.next).toMatchObject({ phase: 'waiting' });
  });

  test('can allow what the first one did not: the answer says when', () => {
    const rules = rulesWith({ maxRetriesByClass: { infra: 0 } });
    const first = decide(null, failed({ ...INFRA }), rules);
    expect(first).toMatchObject({ decision: 'giving_up', next: { expectedRetryAtMs: null, maxRetries: 0 } });
    const second = decide(first.next, failed({ failedAtMs: NOW_MS }), rules);
    expect(second).toMatchObject({ decision: 'already_scheduled', retryAtMs: NOW_MS + 60_000 });
    expect(second.next).toMatchObject({ expectedRetryAtMs: NOW_MS + 60_000, maxRetries: 2 });
    const third = decide(second.next, failed({ id: 'x', exceptionType: 'AirflowFailException' }), rules);
    expect(third).toMatchObject({ decision: 'not_retryable', next: { expectedRetryAtMs: null } });
  });

  test('that the orchestrator has shown already is told by its callback, and by no other', () => {
    const foundOut = { ...FAILURE, id: 'task:load|1|1', mapIndex: 1, tryNumber: 1, exceptionType: null };
    const told = { taskId: 'load', id: 'ti:1' };
    const kept = (known: typeof foundOut, changes: object) =>
      decide(waitingRecord({ failures: [known] }), failed({ ...told, ...changes })).next?.failures.length;
    expect(kept(foundOut, { mapIndex: 1, tryNumber: 1 })).toBe(1);
    expect(kept(foundOut, { mapIndex: 2, tryNumber: 1 })).toBe(2);
    expect(kept(foundOut, { mapIndex: 1, tryNumber: 2 })).toBe(2);
    expect(kept(foundOut, { mapIndex: 1, tryNumber: 1, taskId: 'other' })).toBe(2);
    expect(kept({ ...foundOut, id: 'ti:0' }, { mapIndex: 1, tryNumber: 1 })).toBe(2);
  });

  describe('beyond the twenty that are kept', () => {
    const many = Array.from({ length: 20 }, (_, index) => ({ ...INFRA, id: `${index}` }));
    const full = waitingRecord({ failures: many, failureClass: 'infra' });

    test('changes nothing where it does not matter, however often it is delivered', () => {
      expect(decide(full, failed({ ...INFRA, id: 'one more' })).next).toBe(full);
    });

    test('still forbids the retry, or weighs more than they do', () => {
      expect(decide(full, forbids).next).toMatchObject({ phase: 'giving_up', reason: 'never_on' });
      const weighs = decide(full, failed());
      expect(weighs.next?.failures).toHaveLength(20);
      expect(weighs.next?.failures).toContainEqual(failed().failure);
      expect(decide(weighs.next, failed()).next).toBe(weighs.next);
      // What matters is not pushed out by what matters, too.
      const both = decide(weighs.next, failed({ id: 'late', failureClass: 'timeout' }));
      expect(both.next).toBe(weighs.next);
    });
  });
});

describe('the policy that a callback brings along', () => {
  const override = { max_retries: 5 };

  test('is kept in the record, as a copy', () => {
    const event = failed({}, {}, override);
    const after = decide(null, event).next;
    expect(after?.override).toEqual(override);
    expect(after?.override).not.toBe(override);
  });

  test.each([
    ['confirming', confirmingRecord({ override: { max_retries: 1 } }), {}],
    ['waiting', waitingRecord({ override: { max_retries: 1 } }), {}],
    ['watching', watchingRecord({ override: { max_retries: 1 } }), {}],
    ['gave_up', gaveUpRecord({ override: { max_retries: 1 } }), { startedAtMs: NEXT_ATTEMPT.startedAtMs }],
  ])('in a later failure replaces the one before: %s', (_name, record, evidence) => {
    expect(decide(record, failed({}, evidence, override)).next?.override).toEqual(override);
    expect(decide(record, failed({}, evidence)).next?.override).toEqual({ max_retries: 1 });
  });
});

describe('tags that are not known yet', () => {
  const provisional = rulesWith({ maxRetries: 0 }, { isProvisional: true });

  test('keep a failure that the policy alone refuses, until they are', () => {
    const after = decide(null, failed(), provisional);
    expect(after).toMatchObject({ reason: 'tags_not_known', next: { phase: 'confirming', expectedRetryAtMs: null } });
    expect(decide(after.next, seen('failed'), rulesWith({ maxRetries: 1 })).next).toMatchObject({ phase: 'waiting' });
    expect(decide(after.next, seen('failed'), rulesWith({ maxRetries: 0 })).next).toBeNull();
  });

  test('neither drop it nor alert while nobody can ask for them', () => {
    const since = confirmingRecord({ unavailableSinceMs: 0 });
    expect(decide(since, unavailable(), provisional).next).toMatchObject({ phase: 'confirming' });
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
    expect(look).toMatchObject({ phase: 'watching', dueAtMs: NOW_MS + 60_000, checks: 0 });
    const none = decide(watchingRecord(), unavailable()).next;
    expect(none).toMatchObject({ phase: 'watching', dueAtMs: NOW_MS + 2_000, checks: 1 });
  });

  test('that a person started is not cleared for showing its old failure a little longer', () => {
    const previous = { fingerprint: FINGERPRINT, wasFailed: true, mode: null };
    const after = decide(watchingRecord({ previous, startedBy: 'person' }), seen('failed'));
    expect(after).toMatchObject({ command: null, next: { phase: 'watching', attempt: 2 } });
  });
});
