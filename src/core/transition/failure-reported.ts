import type { FailureReported } from '../event.ts';
import type { PreviousAttempt, RecordIn, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import { afterGiveUp } from './after-give-up.ts';
import { answer, failedAgain, historyWith, learned, overrideOf } from './count.ts';
import { isKnown, withFailure } from './failures.ts';
import { MAX_FAILURES } from './fields.ts';
import { become, type Transition, tellHeld, unchanged } from './result.ts';
import { judgeRecord, nextRetryAtMs, refuse } from './steps.ts';
import { watchFrom } from './watch.ts';
import { attemptDuringClear, isOfEarlierAttempt, isOfRestart, knownStartMs } from './which-attempt.ts';

/** A failure of a run that has a record. Duplicates and callbacks of earlier attempts change nothing. */
export function onFailureReported(record: RunRecord, event: FailureReported, rules: Rules, nowMs: number): Transition {
  if (isOfEarlierAttempt(record, event)) return unchanged(record, 'stale', 'earlier_attempt');
  switch (record.phase) {
    case 'confirming':
    case 'waiting':
      return whilePending(record, event, rules, nowMs);
    case 'clearing':
      return duringClear(record, event, rules, nowMs);
    case 'watching':
      return isKnown(record, event.failure)
        ? tellHeld(unchanged(record, 'already_scheduled', 'same_attempt'))
        : failedAgain(record, event, rules, nowMs);
    case 'giving_up':
    case 'gave_up':
      return afterGiveUp(record, event, rules, nowMs);
  }
}

type PendingRecord = RecordIn<'confirming'> | RecordIn<'waiting'>;

function whilePending(record: PendingRecord, event: FailureReported, rules: Rules, nowMs: number): Transition {
  const startMs = knownStartMs(record);
  const { startedAtMs } = event.evidence;
  if (startedAtMs !== null && isOfRestart(record, startedAtMs)) return restartHasFailed(record, event, rules, nowMs);
  // What came before is not known where the record was lost; that the attempt began later is.
  if (startMs !== null && startedAtMs !== null && startedAtMs < startMs) {
    return unchanged(record, 'stale', 'earlier_attempt');
  }
  if (isKnown(record, event.failure)) return answerPending(record, record, rules, nowMs);
  const failures = withFailure(record, event.failure, rules, nowMs);
  // The run itself is said to have failed: no need to wait for the next look.
  const isOver = record.phase === 'confirming' && event.failure.taskId === null;
  const lookedFor = isOver ? { ...record, dueAtMs: nowMs, checks: 0 } : record;
  if (failures === record.failures) return answerPending(record, lookedFor, rules, nowMs);
  const next = {
    ...lookedFor,
    failures,
    history: historyWith(record, event, nowMs),
    override: overrideOf(event) ?? record.override,
    ...learned(record, event),
  };
  return answerPending(record, next, rules, nowMs);
}

/** A person restarted the run before we did, and the first that is heard of it is that it has failed again. */
function restartHasFailed(record: PendingRecord, event: FailureReported, rules: Rules, nowMs: number): Transition {
  const seen = record.phase === 'waiting' ? record.fingerprint : null;
  const fingerprint = seen ?? { queuedAtMs: null, startedAtMs: knownStartMs(record), endedAtMs: null };
  const previous: PreviousAttempt = { fingerprint, wasFailed: true, mode: null };
  const reason = 'restarted_by_person';
  const watched = watchFrom(record, { startedBy: 'person', previous, failures: [], reason }, rules, nowMs);
  return failedAgain(watched, event, rules, nowMs);
}

/** Another task of the attempt may forbid what the first one started. */
function answerPending(record: PendingRecord, next: PendingRecord, rules: Rules, nowMs: number): Transition {
  const judgement = judgeRecord(next, rules, nowMs);
  if (next === record) {
    return answer(unchanged(record, 'already_scheduled', 'same_attempt'), judgement);
  }
  const isSeenFailed = next.phase === 'waiting' && next.fingerprint !== null;
  // What is refused before the Dag's tags are known, or while a person holds the run, is refused when it is due.
  if (!judgement.retry && isSeenFailed && next.held === null && !rules.isProvisional) {
    const refused = refuse(next, judgement, next.fingerprint, rules, nowMs);
    return refused.next === null ? refused : answer(refused, judgement);
  }
  const shown = { ...next, maxRetries: judgement.maxRetries };
  if (shown.phase === 'confirming') {
    const failedAtMs = next.failures.at(-1)?.failedAtMs ?? nowMs;
    const retryAtMs = shown.expectedRetryAtMs ?? nextRetryAtMs(shown, rules, failedAtMs, nowMs);
    shown.expectedRetryAtMs = judgement.retry ? retryAtMs : null;
  }
  return answer(become(shown, 'already_scheduled', 'same_attempt'), judgement);
}

/** It may belong to the attempt that the clear under way starts: kept, and looked into when the clear has an answer. */
function duringClear(record: RecordIn<'clearing'>, event: FailureReported, rules: Rules, nowMs: number): Transition {
  return tellHeld(become(withFailureDuringClear(record, event, rules, nowMs), 'already_scheduled', 'same_attempt'));
}

function withFailureDuringClear(
  record: RecordIn<'clearing'>,
  event: FailureReported,
  rules: Rules,
  nowMs: number,
): RecordIn<'clearing'> {
  const { failuresMeanwhile } = record;
  const attempt = attemptDuringClear(record, event.evidence);
  if (isKnown(record, event.failure) || attempt === 'earlier') return record;
  if (attempt === 'cleared') {
    // It counts should the request come to nothing, so that it would have to be sent once more.
    const failures = withFailure(record, event.failure, rules, nowMs);
    if (failures === record.failures) return record;
    return { ...record, failures, override: overrideOf(event) ?? record.override };
  }
  const isFull = failuresMeanwhile.length >= MAX_FAILURES;
  if (isFull || failuresMeanwhile.some((failure) => failure.id === event.failure.id)) return record;
  return { ...record, failuresMeanwhile: [...failuresMeanwhile, event.failure] };
}
