import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/event.ts';
import type { Fingerprint, RecordIn, RunRecord } from '../../../src/core/record.ts';
import { BUILT_IN_TIMING } from '../../../src/core/rules.ts';
import { nextRegularLookMs } from '../../../src/core/transition/watch-times.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  ALERT,
  clearingRecord,
  FAILED_AT_MS,
  FINGERPRINT,
  gaveUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import {
  AGREES,
  clearAnswered,
  failed,
  NEXT_ATTEMPT,
  operated,
  running,
  seen,
  seenRun,
  unavailable,
} from './events.ts';

const DUE_MS = clearingRecord().dueAtMs;
const DAY_MS = 24 * 3_600_000;
const decide = (record: RunRecord, event: RunEvent, nowMs = DUE_MS, rules = rulesWith()) =>
  transition(RUN, record, event, rules, nowMs);
const notApplied = clearAnswered({ type: 'not_applied', reason: 'forbidden', retryAfterMs: null });

describe('spending a retry', () => {
  test('is one step with storing what the run looked like, and by when the clear must be sent', () => {
    const { next, command } = decide(waitingRecord({ failureClass: 'infra' }), seen('failed'), FAILED_AT_MS + 60_000);
    expect(command).toBe('send_clear');
    expect(next).toMatchObject({
      phase: 'clearing',
      retriesUsed: 1,
      retriesUsedByClass: { task_error: 1 },
      clearsSent: 1,
      fingerprint: FINGERPRINT,
      wasFailed: true,
      sendByMs: FAILED_AT_MS + 65_000,
      dueAtMs: FAILED_AT_MS + 105_000,
    });
  });

  test('does not happen a millisecond before the delay is over, whatever woke the record', () => {
    const early = waitingRecord({ dueAtMs: 0 });
    const after = decide(early, seen('failed'), early.retryAtMs - 1);
    expect(after).toMatchObject({ command: null, reason: 'not_due_yet', next: { dueAtMs: early.retryAtMs } });
  });

  test.each([
    ['max_retries lowered to what is used', { maxRetries: 1 }, 'max_retries_reached'],
    ['retries switched off', { maxRetries: 0 }, 'retries_off'],
    ['the exception is now never retried', { neverOn: ['ValueError'] }, 'never_on'],
  ] as const)('is decided by the policy of that moment: %s', (_name, policy, reason) => {
    const used = waitingRecord({ retriesUsed: 1, retriesUsedByClass: { task_error: 1 }, maxRetries: 2 });
    const after = decide(used, seen('failed'), DUE_MS, rulesWith(policy));
    expect(after).toMatchObject({ command: null, reason, next: { phase: 'giving_up', reason, retriesUsed: 1 } });
  });

  test('does not happen after max_duration', () => {
    const after = decide(waitingRecord(), seen('failed'), FAILED_AT_MS + DAY_MS + 1);
    expect(after.next).toMatchObject({ phase: 'giving_up', reason: 'max_duration_reached' });
  });
});

describe('an attempt that a person has set to failed', () => {
  const look = {
    ...seen('failed'),
    evidence: { ...AGREES, stop: { by: 'anna', atMs: FAILED_AT_MS, isCleared: false } },
  };

  test('is not retried, whatever its tasks have reported, and whoever did it needs no alert', () => {
    const { next, command, reason } = decide(waitingRecord(), look);
    expect({ command, reason }).toEqual({ command: null, reason: 'stopped_by_person' });
    expect(next).toMatchObject({ phase: 'gave_up', retriesUsed: 0, outbox: [], fingerprint: FINGERPRINT });
    expect(next?.history.at(-1)).toMatchObject({ type: 'gave_up', detail: 'anna set it to failed' });
  });

  test('is looked at when the retry is due: until then anybody may set it to failed', () => {
    const early = waitingRecord({ dueAtMs: 0 });
    expect(decide(early, look, early.retryAtMs - 1).reason).toBe('not_due_yet');
  });

  test('is retried where an operator has taken it up again since', () => {
    const taken = decide(gaveUpRecord({ reason: 'stopped_by_person' }), operated('grant', 1), FAILED_AT_MS + 1).next;
    const settled = decide(taken as RunRecord, look, DUE_MS).next as RunRecord;
    expect(settled).toMatchObject({ phase: 'waiting' });
    expect(decide(settled, look, DUE_MS + DAY_MS / 2).command).toBe('send_clear');
    const again = { ...look, evidence: { ...AGREES, stop: { by: 'anna', atMs: FAILED_AT_MS + 2, isCleared: false } } };
    expect(decide(settled, again, DUE_MS + DAY_MS / 2).reason).toBe('stopped_by_person');
  });

  test('ends with an alert where people have been told of the failure', () => {
    const told = waitingRecord({ outbox: [{ ...ALERT, kind: 'attempt_failed' }] });
    const { next } = decide(told, look);
    expect(next).toMatchObject({ phase: 'giving_up', reason: 'stopped_by_person' });
    expect(next?.outbox.map(({ kind }) => kind)).toContain('gave_up');
  });

  test('starts nothing by a late callback, and a new count when a person clears it', () => {
    const { next } = decide(waitingRecord(), look);
    if (next === null) throw new Error('nothing is left of it');
    expect(decide(next, failed()).next).toMatchObject({ phase: 'gave_up' });
    const again = failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs });
    expect(decide(next, again).next).toMatchObject({ phase: 'confirming', retriesUsed: 0 });
  });
});

