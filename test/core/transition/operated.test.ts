import { describe, expect, test } from 'vitest';
import type { Operated, Operation } from '../../../src/core/event.ts';
import { dueAtOf, RunRecord } from '../../../src/core/record.ts';
import type { Rules } from '../../../src/core/rules.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  ALERT,
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  FINGERPRINT,
  gaveUpRecord,
  givingUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { failed, seen } from './events.ts';

const NOW_MS = FAILED_AT_MS + 30_000;
const held = { actor: 'anna', comment: 'database is down', atMs: FAILED_AT_MS + 1_000 };

function operate(action: Operation, retries = 0): Operated {
  return { type: 'operated', action, actor: 'ben', comment: 'as agreed', retries };
}

function act(record: RunRecord, event: Operated, rules: Rules = rulesWith()) {
  const done = transition(RUN, record, event, rules, NOW_MS);
  if (done.next !== null) RunRecord.parse(done.next);
  return done;
}

const RECORDS: Record<RunRecord['phase'], RunRecord> = {
  confirming: confirmingRecord(),
  waiting: waitingRecord(),
  clearing: clearingRecord(),
  watching: watchingRecord(),
  giving_up: givingUpRecord(),
  gave_up: gaveUpRecord(),
};

describe('what a person can do in each phase', () => {
  test.each<[Operation, RunRecord['phase'], string, string, string | null]>([
    ['pause', 'confirming', 'held', 'held_by_operator', 'confirming'],
    ['pause', 'waiting', 'held', 'held_by_operator', 'waiting'],
    ['pause', 'clearing', 'held', 'held_by_operator', 'clearing'],
    ['pause', 'watching', 'held', 'held_by_operator', 'watching'],
    ['resume', 'waiting', 'retry_scheduled', 'not_held', 'waiting'],
    ['cancel', 'confirming', 'giving_up', 'cancelled_by_operator', 'gave_up'],
    ['cancel', 'waiting', 'giving_up', 'cancelled_by_operator', 'gave_up'],
    ['cancel', 'clearing', 'stale', 'clear_under_way', 'clearing'],
    ['cancel', 'watching', 'giving_up', 'cancelled_by_operator', 'gave_up'],
    ['cancel', 'gave_up', 'giving_up', 'given_up', 'gave_up'],
    ['retry_now', 'confirming', 'stale', 'not_settled', 'confirming'],
    ['retry_now', 'waiting', 'retry_scheduled', 'retry_now', 'waiting'],
    ['retry_now', 'clearing', 'stale', 'clear_under_way', 'clearing'],
    ['retry_now', 'watching', 'stale', 'attempt_running', 'watching'],
    ['retry_now', 'gave_up', 'stale', 'given_up', 'gave_up'],
    ['reset', 'confirming', 'cleaned_up', 'reset_by_operator', null],
    ['reset', 'clearing', 'stale', 'clear_under_way', 'clearing'],
    ['reset', 'gave_up', 'cleaned_up', 'reset_by_operator', null],
    ['grant', 'waiting', 'already_scheduled', 'granted_by_operator', 'waiting'],
    ['grant', 'watching', 'already_scheduled', 'granted_by_operator', 'watching'],
    ['grant', 'giving_up', 'retry_scheduled', 'granted_by_operator', 'confirming'],
    ['grant', 'gave_up', 'retry_scheduled', 'granted_by_operator', 'confirming'],
  ])('%s while %s: %s, %s', (action, phase, decision, reason, nextPhase) => {
    const done = act(RECORDS[phase], operate(action, action === 'grant' ? 1 : 0));
    expect(done).toMatchObject({ decision, reason, command: null });
    expect(done.next?.phase ?? null).toBe(nextPhase);
    if (decision === 'stale') expect(done.next).toBe(RECORDS[phase]);
  });

  test('the timeline says who did what, and why', () => {
    expect(act(waitingRecord(), operate('pause')).next?.history.at(-1)).toEqual({
      atMs: NOW_MS,
      type: 'operator',
      attempt: 1,
      reason: 'pause',
      detail: 'by ben: as agreed',
    });
  });

  test('nothing is done for a run that has no record', () => {
    const done = transition(RUN, null, operate('grant', 3), rulesWith(), NOW_MS);
    expect(done).toMatchObject({ next: null, decision: 'unknown_run' });
  });
});

describe('pause and resume', () => {
  test('a paused run is not due, but for its alerts; resumed, it is due as before', () => {
    const paused = act(waitingRecord(), operate('pause')).next;
    expect(paused && dueAtOf(paused)).toBeNull();
    const withAlert = act(waitingRecord({ outbox: [ALERT] }), operate('pause')).next;
    expect(withAlert && dueAtOf(withAlert)).toBe(ALERT.nextTryAtMs);
    const resumed = act(waitingRecord({ held }), operate('resume')).next;
    expect(resumed && dueAtOf(resumed)).toBe(waitingRecord().dueAtMs);
  });

  test.each(Object.entries(RECORDS))('%s: a pause and its end leave the run as it was', (_phase, record) => {
    const paused = act(record, operate('pause')).next as RunRecord;
    const resumed = act(paused, operate('resume')).next as RunRecord;
    expect({ ...resumed, history: [] }).toEqual({ ...record, history: [] });
  });

  test('pausing what is paused keeps the first pause', () => {
    const paused = waitingRecord({ held });
    expect(act(paused, operate('pause')).next).toBe(paused);
  });

  test('a paused run is not retried now either', () => {
    expect(act(waitingRecord({ held }), operate('retry_now'))).toMatchObject({ reason: 'held_by_operator' });
  });
});

