import type { Observed, SeenTask } from '../event.ts';
import type { Fingerprint, RecordIn, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import { foundUnchanged } from './clear.ts';
import { commonOf } from './fields.ts';
import { become, type Transition } from './result.ts';
import { giveUp, judgeRecord, nextLookMs, refuse, settle } from './steps.ts';
import { withSeenTasks } from './unreported.ts';
import { showsPrevious } from './which-attempt.ts';

type Answer = Exclude<Observed['observation'], { type: 'missing' }>;

/** A failure was reported: has the run itself failed yet? */
export function observedConfirming(
  record: RecordIn<'confirming'>,
  seen: Answer,
  tasks: readonly SeenTask[],
  rules: Rules,
  nowMs: number,
): Transition {
  if (seen.type === 'unavailable') return unavailable(record, seen, rules, nowMs);
  const known = { ...withSeenTasks(record, tasks, rules, nowMs), runType: seen.runType ?? record.runType };
  const isStillPrevious = showsPrevious(record.previous, seen);
  if (seen.state === 'failed' && !isStillPrevious) return settle(known, seen.fingerprint, rules, nowMs);
  if (isStillPrevious && record.previous?.mode != null) {
    const { failureClass } = judgeRecord(record, rules, nowMs);
    return foundUnchanged(known, record.previous, failureClass, rules, nowMs);
  }
  // Still running, or a person's restart that was reported does not show yet.
  if (nowMs >= record.sinceMs + rules.policy.settleTimeoutMs) return notSettledInTime(record, seen, rules, nowMs);
  return lookAgain({ ...record, unavailableSinceMs: null }, 'not_settled', null, rules, nowMs);
}

function unavailable(
  record: RecordIn<'confirming'>,
  seen: Extract<Answer, { type: 'unavailable' }>,
  rules: Rules,
  nowMs: number,
): Transition {
  const unavailableSinceMs = record.unavailableSinceMs ?? nowMs;
  const judgement = judgeRecord(record, rules, nowMs);
  // Alerts fail open: where no retry would follow anyway, people are told although nobody could look.
  const isRefused = !judgement.retry && !rules.isProvisional;
  if (isRefused && nowMs >= unavailableSinceMs + rules.timing.alertPatienceMs) {
    return refuse(record, judgement, toldMarks(record), rules, nowMs, 'the orchestrator did not answer');
  }
  // Retries fail closed: never cleared unseen, whatever the policy says about time-outs.
  if (nowMs >= record.sinceMs + rules.policy.settleTimeoutMs) {
    return giveUp(record, 'settle_timeout', toldMarks(record), rules, nowMs, 'the orchestrator did not answer');
  }
  return lookAgain({ ...record, unavailableSinceMs }, 'orchestrator_unavailable', seen.retryAfterMs, rules, nowMs);
}

function notSettledInTime(
  record: RecordIn<'confirming'>,
  seen: Extract<Answer, { type: 'found' }>,
  rules: Rules,
  nowMs: number,
): Transition {
  const judgement = judgeRecord(record, rules, nowMs);
  const mayClear = rules.policy.onSettleTimeout === 'clear' && judgement.retry && record.attemptStartedAtMs !== null;
  // One that has not started yet has no marks that stay.
  const fingerprint = seen.fingerprint.startedAtMs === null ? null : seen.fingerprint;
  if (!mayClear) return giveUp(record, 'settle_timeout', fingerprint, rules, nowMs);
  const next: RunRecord = {
    ...commonOf(record),
    phase: 'waiting',
    dueAtMs: nowMs,
    retryAtMs: nowMs,
    fingerprint: null,
    mayInterrupt: true,
    attemptStartedAtMs: record.attemptStartedAtMs,
    failureClass: judgement.failureClass,
    checks: 0,
  };
  return become(next, 'retry_scheduled', 'settle_timeout');
}

/** What callbacks have told of the attempt that failed: by it a later one, a person's, is told from it. */
function toldMarks({ attemptStartedAtMs, countIs }: RecordIn<'confirming'>): Fingerprint | null {
  // Where the record was lost, nothing tells a late callback of an earlier attempt from one of this.
  if (attemptStartedAtMs === null || countIs === 'lost') return null;
  return { queuedAtMs: null, startedAtMs: attemptStartedAtMs, endedAtMs: null };
}

function lookAgain(
  record: RecordIn<'confirming'>,
  reason: 'not_settled' | 'orchestrator_unavailable',
  retryAfterMs: number | null,
  rules: Rules,
  nowMs: number,
): Transition {
  const waitMs = nextLookMs(record.checks, rules.timing.sweepIntervalMs, retryAfterMs);
  const next = { ...record, checks: record.checks + 1, dueAtMs: nowMs + waitMs };
  return become(next, 'retry_scheduled', reason);
}