describe('an interrupting clear (gate: immediate)', () => {
  const immediate = rulesWith({ gate: 'immediate' });
  const unseen = waitingRecord({
    fingerprint: null,
    mayInterrupt: true,
    attemptStartedAtMs: FINGERPRINT.startedAtMs,
  });

  test('hits only the attempt whose failure was reported', () => {
    const same = decide(unseen, seen('running', running(FINGERPRINT)), DUE_MS, immediate);
    expect(same).toMatchObject({ command: 'send_clear', next: { wasFailed: false } });
    for (const event of [
      seen('running', running(NEXT_ATTEMPT)),
      seen('queued', { ...FINGERPRINT, startedAtMs: null, endedAtMs: null }),
      seen('failed', NEXT_ATTEMPT),
    ]) {
      expect(decide(unseen, event, DUE_MS, immediate)).toMatchObject({ command: null, next: { phase: 'confirming' } });
    }
  });

  test('does not happen any more where the policy says `settled` by now, unless the run has failed', () => {
    const after = decide(unseen, seen('running', running(FINGERPRINT)), DUE_MS, rulesWith());
    expect(after).toMatchObject({ command: null, next: { phase: 'confirming' } });
    expect(decide(unseen, seen('failed'), DUE_MS, rulesWith())).toMatchObject({ command: 'send_clear' });
  });

  test('needs to know which attempt failed', () => {
    const reported = (startedAtMs: number | null) =>
      transition(RUN, null, failed({}, { startedAtMs }), immediate, DUE_MS).next;
    expect(reported(null)).toMatchObject({ phase: 'confirming' });
    expect(reported(1)).toMatchObject({ phase: 'waiting', mayInterrupt: true, attemptStartedAtMs: 1 });
  });
});

describe('a clear that was accepted', () => {
  test('starts the next attempt, which is looked at after the sweep interval unless there is news of it', () => {
    const accepted = clearAnswered({ type: 'accepted', run: null });
    const after = decide(clearingRecord({ attempt: 3 }), accepted).next;
    expect(after).toMatchObject({ phase: 'watching', attempt: 4, clearedAtMs: DUE_MS });
    expect(after?.dueAtMs).toBe(nextRegularLookMs(RUN, BUILT_IN_TIMING, DUE_MS));
    expect(after?.history.at(-1)).toMatchObject({ type: 'attempt_started', attempt: 4 });
    const news = clearingRecord({ failuresMeanwhile: [failed().failure] });
    expect(decide(news, accepted).next).toMatchObject({ dueAtMs: DUE_MS });
  });
});

