import { describe, expect, test } from 'vitest';
import type { FailureReported, RunEvent } from '../../../src/core/event.ts';
import { type Fingerprint, type RunRecord, sameFingerprint } from '../../../src/core/record.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  clearingRecord,
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
import { clearAnswered, failed, NEXT_ATTEMPT, running, seen, seenRun } from './events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;
const { startedAtMs } = FINGERPRINT;
const next = (record: RunRecord, event: RunEvent, rules = rulesWith()) =>
  transition(RUN, record, event, rules, NOW_MS).next;

describe('sameFingerprint', () => {
  const of = (queuedAtMs: number | null, start: number | null, endedAtMs: number | null): Fingerprint => ({
    queuedAtMs,
    startedAtMs: start,
    endedAtMs,
  });

  test.each([
    ['the very same', of(1, 2, 3), of(1, 2, 3), true],
    ['Airflow 2 moves the end when a left-over process ends later', of(null, 2, 3), of(null, 2, 9), true],
    ['the end of a running one is not known yet', of(1, 2, null), of(1, 2, 3), true],
    ['cleared: queued again, not started', of(1, 2, 3), of(4, null, null), false],
    ['cleared and started', of(1, 2, 3), of(4, 5, null), false],
    ['cleared while running: Airflow 3.2 keeps the start', of(1, 2, null), of(4, 2, null), false],
    ['Airflow 2, cleared', of(null, 2, 3), of(null, null, null), false],
    ['Airflow 2, cleared and started', of(null, 2, 3), of(null, 5, 6), false],
    ['upgraded from 2 to 3 meanwhile', of(null, 2, 3), of(1, 2, 3), true],
    ['failed before it started, and again after a clear', of(1, null, 3), of(4, null, 5), false],
    ['failed before it started, Airflow 2', of(null, null, 3), of(null, null, 5), false],
    ['failed before it started, then upgraded', of(null, null, 3), of(1, null, 3), false],
  ])('%s', (_name, a, b, expected) => {
    expect(sameFingerprint(a, b)).toBe(expected);
    expect(sameFingerprint(b, a)).toBe(expected);
  });
});

describe('an end that moves (Airflow 2)', () => {
  const moved = { ...FINGERPRINT, endedAtMs: FAILED_AT_MS + 4_000 };

  test('is no restart by a person while a retry is pending', () => {
    const waiting = waitingRecord({ dueAtMs: NOW_MS + 1, retryAtMs: NOW_MS + 1 });
    expect(next(waiting, seen('failed', moved))).toMatchObject({ phase: 'waiting', attempt: 1 });
  });

  test('revives no given-up run', () => {
    expect(next(gaveUpRecord(), seen('failed', moved))).toMatchObject({ phase: 'gave_up' });
  });

  test('does not make a clear of unknown outcome look done', () => {
    const after = transition(RUN, clearingRecord(), seen('failed', moved), rulesWith(), NOW_MS);
    expect(after).toMatchObject({ command: 'send_clear', next: { clearsSent: 2, retriesUsed: 1 } });
  });
});

describe('a run that was ended while it was queued, and has no start', () => {
  const unstarted = { ...FINGERPRINT, startedAtMs: null };
  const waiting = waitingRecord({ fingerprint: unstarted, attemptStartedAtMs: null });
  const reported = (attemptStartMs: number) =>
    failed({ id: 'of another attempt', exceptionType: 'AirflowFailException' }, { startedAtMs: attemptStartMs });

  test('an attempt that a callback tells a start of, after that end, is of a person’s restart', () => {
    const after = next(waiting, reported(FAILED_AT_MS + 1));
    expect(after).toMatchObject({
      attempt: waiting.attempt + 1,
      failures: [{ id: 'of another attempt' }],
      previous: { fingerprint: unstarted },
    });
  });

  test('one that began before it is not', () => {
    expect(next(waiting, reported(FAILED_AT_MS))).toMatchObject({ attempt: waiting.attempt });
  });
});

describe('a run that was cleared while it ran', () => {
  const interrupted = { fingerprint: running(FINGERPRINT), wasFailed: false, mode: 'all_tasks' } as const;

  test('and then fails with the same marks has used its attempt: it is not cleared again on the same retry', () => {
    const after = next(clearingRecord(interrupted), seen('failed', FINGERPRINT));
    expect(after).toMatchObject({ phase: 'watching', retriesUsed: 1, clearsSent: 1 });
    const settled = next(after as RunRecord, seen('failed', FINGERPRINT));
    expect(settled).toMatchObject({ phase: 'waiting', attempt: 2 });
  });

  test('a refused clear of it is no sign of a person when it fails later', () => {
    const refused = next(clearingRecord(interrupted), clearAnswered({ type: 'refused', detail: 'no' }));
    expect(next(refused as RunRecord, seen('failed'))).toMatchObject({ phase: 'giving_up', reason: 'clear_refused' });
  });
});

