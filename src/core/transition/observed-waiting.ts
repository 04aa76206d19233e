import type { Observed, SeenRun } from '../event.ts';
import { type Evidence, type Verdict, weigh } from '../evidence.ts';
import { type RecordIn, type RunRecord, sameFingerprint } from '../record.ts';
import type { Rules } from '../rules.ts';
import { startClear } from './clear.ts';
import { commonOf, withHistory } from './fields.ts';
import { pendingAlerts } from './outbox.ts';
import { putOff } from './paused.ts';
import { become, type Transition } from './result.ts';
import { giveUp, judgeRecord, nextLookMs, nextRetryAtMs, refuse, stopOf, stopped } from './steps.ts';
import { followPerson } from './watch.ts';
import { knownStartMs } from './which-attempt.ts';

type Answer = Exclude<Observed['observation'], { type: 'missing' }>;
type Waiting = RecordIn<'waiting'>;

/** The delay is over, or there is news: is this still the attempt that failed? */
export function observedWaiting(
  record: Waiting,
  seen: Answer,
  { failedTasks = [], evidence }: Pick<Observed, 'failedTasks' | 'evidence'>,
  rules: Rules,
  nowMs: number,
): Transition {
  if (seen.type === 'unavailable') return unavailable(record, seen.retryAfterMs, rules, nowMs);
  if (record.fingerprint === null) return unseenSoFar(record, seen, evidence, rules, nowMs);
  if (sameFingerprint(record.fingerprint, seen.fingerprint)) {
    return seen.state === 'failed' ? clearWhenDue(record, seen, evidence, rules, nowMs) : confirmAgain(record, nowMs);
  }
  // A person's clear wins: the pending retry is dropped, unspent.
  const restarted = { before: record.fingerprint, seen, tasks: failedTasks, failures: [] };
  return followPerson(record, restarted, rules, nowMs);
}

/** Only where a run that has not finished may be cleared: it must at least be the attempt whose failure was reported. */
function unseenSoFar(
  record: Waiting,
  seen: SeenRun,
  evidence: Evidence | undefined,
  rules: Rules,
  nowMs: number,
): Transition {
  const isSameAttempt =
    record.attemptStartedAtMs !== null && record.attemptStartedAtMs === seen.fingerprint.startedAtMs;
  if (isSameAttempt && (seen.state === 'failed' || mayInterrupt(record, rules))) {
    return clearWhenDue(record, seen, evidence, rules, nowMs);
  }
  return confirmAgain(record, nowMs);
}

/** The run has not failed, or not as the attempt that was reported: it is asked anew whether it has. */
function confirmAgain(record: Waiting, nowMs: number): Transition {
  const next: RunRecord = {
    ...commonOf(record),
    phase: 'confirming',
    sinceMs: nowMs,
    dueAtMs: nowMs,
    expectedRetryAtMs: record.retryAtMs,
    attemptStartedAtMs: knownStartMs(record),
    checks: 0,
    unavailableSinceMs: null,
  };
  return become(next, 'retry_scheduled', 'not_settled');
}

/** The policy may have changed since: a run that has not failed is cleared only while it says so. */
function mayInterrupt(record: Waiting, { policy }: Rules): boolean {
  return record.mayInterrupt && (policy.gate === 'immediate' || policy.onSettleTimeout === 'clear');
}

