import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/event.ts';
import type { Phase, RunRecord } from '../../../src/core/record.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  ALERT,
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  FINGERPRINT,
  gaveUpRecord,
  givingUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { alertAnswered, clearAnswered, failed, MISSING, NEXT_ATTEMPT, running, seen, unavailable } from './events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;
const outbox = [ALERT];
const decide = (record: RunRecord, event: RunEvent, rules = rulesWith(), nowMs = NOW_MS) =>
  transition(RUN, record, event, rules, nowMs);
const ACTIVE: readonly [Phase, RunRecord][] = [
  ['confirming', confirmingRecord({ outbox })],
  ['waiting', waitingRecord({ outbox })],
  ['clearing', clearingRecord({ outbox })],
  ['watching', watchingRecord({ outbox })],
];

describe('an unsent alert outlives its run', () => {
  test.each(ACTIVE)('%s: the run succeeded', (_phase, record) => {
    const after = decide(record, seen('success', NEXT_ATTEMPT));
    expect(after).toMatchObject({ decision: 'cleaned_up', reason: 'run_succeeded' });
    expect(after.next).toMatchObject({ phase: 'giving_up', reason: 'run_succeeded', outbox, dueAtMs: null });
    expect(decide(after.next as RunRecord, alertAnswered({ accepted: false })).next).toBeNull();
  });

  test.each(ACTIVE)('%s: the run is gone', (_phase, record) => {
    const after = decide(record, MISSING);
    expect(after.next).toMatchObject({ phase: 'giving_up', reason: 'run_missing', outbox });
    expect(decide(after.next as RunRecord, alertAnswered({ accepted: false })).next).toBeNull();
  });

  test('the clear found no run', () => {
    const after = decide(clearingRecord({ outbox }), clearAnswered({ type: 'missing' }));
    expect(after.next).toMatchObject({ phase: 'giving_up', reason: 'run_missing', outbox });
  });

  test('a person restarted the given-up run', () => {
    for (const event of [
      seen('running', running(NEXT_ATTEMPT)),
      failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs }),
    ]) {
      const spent = givingUpRecord({ retriesUsed: 2, retriesUsedByClass: { task_error: 2 }, granted: 1 });
      const counted = { retriesUsed: 0, retriesUsedByClass: {}, granted: 0, firstFailedAtMs: NOW_MS };
      expect(decide(spent, event).next).toMatchObject({ ...counted, attempt: 2, outbox });
      expect(decide(spent, event).next?.retriesUsedByClass).toEqual({});
    }
  });

  test('a run that was given up and is deleted then keeps its tombstone', () => {
    const after = decide(givingUpRecord({ dueAtMs: NOW_MS }), MISSING).next as RunRecord;
    expect(after).toMatchObject({ phase: 'giving_up', reason: 'max_retries', dueAtMs: null, outbox });
    expect(decide(after, alertAnswered()).next).toMatchObject({ phase: 'gave_up' });
  });

  test('without one nothing is left of it', () => {
    for (const [, record] of ACTIVE) {
      expect(decide({ ...record, outbox: [] }, MISSING).next).toBeNull();
      expect(decide({ ...record, outbox: [] }, seen('success')).next).toBeNull();
    }
  });
});

describe('the outbox', () => {
  const pager = { ...ALERT, channel: 'pager' };

  test('empties channel by channel, and only then the tombstone stands', () => {
    const record = givingUpRecord({ outbox: [ALERT, pager] });
    const half = decide(record, alertAnswered()).next as RunRecord;
    expect(half).toMatchObject({ phase: 'giving_up', outbox: [pager] });
    const done = decide(half, alertAnswered({ channel: 'pager' })).next;
    const expiresAtMs = NOW_MS + rulesWith().timing.tombstoneMs;
    expect(done).toMatchObject({ phase: 'gave_up', outbox: [], expiresAtMs });
  });

  test('counts the tries, and says in the timeline what became of an alert', () => {
    const nextTryAtMs = NOW_MS + 5_000;
    const again = decide(givingUpRecord(), alertAnswered({ accepted: false, nextTryAtMs })).next as RunRecord;
    expect(again.outbox).toEqual([{ ...ALERT, tries: 1, nextTryAtMs }]);
    const abandoned = decide(again, alertAnswered({ accepted: false })).next;
    expect(abandoned?.history.at(-1)).toMatchObject({ type: 'alert', reason: 'alert_abandoned' });
  });

  test('an answer for another count of the run is not meant', () => {
    const record = givingUpRecord();
    expect(decide(record, alertAnswered({ dedupeKey: 'other' })).next).toBe(record);
  });

  test('a look that was asked for while the alerts went out still happens', () => {
    const asked = decide(givingUpRecord(), failed()).next as RunRecord;
    expect(decide(asked, alertAnswered()).next).toMatchObject({ phase: 'gave_up', dueAtMs: NOW_MS });
  });
});

