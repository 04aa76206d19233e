import type { FailureClass } from '../policy.ts';
import type { PreviousAttempt, RecordIn, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import { withFailure } from './failures.ts';
import { commonOf, withHistory } from './fields.ts';
import { become, type Transition } from './result.ts';
import { giveUp, judgeRecord, refuse } from './steps.ts';
import { clearsShown, startWatching } from './watch.ts';

type Plan = Pick<RecordIn<'clearing'>, 'fingerprint' | 'wasFailed' | 'mode' | 'failureClass'>;

/** Spends the retry; whoever wins the swap sends the clear. */
export function startClear(record: RecordIn<'waiting'>, plan: Plan, rules: Rules, nowMs: number): Transition {
  const used = record.retriesUsedByClass;
  const spent = {
    ...record,
    retriesUsed: record.retriesUsed + 1,
    retriesUsedByClass: { ...used, [plan.failureClass]: (used[plan.failureClass] ?? 0) + 1 },
  };
  return sendClear(spent, { ...plan, failuresMeanwhile: [] }, rules, nowMs);
}

/**
 * Sends the clear of a retry that is spent already: the request before it is known not to have worked. It may be long
 * since then, so that the policy has its say once more.
 */
export function repeatClear(record: RecordIn<'clearing'>, rules: Rules, nowMs: number): Transition {
  const current = withFailuresMeanwhile(record, rules, nowMs);
  const judgement = judgeRecord(unspent(current), rules, nowMs);
  if (!judgement.retry) return refuse(current, judgement, record.fingerprint, rules, nowMs);
  const { fingerprint, wasFailed, failureClass, failuresMeanwhile, mode } = current;
  return sendClear(current, { fingerprint, wasFailed, failureClass, failuresMeanwhile, mode }, rules, nowMs);
}

/** No attempt has started, so that whatever was reported since belongs to the one that has failed. */
function withFailuresMeanwhile(record: RecordIn<'clearing'>, rules: Rules, nowMs: number): RecordIn<'clearing'> {
  let { failures } = record;
  for (const failure of record.failuresMeanwhile)
    failures = withFailure({ ...record, failures }, failure, rules, nowMs);
  return { ...record, failures, failuresMeanwhile: [] };
}

/** The record as it was judged when the retry was spent. */
function unspent(record: RecordIn<'clearing'>): RecordIn<'clearing'> {
  const { failureClass, retriesUsedByClass } = record;
  const less = (count: number) => Math.max(0, count - 1);
  const ofClass: Partial<Record<FailureClass, number>> = {
    [failureClass]: less(retriesUsedByClass[failureClass] ?? 0),
  };
  return {
    ...record,
    retriesUsed: less(record.retriesUsed),
    retriesUsedByClass: { ...retriesUsedByClass, ...ofClass },
  };
}

function sendClear(
  record: RunRecord,
  plan: Plan & Pick<RecordIn<'clearing'>, 'failuresMeanwhile'>,
  rules: Rules,
  nowMs: number,
): Transition {
  const { sendWindowMs, clearOutcomeMs } = rules.timing;
  const common = commonOf(record);
  const next: RecordIn<'clearing'> = {
    ...common,
    phase: 'clearing',
    clearsSent: common.clearsSent + 1,
    history: withHistory(common.history, {
      atMs: nowMs,
      type: 'clearing',
      attempt: record.attempt,
      reason: 'clear_due',
      detail: plan.mode,
    }),
    ...plan,
    dueAtMs: nowMs + sendWindowMs + clearOutcomeMs,
    sendByMs: nowMs + sendWindowMs,
    // Kept over repeats, so that a clear that is refused for now is tried less and less often.
    checks: record.phase === 'clearing' ? record.checks : 0,
  };
  return { ...become(next, 'retry_scheduled', 'clear_due'), command: 'send_clear' };
}

/** The new attempt is there. */
export function cleared(
  record: RecordIn<'clearing'>,
  reason: 'clear_accepted' | 'clear_confirmed_by_read',
  rules: Rules,
  nowMs: number,
): Transition {
  const previous = { fingerprint: record.fingerprint, wasFailed: record.wasFailed, mode: record.mode };
  const failures = record.failuresMeanwhile;
  return startWatching(record, { startedBy: 'dagain', previous, failures, reason }, rules, nowMs);
}

/**
 * The orchestrator accepted the clear and the run is as before. Clearing only failed tasks can match nothing (after a
 * Dag-run time-out they are skipped): then all tasks are to be cleared, on the same retry, which the next look decides
 * like any repeat: people may have had their say since. Anything else needs a person.
 */
export function hadNoEffect(record: RecordIn<'clearing'>, rules: Rules, nowMs: number): Transition {
  if (record.mode !== 'from_failure') return giveUp(record, 'clear_had_no_effect', record.fingerprint, rules, nowMs);
  const next = { ...record, mode: 'all_tasks', sendByMs: pastSendByMs(rules, nowMs), dueAtMs: nowMs } as const;
  return become(next, 'retry_scheduled', 'retrying_all_tasks');
}

/** The `sendByMs` of a swap under which nobody sends any more: no request is under way. */
export function pastSendByMs({ timing }: Rules, nowMs: number): number {
  return nowMs - timing.clearOutcomeMs;
}

/** The same, found only when the attempt that should have started was looked at. */
export function foundUnchanged(
  record: RecordIn<'confirming'> | RecordIn<'watching'>,
  previous: PreviousAttempt,
  failureClass: FailureClass,
  rules: Rules,
  nowMs: number,
): Transition {
  const clearing: RecordIn<'clearing'> = {
    ...commonOf(record),
    phase: 'clearing',
    attempt: Math.max(1, record.attempt - 1),
    // Nothing was cleared, so callbacks go on carrying the number they carried before.
    clearNumber: record.clearNumber === null ? null : Math.max(0, record.clearNumber - clearsShown(previous)),
    dueAtMs: nowMs,
    sendByMs: nowMs,
    mode: previous.mode ?? 'all_tasks',
    fingerprint: previous.fingerprint,
    wasFailed: previous.wasFailed,
    failureClass,
    failuresMeanwhile: [],
    checks: 0,
  };
  return hadNoEffect(clearing, rules, nowMs);
}