function clearWhenDue(
  record: Waiting,
  seen: SeenRun,
  evidence: Evidence | undefined,
  rules: Rules,
  nowMs: number,
): Transition {
  if (nowMs < record.retryAtMs) {
    return become({ ...record, dueAtMs: record.retryAtMs, checks: 0 }, 'retry_scheduled', 'not_due_yet');
  }
  if (rules.pause !== null) return putOff(record, rules, nowMs);
  // The policy may have changed since: what it says now counts.
  const judgement = judgeRecord(record, rules, nowMs);
  if (!judgement.retry) return refuse(record, judgement, seen.fingerprint, rules, nowMs);
  // Nobody could ask, or this moment is a little later than the one at which it did not seem necessary.
  if (evidence === undefined) return unavailable(record, null, rules, nowMs);
  const stop = stopOf(record, evidence, seen.fingerprint);
  if (stop !== null) return stopped(record, seen, stop, rules, nowMs);
  const verdict = weigh(record, seen.fingerprint, evidence);
  if (verdict.type === 'contradicts') {
    return giveUp(record, 'state_lost', seen.fingerprint, rules, nowMs, verdict.detail);
  }
  if (verdict.type === 'missed') return countMissed(record, verdict, seen, rules, nowMs);
  // A clear that the store has forgotten may still be under way, and in no log yet.
  const settledAtMs = (evidence.lostAtMs ?? 0) + rules.timing.sendWindowMs + rules.timing.clearOutcomeMs;
  if (nowMs < settledAtMs) return become({ ...record, dueAtMs: settledAtMs }, 'retry_scheduled', 'not_due_yet');
  const plan = {
    fingerprint: seen.fingerprint,
    wasFailed: seen.state === 'failed',
    mode: rules.policy.strategy,
    failureClass: judgement.failureClass,
  };
  // Nobody has settled this attempt, so nobody has told people of it either.
  const untold =
    record.fingerprint === null ? pendingAlerts('attempt_failed', record, 'clear_due', rules.policy, nowMs) : [];
  const next: Waiting = {
    ...record,
    countIs: 'checked',
    earlierCount: null,
    logOffset: verdict.logOffset,
    maxRetries: judgement.maxRetries,
    outbox: [...record.outbox, ...untold],
  };
  return startClear(next, plan, rules, nowMs);
}

/** The store had lost them: they are counted before anything else is decided. */
function countMissed(
  record: Waiting,
  { missed, firstOursAtMs, detail }: Extract<Verdict, { type: 'missed' }>,
  seen: SeenRun,
  rules: Rules,
  nowMs: number,
): Transition {
  const known = record.earlierCount ?? record;
  const counted: Waiting = {
    ...record,
    ...record.earlierCount,
    countIs: 'checked',
    earlierCount: null,
    attempt: record.attempt + missed,
    retriesUsed: known.retriesUsed + missed,
    clearsSent: record.clearsSent + missed,
    firstFailedAtMs: Math.min(known.firstFailedAtMs, firstOursAtMs ?? known.firstFailedAtMs),
    history: withHistory(record.history, {
      atMs: nowMs,
      type: 'count_rebuilt',
      attempt: record.attempt + missed,
      reason: 'count_rebuilt',
      detail,
    }),
  };
  // The store has been set back: what seemed a person's restart of a given-up run may have been this retry of ours.
  if (record.earlierCount !== null) return giveUp(counted, 'state_lost', seen.fingerprint, rules, nowMs, detail);
  const judgement = judgeRecord(counted, rules, nowMs);
  if (!judgement.retry) return refuse(counted, judgement, seen.fingerprint, rules, nowMs, detail);
  const endedAtMs = seen.fingerprint.endedAtMs ?? nowMs;
  const retryAtMs = Math.max(record.retryAtMs, nextRetryAtMs(counted, rules, endedAtMs, nowMs));
  return become({ ...counted, retryAtMs, dueAtMs: nowMs, checks: 0 }, 'retry_scheduled', 'count_rebuilt');
}

function unavailable(record: Waiting, retryAfterMs: number | null, rules: Rules, nowMs: number): Transition {
  if (nowMs > record.firstFailedAtMs + rules.policy.maxDurationMs) {
    return giveUp(record, 'max_duration_reached', record.fingerprint, rules, nowMs, 'the orchestrator did not answer');
  }
  const checks = record.checks + 1;
  const waitMs = nextLookMs(checks, rules.timing.sweepIntervalMs, retryAfterMs);
  const dueAtMs = Math.max(record.retryAtMs, nowMs + waitMs);
  return become({ ...record, checks, dueAtMs }, 'retry_scheduled', 'orchestrator_unavailable');
}