describe('a clear that came to nothing', () => {
  const waits = () => {
    const { next } = decide(clearingRecord(), notApplied, FAILED_AT_MS + 61_000);
    if (next === null) throw new Error('nothing is left of it');
    return next;
  };

  test('is not sent again once a person has set the run to failed', () => {
    const look = {
      ...seen('failed'),
      evidence: { ...AGREES, stop: { by: 'anna', atMs: FAILED_AT_MS, isCleared: false } },
    };
    expect(decide(waits(), look)).toMatchObject({ command: null, next: { reason: 'stopped_by_person' } });
  });

  test.each([
    ['retries were switched off', { maxRetries: 0 }, 'retries_off'],
    ['the class is not retried any more', { retryOn: ['infra'] }, 'class_not_retried'],
    ['the exception is now never retried', { neverOn: ['ValueError'] }, 'never_on'],
  ] as const)('nor once %s', (_name, policy, reason) => {
    expect(decide(waits(), seen('failed'), DUE_MS, rulesWith(policy))).toMatchObject({
      command: null,
      next: { phase: 'giving_up', reason },
    });
  });

  test.each([
    ['its start', { startedAtMs: FINGERPRINT.startedAtMs }],
    ['nothing of its attempt', {}],
  ])('nor once another task, which tells %s, forbids it', (_what, evidence) => {
    const told = decide(waits(), failed({ id: 'other', exceptionType: 'AirflowFailException' }, evidence)).next;
    if (told === null) throw new Error('nothing is left of it');
    expect(decide(told, seen('failed'))).toMatchObject({ command: null, next: { reason: 'never_on' } });
  });

  test('is sent again where the cap still allows what was spent', () => {
    const { next, command } = decide(waits(), seen('failed'), DUE_MS, rulesWith({ maxRetries: 1 }));
    expect(command).toBe('send_clear');
    expect(next).toMatchObject({ phase: 'clearing', retriesUsed: 1, failuresMeanwhile: [] });
  });

  test('can be cancelled at once, and one that may be under way only when that is over', () => {
    const cancel = operated('cancel');
    expect(decide(waits(), cancel, FAILED_AT_MS + 61_000).reason).toBe('cancelled_by_operator');
    const record = clearingRecord();
    const overMs = record.sendByMs + BUILT_IN_TIMING.clearOutcomeMs;
    expect(decide(record, cancel, overMs - 1).reason).toBe('clear_under_way');
    expect(decide(record, cancel, overMs).reason).toBe('cancelled_by_operator');
  });
});

describe('a look that was long ago when it is decided', () => {
  test('counts for nothing: people may have acted on the run since', () => {
    const old = { ...seen('failed'), askedAtMs: DUE_MS - 30_001 };
    expect(decide(waitingRecord(), old)).toMatchObject({ command: null, reason: 'orchestrator_unavailable' });
    expect(decide(waitingRecord(), { ...old, askedAtMs: DUE_MS - 30_000 }).command).toBe('send_clear');
  });
});

describe('a clear whose outcome is not known', () => {
  test('is not looked into while it may still be under way', () => {
    const record = clearingRecord();
    for (const event of [seen('failed'), seen('success'), seen('running', running(NEXT_ATTEMPT)), unavailable()]) {
      expect(decide(record, event, record.dueAtMs - 1)).toMatchObject({ next: record, command: null });
    }
  });

  test('is sent again on the same retry where the run is as before, with a number of its own', () => {
    const { next, command } = decide(clearingRecord(), seen('failed'));
    expect(command).toBe('send_clear');
    expect(next).toMatchObject({ retriesUsed: 1, clearsSent: 2, dueAtMs: DUE_MS + 45_000 });
  });

  test('an answer to it that comes after the repeat changes nothing', () => {
    const repeated = decide(clearingRecord(), seen('failed')).next as RunRecord;
    expect(decide(repeated, clearAnswered({ type: 'accepted', run: null }, 1)).next).toBe(repeated);
  });

  test('counts as done where anything but the failed run of before is seen', () => {
    for (const event of [
      seen('failed', NEXT_ATTEMPT),
      seen('running', running(NEXT_ATTEMPT)),
      seen('queued', { ...NEXT_ATTEMPT, startedAtMs: null, endedAtMs: null }),
    ]) {
      expect(decide(clearingRecord(), event)).toMatchObject({ command: null, next: { phase: 'watching', attempt: 2 } });
    }
  });
});

describe('a clear that Airflow will not take for now', () => {
  test('is sent again less and less often, also over repeats', () => {
    const waits: number[] = [];
    let record: RunRecord = clearingRecord();
    for (let repeat = 0; repeat < 8; repeat += 1) {
      const answered = decide(record, { ...notApplied, clear: record.clearsSent }).next as RecordIn<'clearing'>;
      waits.push((answered.dueAtMs - DUE_MS) / 1_000);
      record = decide({ ...answered, dueAtMs: DUE_MS }, seen('failed')).next as RunRecord;
    }
    expect(waits).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
  });

  test('is not sent any more after max_duration: people are told', () => {
    const after = decide(clearingRecord(), seen('failed'), FAILED_AT_MS + DAY_MS + 1);
    expect(after).toMatchObject({ command: null, next: { phase: 'giving_up', reason: 'max_duration_reached' } });
    expect(after.next?.outbox).toHaveLength(1);
  });

  test('waits as long as the server asks, within reason', () => {
    const asked = (retryAfterMs: number) =>
      clearAnswered({ type: 'not_applied', reason: 'rate_limited', retryAfterMs });
    const wait = (event: RunEvent) => (decide(clearingRecord(), event).next as RecordIn<'clearing'>).dueAtMs - DUE_MS;
    expect([wait(asked(30_000)), wait(asked(10 ** 9)), wait(asked(0))]).toEqual([30_000, 900_000, 2_000]);
  });
});

