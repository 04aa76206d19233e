import type { AttemptEvidence, FailureReported, SeenRun } from '../event.ts';
import { type PreviousAttempt, type RecordIn, type RunRecord, sameFingerprint } from '../record.ts';

/** Late callbacks show themselves by their id, by the run's start, or by its number of clears. */
export function isOfEarlierAttempt(record: RunRecord, event: FailureReported): boolean {
  const { startedAtMs, clearNumber } = event.evidence;
  if (namesAttempt(event) && record.earlierFailureIds.includes(event.failure.id)) return true;
  if (clearNumber !== null && record.clearNumber !== null && clearNumber < record.clearNumber) return true;
  const previousStartMs = record.previous?.wasFailed ? record.previous.fingerprint.startedAtMs : null;
  return startedAtMs !== null && previousStartMs !== null && startedAtMs <= previousStartMs;
}

/**
 * Whether the id of a failure tells its attempt. Without a try number (or, for the run as a whole, without any
 * evidence) every attempt reports the same id, and only the orchestrator can tell.
 */
export function namesAttempt({ failure, evidence }: FailureReported): boolean {
  if (failure.taskId !== null) return failure.tryNumber !== null;
  return evidence.startedAtMs !== null || evidence.clearNumber !== null;
}

/** The start of the attempt whose failure is being dealt with, or null if nobody has told it yet. */
export function knownStartMs(record: RecordIn<'confirming'> | RecordIn<'waiting'>): number | null {
  const seen = record.phase === 'waiting' ? record.fingerprint : null;
  return seen === null ? record.attemptStartedAtMs : seen.startedAtMs;
}

/** Whether an attempt that began then came after the one whose failure is being dealt with. */
export function isOfRestart(record: RecordIn<'confirming'> | RecordIn<'waiting'>, startedAtMs: number): boolean {
  const seen = record.phase === 'waiting' ? record.fingerprint : null;
  // A run that was ended while it was queued has an end and no start, which a callback could tell.
  const beganByMs = knownStartMs(record) ?? seen?.endedAtMs ?? null;
  return beganByMs !== null && startedAtMs > beganByMs;
}

/** Which attempt a callback is of that came while a clear is under way; null where it does not tell. */
export function attemptDuringClear(
  record: RecordIn<'clearing'>,
  { startedAtMs, clearNumber }: AttemptEvidence,
): 'earlier' | 'cleared' | 'next' | null {
  // A run that was cleared while it ran may keep its start and its number of clears.
  if (!record.wasFailed) return null;
  const { startedAtMs: clearedStartMs } = record.fingerprint;
  if (startedAtMs !== null && clearedStartMs !== null) return placeOf(startedAtMs - clearedStartMs);
  if (clearNumber !== null && record.clearNumber !== null) return placeOf(clearNumber - record.clearNumber);
  return null;
}

function placeOf(difference: number): 'earlier' | 'cleared' | 'next' {
  if (difference === 0) return 'cleared';
  return difference < 0 ? 'earlier' : 'next';
}

/** Whether a callback is of an attempt that began after the run was given up; null where it does not tell. */
export function isOfLaterAttempt(
  record: RecordIn<'giving_up'> | RecordIn<'gave_up'>,
  { startedAtMs, clearNumber }: AttemptEvidence,
): boolean | null {
  const givenUpStartMs = record.fingerprint?.startedAtMs ?? null;
  const clearsSince = clearNumber === null || record.clearNumber === null ? null : clearNumber - record.clearNumber;
  if (startedAtMs !== null && givenUpStartMs !== null) {
    if (startedAtMs !== givenUpStartMs) return startedAtMs > givenUpStartMs;
    // A run that is cleared while it runs keeps its start: the number alone says that it may have been.
    return clearsSince !== null && clearsSince > 0 ? null : false;
  }
  // A higher number is no proof: a person may have cleared the run before it was given up, unseen by us.
  return clearsSince !== null && clearsSince <= 0 ? false : null;
}

/** Whether the orchestrator still shows the attempt before the one that should have started. */
export function showsPrevious(previous: PreviousAttempt | null, seen: SeenRun): previous is PreviousAttempt {
  // A run that we cleared while it ran may keep its marks for the new attempt.
  if (previous === null || (!previous.wasFailed && previous.mode !== null)) return false;
  return seen.state === 'failed' && sameFingerprint(previous.fingerprint, seen.fingerprint);
}
