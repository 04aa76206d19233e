import type { Observed, SeenTask } from '../event.ts';
import { type Evidence, logOffsetNow } from '../evidence.ts';
import { type RecordIn, type RunRecord, sameFingerprint } from '../record.ts';
import type { Rules } from '../rules.ts';
import { cleared, repeatClear } from './clear.ts';
import { end } from './end.ts';
import { earlierCountOf } from './fields.ts';
import { observedConfirming } from './observed-confirming.ts';
import { observedWaiting } from './observed-waiting.ts';
import { observedWatching } from './observed-watching.ts';
import { putOff } from './paused.ts';
import { nextRecoveryLookMs } from './recovery.ts';
import { become, type Transition, unchanged } from './result.ts';
import { giveUp, nextLookMs } from './steps.ts';
import { followPerson } from './watch.ts';

/**
 * The orchestrator was asked about the run. `event` must have been read after this very version of the record was
 * loaded: applied to any other, "failed as before" could pass for an attempt that failed again.
 */
export function onObserved(record: RunRecord, event: Observed, rules: Rules, nowMs: number): Transition {
  const { observation, failedTasks = [] } = event;
  if (record.held !== null) return unchanged(record, 'held', 'held_by_operator');
  // The request may still be under way, so that what was read says nothing yet.
  if (record.phase === 'clearing' && nowMs < record.dueAtMs) return unchanged(record, 'retry_scheduled', 'not_due_yet');
  if (observation.type === 'missing') return end(record, 'run_missing', null, nowMs);
  if (observation.type === 'found' && observation.state === 'success') {
    return end(record, 'run_succeeded', observation.fingerprint, nowMs);
  }
  switch (record.phase) {
    case 'confirming':
      return observedConfirming(record, observation, failedTasks, rules, nowMs);
    case 'waiting':
      return observedWaiting(record, observation, event, rules, nowMs);
    case 'clearing':
      return observedClearing(record, observation, event.evidence, rules, nowMs);
    case 'watching':
      return observedWatching(record, observation, failedTasks, rules, nowMs);
    case 'giving_up':
    case 'gave_up':
      return observedGivenUp(record, observation, failedTasks, rules, nowMs);
  }
}

type UsefulAnswer = Exclude<Observed['observation'], { type: 'missing' }>;

/** The clear's outcome was unknown, or it was certainly not applied: what the run shows decides. */
function observedClearing(
  record: RecordIn<'clearing'>,
  seen: UsefulAnswer,
  evidence: Evidence | undefined,
  rules: Rules,
  nowMs: number,
): Transition {
  const isTooLate = nowMs > record.firstFailedAtMs + rules.policy.maxDurationMs;
  if (seen.type === 'unavailable') {
    // Whether the clear was applied stays unknown: if it was, the attempt that it started must not pass for a person's.
    const unseen = 'the orchestrator did not answer';
    if (isTooLate) return giveUp(record, 'max_duration_reached', null, rules, nowMs, unseen);
    return notSeen(record, seen.retryAfterMs, rules, nowMs);
  }
  // A run that was cleared while it ran shows no trace of it before 3.2: count it as done rather than do it twice.
  const isUntouched =
    record.wasFailed && seen.state === 'failed' && sameFingerprint(seen.fingerprint, record.fingerprint);
  if (!isUntouched) return cleared(record, 'clear_confirmed_by_read', rules, nowMs);
  if (rules.pause !== null) return putOff(record, rules, nowMs);
  if (isTooLate) return giveUp(record, 'max_duration_reached', seen.fingerprint, rules, nowMs);
  // The run is as it was: whatever the log shows, none of it has started an attempt.
  if (evidence === undefined) return notSeen(record, null, rules, nowMs);
  return repeatClear({ ...record, logOffset: logOffsetNow(record, evidence) }, record.mode, rules, nowMs);
}

function notSeen(record: RecordIn<'clearing'>, retryAfterMs: number | null, rules: Rules, nowMs: number): Transition {
  const checks = record.checks + 1;
  const waitMs = nextLookMs(checks, rules.timing.sweepIntervalMs, retryAfterMs);
  return become({ ...record, checks, dueAtMs: nowMs + waitMs }, 'retry_scheduled', 'orchestrator_unavailable');
}

/** Somebody gave a reason to look at a given-up run again. */
function observedGivenUp(
  record: RecordIn<'giving_up'> | RecordIn<'gave_up'>,
  seen: UsefulAnswer,
  tasks: readonly SeenTask[],
  rules: Rules,
  nowMs: number,
): Transition {
  const lookAtMs = nextRecoveryLookMs(record, rules.timing, nowMs);
  if (seen.type === 'unavailable') {
    const { sweepIntervalMs } = rules.timing;
    const waitMs = Math.max(sweepIntervalMs, nextLookMs(0, sweepIntervalMs, seen.retryAfterMs));
    const dueAtMs = Math.max(nowMs + waitMs, lookAtMs ?? 0);
    return become({ ...record, dueAtMs }, 'giving_up', 'orchestrator_unavailable');
  }
  const known = record.fingerprint;
  const isRestarted = known !== null && !sameFingerprint(known, seen.fingerprint);
  if (isRestarted) {
    // In shadow mode whoever restarts the run does what we would have done.
    const counted = record.reason === 'would_have_retried' ? record : withNewCount(record, nowMs);
    const restarted = { before: known, seen, tasks, failures: record.failuresMeanwhile };
    const followed = followPerson(counted, restarted, rules, nowMs);
    // Where the policy does not retry it any more, the tombstone stays rather than leaving nothing behind.
    if (followed.next !== null) return followed;
  }
  const shown = seen.state === 'failed' ? seen.fingerprint : null;
  const fingerprint = isRestarted ? shown : (known ?? shown);
  const next =
    record.phase === 'gave_up'
      ? {
          ...record,
          fingerprint,
          failuresMeanwhile: [],
          dueAtMs: Math.min(lookAtMs ?? record.expiresAtMs, record.expiresAtMs),
        }
      : { ...record, fingerprint, failuresMeanwhile: [], dueAtMs: lookAtMs };
  return become(next, 'giving_up', 'given_up');
}

/** What a person restarts after we gave up is counted anew. */
function withNewCount<R extends RunRecord>(record: R, nowMs: number): R {
  const earlierCount = earlierCountOf(record);
  return { ...record, earlierCount, retriesUsed: 0, retriesUsedByClass: {}, granted: 0, firstFailedAtMs: nowMs };
}

/** Nothing is known that would need the orchestrator. */
export function onTimePassed(record: RunRecord, nowMs: number): Transition {
  if (record.phase === 'gave_up' && nowMs >= record.expiresAtMs) return become(null, 'cleaned_up', 'tombstone_expired');
  return unchanged(record, 'stale', 'not_due_yet');
}
