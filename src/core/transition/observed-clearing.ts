import type { Observed } from '../event.ts';
import { type Evidence, logOffsetNow } from '../evidence.ts';
import { type RecordIn, sameFingerprint } from '../record.ts';
import type { Rules } from '../rules.ts';
import { cleared, repeatClear } from './clear.ts';
import { putOff } from './paused.ts';
import { become, type Transition } from './result.ts';
import { giveUp, nextLookMs, stopOf, stopped } from './steps.ts';

type Answer = Exclude<Observed['observation'], { type: 'missing' }>;

/** The clear's outcome was unknown, or it was certainly not applied: what the run shows decides. */
export function observedClearing(
  record: RecordIn<'clearing'>,
  seen: Answer,
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
  if (evidence === undefined) return notSeen(record, null, rules, nowMs);
  // It may be long since the retry was spent: people have their say as before the first request.
  const stop = stopOf(record, evidence, seen.fingerprint);
  if (stop !== null) return stopped(record, seen, stop, rules, nowMs);
  // The run is as it was: whatever the log shows, none of it has started an attempt.
  return repeatClear({ ...record, logOffset: logOffsetNow(record, evidence) }, rules, nowMs);
}

function notSeen(record: RecordIn<'clearing'>, retryAfterMs: number | null, rules: Rules, nowMs: number): Transition {
  const checks = record.checks + 1;
  const waitMs = nextLookMs(checks, rules.timing.sweepIntervalMs, retryAfterMs);
  return become({ ...record, checks, dueAtMs: nowMs + waitMs }, 'retry_scheduled', 'orchestrator_unavailable');
}