describe('failures that name no attempt (no try number, no evidence)', () => {
  // What a caller sends who fills in the required fields only: the same id in every attempt.
  const bare = failed({ id: 'task:load|-1|0', tryNumber: null });
  const ofRun = failed({ id: 'run:', taskId: null, tryNumber: null });

  test.each([
    ['of a task', bare],
    ['of the run', ofRun],
  ])('%s: a failure of the new attempt is not taken for a duplicate', (_name, event) => {
    const watching = watchingRecord({ earlierFailureIds: [event.failure.id] });
    expect(next(watching, event)).toMatchObject({ phase: 'confirming', attempt: 2, failures: [event.failure] });
  });

  test('after a give-up the orchestrator is asked', () => {
    const gaveUp = gaveUpRecord({ earlierFailureIds: [bare.failure.id], failures: [bare.failure] });
    expect(next(gaveUp, bare)).toMatchObject({ phase: 'gave_up', dueAtMs: NOW_MS });
  });

  test('a failure that names its attempt stays stale', () => {
    const watching = watchingRecord({ earlierFailureIds: ['run:1', 'task:load|-1|1'] });
    expect(next(watching, failed({ id: 'task:load|-1|1', tryNumber: 1 }))).toBe(watching);
    const withNumber = failed({ id: 'run:1', taskId: null, tryNumber: null }, { clearNumber: 1 });
    expect(next(watching, withNumber)).toBe(watching);
  });
});

describe('callbacks while a clear is under way', () => {
  const late = failed({ exceptionType: 'AirflowFailException' }, { startedAtMs });

  test('of the attempt that is being cleared do not count for the one that it starts', () => {
    const clearing = clearingRecord();
    const counted = { failures: [...clearing.failures, late.failure], failuresMeanwhile: [] };
    expect(next(clearing, late)).toMatchObject(counted);
    const byNumber = clearingRecord({ clearNumber: 1, fingerprint: { ...FINGERPRINT, startedAtMs: null } });
    expect(next(byNumber, failed({}, { clearNumber: 1 }))).toMatchObject({ failuresMeanwhile: [] });
    expect(next(clearing, failed({}, { startedAtMs: (startedAtMs ?? 0) - 1 }))).toBe(clearing);
  });

  test('of a run that was cleared while it ran may be of either attempt, and are kept', () => {
    const clearing = clearingRecord({ wasFailed: false, clearNumber: 1 });
    expect(next(clearing, late)).toMatchObject({ failuresMeanwhile: [late.failure] });
    const withNumber = failed({}, { clearNumber: 1 });
    expect(next(clearing, withNumber)).toMatchObject({ failuresMeanwhile: [withNumber.failure] });
  });

  test('that may be of the new attempt still forbid its retry when another task of it fails', () => {
    const kept = failed({ id: 'new', exceptionType: 'AirflowFailException' });
    const clearing = next(clearingRecord(), kept) as RunRecord;
    const watching = next(clearing, clearAnswered({ type: 'accepted', run: null })) as RunRecord;
    expect(watching).toMatchObject({ phase: 'watching', dueAtMs: NOW_MS, failures: [kept.failure] });
    const again = transition(RUN, watching, failed({ id: 'newer' }), rulesWith(), NOW_MS);
    expect(again).toMatchObject({ decision: 'not_retryable', reason: 'never_on' });
    expect(again.next?.failures.map(({ id }) => id)).toEqual(['new', 'newer']);
    expect(next(watching, kept)).toBe(watching);
  });
});

describe("a person's restart that is first heard of by its failure", () => {
  const event = failed({ id: 'of-restart', exceptionType: 'AirflowFailException' }, { startedAtMs: FAILED_AT_MS });

  test.each([
    ['confirming', confirmingRecord()],
    ['waiting', waitingRecord()],
    [
      'waiting, not seen yet',
      waitingRecord({ fingerprint: null, mayInterrupt: true, attemptStartedAtMs: startedAtMs }),
    ],
  ])('while %s: it is an attempt of its own, with its own failures, and no retry is spent', (_name, record) => {
    const after = next(record, event);
    expect(after).toMatchObject({ phase: 'confirming', attempt: 2, retriesUsed: 0, failures: [event.failure] });
    expect(after).toMatchObject({ earlierFailureIds: [FAILURE.id], previous: { mode: null, wasFailed: true } });
    const marks = record.phase === 'waiting' && record.fingerprint !== null ? FINGERPRINT : null;
    expect(after?.previous?.fingerprint).toEqual(marks ?? { queuedAtMs: null, startedAtMs, endedAtMs: null });
    // A late failure of the attempt before it changes nothing any more.
    expect(next(after as RunRecord, failed({ id: 'late' }, { startedAtMs }))).toBe(after);
  });

  test('is waited for where the orchestrator still shows the attempt before', () => {
    const after = next(waitingRecord(), event) as RunRecord;
    expect(next(after, seen('failed'))).toMatchObject({ phase: 'confirming' });
    expect(next(after, seen('failed', NEXT_ATTEMPT))).toMatchObject({ phase: 'giving_up', reason: 'never_on' });
  });
});

