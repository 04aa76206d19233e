import type { Observed, SeenTask } from '../event.ts';
import { type RecordIn, type RunRecord, sameFingerprint } from '../record.ts';
import type { Rules } from '../rules.ts';
import { end } from './end.ts';
import { earlierCountOf } from './fields.ts';
import { observedClearing } from './observed-clearing.ts';
import { observedConfirming } from './observed-confirming.ts';
import { observedWaiting } from './observed-waiting.ts';
import { observedWatching } from './observed-watching.ts';
import { nextRecoveryLookMs } from './recovery.ts';
import { become, type Transition, unchanged } from './result.ts';
import { nextLookMs } from './steps.ts';
import { followPerson } from './watch.ts';

/** Longer than a look can last: whoever decides later than this was suspended, and people may have acted meanwhile. */
const MAX_LOOK_MS = 30_000;

/**
 * The orchestrator was asked about the run. `event` must have been read after this very version of the record was
 * loaded: applied to any other, "failed as before" could pass for an attempt that failed again.
 */
export function onObserved(record: RunRecord, event: Observed, rules: Rules, nowMs: number): Transition {
  const { failedTasks = [] } = event;
  const observation = ifFresh(event, nowMs);
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

function ifFresh({ observation, askedAtMs }: Observed, nowMs: number): Observed['observation'] {
  if (askedAtMs === undefined || nowMs - askedAtMs <= MAX_LOOK_MS) return observation;
  return { type: 'unavailable', reason: 'timed_out', retryAfterMs: null };
}

type UsefulAnswer = Exclude<Observed['observation'], { type: 'missing' }>;

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
    const isRehearsed = rules.isShadow && record.reason === 'would_have_retried';
    const counted = isRehearsed ? record : withNewCount(record, nowMs);
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