describe('retry-now', () => {
  test('ends the delay, but the run must still be seen failed, and the retry counts', () => {
    const hurried = act(waitingRecord(), operate('retry_now')).next as RunRecord;
    expect(hurried).toMatchObject({ phase: 'waiting', retryAtMs: NOW_MS, dueAtMs: NOW_MS, retriesUsed: 0 });
    const cleared = transition(RUN, hurried, seen('failed'), rulesWith(), NOW_MS);
    expect(cleared).toMatchObject({ command: 'send_clear', next: { retriesUsed: 1 } });
    expect(transition(RUN, hurried, seen('running'), rulesWith(), NOW_MS).command).toBeNull();
    // It passes no cap that was lowered meanwhile.
    expect(transition(RUN, hurried, seen('failed'), rulesWith({ maxRetries: 0 }), NOW_MS).command).toBeNull();
  });
});

describe('cancel', () => {
  test('alerts nobody, and a late callback starts nothing', () => {
    const cancelled = act(waitingRecord(), operate('cancel')).next as RunRecord;
    expect(cancelled).toMatchObject({ phase: 'gave_up', reason: 'cancelled_by_operator', outbox: [] });
    const late = failed({}, { startedAtMs: FINGERPRINT.startedAtMs });
    expect(transition(RUN, cancelled, late, rulesWith(), NOW_MS)).toMatchObject({ decision: 'giving_up' });
  });

  test('alerts that are on their way still go out', () => {
    const cancelled = act(waitingRecord({ outbox: [ALERT] }), operate('cancel')).next;
    expect(cancelled).toMatchObject({ phase: 'giving_up', outbox: [ALERT] });
  });
});

describe('grant', () => {
  const spent = { retriesUsed: 2, retriesUsedByClass: { task_error: 2 }, maxRetries: 2 };

  test('takes a given-up run up again: seen failed, it is cleared once more, and no further', () => {
    const again = act(gaveUpRecord(spent), operate('grant', 1)).next as RunRecord;
    expect(again).toMatchObject({ phase: 'confirming', retriesUsed: 2, granted: 1, dueAtMs: NOW_MS });
    expect(again).toMatchObject({ attemptStartedAtMs: FINGERPRINT.startedAtMs, maxRetries: 3 });
    expect(again.history.at(-1)?.detail).toContain(', 1 more');
    const settled = transition(RUN, again, seen('failed'), rulesWith(), NOW_MS);
    expect(settled.next).toMatchObject({ phase: 'waiting', maxRetries: 3 });
    const due = { ...(settled.next as RunRecord), retryAtMs: NOW_MS, dueAtMs: NOW_MS } as RunRecord;
    const cleared = transition(RUN, due, seen('failed'), rulesWith(), NOW_MS);
    expect(cleared).toMatchObject({ command: 'send_clear', next: { retriesUsed: 3 } });
    const watching = watchingRecord({ ...spent, retriesUsed: 3, retriesUsedByClass: { task_error: 3 }, granted: 1 });
    const next = { ...FINGERPRINT, queuedAtMs: NOW_MS, startedAtMs: NOW_MS };
    expect(transition(RUN, watching, seen('failed', next), rulesWith(), NOW_MS)).toMatchObject({
      decision: 'giving_up',
      reason: 'max_retries_reached',
    });
  });

  test("a person's word counts more than an exception that is never retried", () => {
    const refused = gaveUpRecord({ reason: 'never_on', failures: [{ ...FAILURE, refused: true }] });
    const again = act(refused, operate('grant', 1)).next as RunRecord;
    expect(transition(RUN, again, seen('failed'), rulesWith(), NOW_MS).next).toMatchObject({ phase: 'waiting' });
    const late = failed({ id: FAILURE.id, refused: true }, { startedAtMs: FINGERPRINT.startedAtMs });
    expect(transition(RUN, again, late, rulesWith(), NOW_MS)).toMatchObject({ decision: 'stale' });
  });

  test('another give-up is another alert, beside the one that is still unsent', () => {
    const again = act(givingUpRecord(spent), operate('grant', 1)).next as RunRecord;
    const used = { retriesUsed: 3, retriesUsedByClass: { task_error: 3 } } as const;
    const over = transition(RUN, { ...again, ...used }, seen('failed'), rulesWith(), NOW_MS).next;
    expect(over).toMatchObject({ phase: 'giving_up', reason: 'max_retries_reached' });
    expect(new Set(over?.outbox.map(({ dedupeKey }) => dedupeKey)).size).toBe(2);
  });

  test('switches a run on that is off by policy', () => {
    const off = rulesWith({ maxRetries: 0 });
    const again = act(gaveUpRecord(), operate('grant', 1), off).next as RunRecord;
    const settled = transition(RUN, again, seen('failed'), off, NOW_MS).next;
    expect(settled).toMatchObject({ phase: 'waiting', maxRetries: 1 });
  });

  test('means that many more, also when the cap was lowered below what is spent', () => {
    const again = act(gaveUpRecord(spent), operate('grant', 1), rulesWith({ maxRetries: 1 })).next as RunRecord;
    const settled = transition(RUN, again, seen('failed'), rulesWith({ maxRetries: 1 }), NOW_MS);
    expect(settled.next).toMatchObject({ phase: 'waiting', maxRetries: 3 });
  });

  test('never passes the limit', () => {
    const rules = rulesWith({ maxRetriesLimit: 2 });
    expect(act(gaveUpRecord(spent), operate('grant', 5), rules)).toMatchObject({ reason: 'limit_reached' });
    const more = act(waitingRecord(), operate('grant', 50), rules).next as RunRecord;
    expect(more.maxRetries).toBe(2);
  });
});