describe('no answer from the orchestrator after a clear of unknown outcome', () => {
  test('is waited out', () => {
    const after = decide(clearingRecord({ checks: 1 }), unavailable());
    expect(after).toMatchObject({ command: null, next: { phase: 'clearing', dueAtMs: DUE_MS + 4_000, checks: 2 } });
  });

  test('until max_duration; then people are told, and our own clear is not taken for a person’s', () => {
    const record = clearingRecord({ clearNumber: 0 });
    const after = decide(record, unavailable(), FAILED_AT_MS + DAY_MS + 1).next as RunRecord;
    expect(after).toMatchObject({ phase: 'giving_up', reason: 'max_duration_reached', fingerprint: null });
    // The clear had been applied: the attempt that it started fails.
    const ours = failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs, clearNumber: 1 });
    const asked = decide(after, ours).next as RunRecord;
    expect(asked).toMatchObject({ phase: 'giving_up', dueAtMs: DUE_MS });
    const looked = decide(asked, seen('failed', NEXT_ATTEMPT)).next as RunRecord;
    expect(looked).toMatchObject({ phase: 'giving_up', fingerprint: NEXT_ATTEMPT, retriesUsed: 1 });
    // A person restarts it after that.
    const persons = failed({}, { startedAtMs: (NEXT_ATTEMPT.startedAtMs ?? 0) + 1, clearNumber: 2 });
    expect(decide(looked, persons).next).toMatchObject({ phase: 'confirming', retriesUsed: 0 });
  });
});

describe('a person sets the run to failed while a clear of ours is under way that comes to nothing', () => {
  const beganAtMs = FINGERPRINT.queuedAtMs ?? 0;
  const look = (fingerprint: Fingerprint, stoppedAtMs: number) => {
    const stop = { by: 'anna', atMs: stoppedAtMs, isCleared: true };
    const record = clearingRecord({ fingerprint });
    return decide(record, { ...seen('failed', fingerprint), evidence: { ...AGREES, stop } });
  };

  test('it is not sent again', () => {
    expect(look(FINGERPRINT, beganAtMs + 1)).toMatchObject({
      command: null,
      next: { reason: 'stopped_by_person' },
    });
  });

  test('what was stopped before this attempt, or may have been, does not count', () => {
    expect(look(FINGERPRINT, beganAtMs)).toMatchObject({ command: 'send_clear' });
    const unstarted = { queuedAtMs: null, startedAtMs: null, endedAtMs: FAILED_AT_MS };
    expect(look(unstarted, FAILED_AT_MS)).toMatchObject({ command: 'send_clear' });
  });
});

describe('a clear that changed nothing', () => {
  const accepted = clearAnswered({ type: 'accepted', run: seenRun('failed') });

  test('of failed tasks only is followed by one of all tasks, on the same retry, once the run was looked at again', () => {
    const after = decide(clearingRecord({ mode: 'from_failure' }), accepted);
    expect(after).toMatchObject({ command: null, reason: 'retrying_all_tasks', next: { dueAtMs: DUE_MS } });
    const looked = decide(after.next as RunRecord, seen('failed'));
    expect(looked).toMatchObject({ command: 'send_clear' });
    expect(looked.next).toMatchObject({ mode: 'all_tasks', retriesUsed: 1, clearsSent: 2 });
  });

  test('is not followed by another where a person has set the run to failed since', () => {
    const previous = { fingerprint: FINGERPRINT, wasFailed: true, mode: 'from_failure' } as const;
    const after = decide(watchingRecord({ previous }), seen('failed'));
    expect(after).toMatchObject({ command: null, next: { phase: 'clearing', mode: 'all_tasks', dueAtMs: DUE_MS } });
    const stop = { by: 'anna', atMs: DUE_MS, isCleared: false };
    const stopped = decide(after.next as RunRecord, { ...seen('failed'), evidence: { ...AGREES, stop } });
    expect(stopped).toMatchObject({ command: null, next: { reason: 'stopped_by_person' } });
  });

  test('of all tasks needs a person', () => {
    const after = decide(clearingRecord({ mode: 'all_tasks' }), accepted);
    expect(after).toMatchObject({ command: null, next: { phase: 'giving_up', reason: 'clear_had_no_effect' } });
  });
});