describe('who is told when', () => {
  const channels = { alertChannels: ['webhook', 'pager'] };

  test.each([
    ['final', 0, []],
    ['first_failure', 0, ['first_failure', 'first_failure']],
    ['first_failure', 1, []],
    ['every_attempt', 0, ['attempt_failed', 'attempt_failed']],
    ['every_attempt', 1, ['attempt_failed', 'attempt_failed']],
  ] as const)('alerts: %s, %d retries used, a failed attempt: %j', (alerts, used, kinds) => {
    const spent = { retriesUsed: used, retriesUsedByClass: { task_error: used } };
    const { next } = decide(confirmingRecord(spent), seen('failed'), rulesWith({ alerts, ...channels }));
    expect(next?.outbox.map(({ kind }) => kind)).toEqual(kinds);
    expect(next?.outbox.map(({ channel }) => channel)).toEqual(kinds.length === 0 ? [] : channels.alertChannels);
  });

  test('under gate: immediate too, where no attempt is ever seen to settle', () => {
    const fields = { fingerprint: null, mayInterrupt: true, attemptStartedAtMs: FINGERPRINT.startedAtMs } as const;
    const rules = rulesWith({ gate: 'immediate', alerts: 'every_attempt' });
    const after = decide(waitingRecord(fields), seen('running', running(FINGERPRINT)), rules);
    expect(after).toMatchObject({ command: 'send_clear', next: { outbox: [{ kind: 'attempt_failed' }] } });
  });

  test.each(['final', 'first_failure', 'every_attempt'] as const)('alerts: %s, the cap is hit', (alerts) => {
    const spent = { retriesUsed: 2, retriesUsedByClass: { task_error: 2 }, attempt: 3 };
    const { next } = decide(confirmingRecord(spent), seen('failed'), rulesWith({ alerts, ...channels }));
    expect(next).toMatchObject({ phase: 'giving_up', reason: 'max_retries_reached' });
    expect(next?.outbox.map(({ kind, attempt }) => [kind, attempt])).toEqual([
      ['gave_up', 3],
      ['gave_up', 3],
    ]);
  });

  test('the same alert is never twice in the outbox; another count has keys of its own', () => {
    const spent = { retriesUsed: 2, retriesUsedByClass: { task_error: 2 }, attempt: 3 };
    const first = decide(confirmingRecord(spent), seen('failed')).next as RunRecord;
    const [alert] = first.outbox;
    expect(alert?.dedupeKey).toBe(`dagain/${RUN.dagId}/${RUN.dagRunId}/${FAILED_AT_MS}/gave_up/3`);
    const pending = confirmingRecord({ ...spent, outbox: first.outbox });
    expect(decide(pending, seen('failed')).next?.outbox).toEqual(first.outbox);
    const later = confirmingRecord({ ...spent, firstFailedAtMs: NOW_MS, outbox: first.outbox });
    expect(decide(later, seen('failed')).next?.outbox).toHaveLength(2);
  });

  test('without a channel a run is given up all the same', () => {
    const spent = { retriesUsed: 2, retriesUsedByClass: { task_error: 2 } };
    const { next } = decide(confirmingRecord(spent), seen('failed'), rulesWith({ alertChannels: [] }));
    expect(next).toMatchObject({ phase: 'gave_up', outbox: [] });
  });
});

describe('a tombstone', () => {
  test('expires, and not a millisecond before', () => {
    const record = gaveUpRecord();
    const past = { type: 'time_passed' } as const;
    expect(decide(record, past, rulesWith(), record.expiresAtMs - 1).next).toBe(record);
    expect(decide(record, past, rulesWith(), record.expiresAtMs)).toMatchObject({ next: null, decision: 'cleaned_up' });
  });

  test('is looked at again when nobody answered, but not for as long as a server asks', () => {
    const after = decide(gaveUpRecord({ dueAtMs: NOW_MS }), unavailable(24 * 3_600_000)).next;
    expect(after).toMatchObject({ phase: 'gave_up', dueAtMs: NOW_MS + 15 * 60_000 });
  });

  test('stays when a person restarts a run that the policy no longer retries, and knows the new attempt', () => {
    const after = decide(gaveUpRecord(), seen('failed', NEXT_ATTEMPT), rulesWith({ maxRetries: 0 }));
    expect(after).toMatchObject({ decision: 'giving_up', next: { phase: 'gave_up', fingerprint: NEXT_ATTEMPT } });
    const reported = failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs });
    const told = decide(gaveUpRecord(), reported, rulesWith({ maxRetries: 0 }));
    expect(told).toMatchObject({ decision: 'not_retryable', reason: 'retries_off', next: { phase: 'gave_up' } });
  });
});