describe('after a give-up', () => {
  test('a higher number of clears is no proof of a restart: a person may have cleared the run before, unseen', () => {
    const gaveUp = gaveUpRecord({ clearNumber: 1 });
    expect(next(gaveUp, failed({}, { clearNumber: 2 }))).toMatchObject({ phase: 'gave_up', dueAtMs: NOW_MS });
    expect(next(gaveUp, failed({}, { clearNumber: 1 }))).toBe(gaveUp);
  });

  test('a later start is one, and a late failure of the attempt that was given up changes nothing any more', () => {
    const after = next(gaveUpRecord(), failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs })) as RunRecord;
    expect(after).toMatchObject({ phase: 'confirming', attempt: 2, earlierFailureIds: [FAILURE.id] });
    expect(next(after, failed({ id: 'late' }, { startedAtMs }))).toBe(after);
  });

  test('a restart that a look shows makes late failures of the attempt before stale as well', () => {
    const after = next(gaveUpRecord(), seen('running', running(NEXT_ATTEMPT))) as RunRecord;
    expect(next(after, failed({ id: 'late' }, { startedAtMs }))).toBe(after);
  });

  test('for not settling in time the run is known again by its marks, once it had started', () => {
    const rules = rulesWith({ settleTimeoutMs: 0 });
    const started = next(confirmingRecord(), seen('running', running(FINGERPRINT)), rules) as RunRecord;
    expect(started).toMatchObject({ reason: 'settle_timeout', fingerprint: running(FINGERPRINT) });
    expect(next(started, seen('failed'))).toMatchObject({ phase: 'giving_up' });
    expect(next(started, seen('failed', NEXT_ATTEMPT))).toMatchObject({ phase: 'waiting', retriesUsed: 0 });
    const queued = seen('queued', { ...FINGERPRINT, startedAtMs: null, endedAtMs: null });
    const waitsForAPlace = next(confirmingRecord(), queued, rules) as RunRecord;
    expect(waitsForAPlace).toMatchObject({ reason: 'settle_timeout', fingerprint: null });
    expect(next(waitsForAPlace, seen('failed'))).toMatchObject({ phase: 'giving_up', fingerprint: FINGERPRINT });
  });
});

describe('the number of clears', () => {
  const reported = (clearNumber: number): FailureReported => failed({}, { clearNumber });

  test('goes up with a clear of a finished run, so that older callbacks are known as such', () => {
    const watching = next(clearingRecord({ clearNumber: 0 }), clearAnswered({ type: 'accepted', run: null }));
    expect(watching).toMatchObject({ clearNumber: 1 });
    expect(next(watching as RunRecord, reported(0))).toBe(watching);
    expect(next(watching as RunRecord, reported(1))).toMatchObject({ phase: 'confirming' });
  });

  test('does not go up with a clear of a running one: not every version counts it', () => {
    const clearing = clearingRecord({ clearNumber: 0, wasFailed: false });
    expect(next(clearing, clearAnswered({ type: 'accepted', run: null }))).toMatchObject({ clearNumber: 0 });
  });

  test('is taken back where the clear turns out to have had no effect', () => {
    const previous = { fingerprint: FINGERPRINT, wasFailed: true, mode: 'from_failure' } as const;
    const found = next(watchingRecord({ clearNumber: 5, previous, attempt: 6 }), seen('failed')) as RunRecord;
    const again = next(found, seen('failed')) as RunRecord;
    expect(again).toMatchObject({ phase: 'clearing', mode: 'all_tasks', clearNumber: 4, attempt: 5 });
    const run = seenRun('queued', NEXT_ATTEMPT);
    const watching = next(again, clearAnswered({ type: 'accepted', run }, again.clearsSent)) as RunRecord;
    expect(watching).toMatchObject({ clearNumber: 5, attempt: 6 });
    expect(next(watching, reported(5))).toMatchObject({ phase: 'confirming' });
  });

  test.each([
    [null, 3, 3],
    [3, null, 3],
    [2, 5, 5],
    [null, null, null],
  ])('known so far as %j, told as %j: %j', (clearNumber, told, known) => {
    for (const record of [
      confirmingRecord({ clearNumber }),
      waitingRecord({ clearNumber }),
      watchingRecord({ clearNumber }),
    ]) {
      expect(next(record, failed({}, { clearNumber: told }))).toMatchObject({ clearNumber: known });
    }
  });
});
