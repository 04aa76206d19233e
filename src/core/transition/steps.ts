import { retryDueAtMs } from '../backoff.ts';
import type { SeenRun } from '../event.ts';
import type { Evidence, Stop } from '../evidence.ts';
import { type Judgement, judge } from '../judgement.ts';
import type { Reason } from '../reason.ts';
import type { Fingerprint, RecordIn, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import { type CommonFields, commonOf, describeFailures, MAX_DETAIL_LENGTH, withHistory } from './fields.ts';
import { pendingAlerts } from './outbox.ts';
import { nextRecoveryLookMs } from './recovery.ts';
import { become, type Transition } from './result.ts';

/** How the id of the failure begins that stands for an operator's wish to retry. */
export const TAKEN_UP = 'granted:';

/** The policy's word on the record as it stands. */
export function judgeRecord(record: CommonFields, rules: Rules, nowMs: number): Judgement {
  return judge(rules.policy, record, nowMs);
}

/** When the next retry would be due after a failure that ended at `endedAtMs`. */
export function nextRetryAtMs(record: CommonFields, rules: Rules, endedAtMs: number, nowMs: number): number {
  return retryDueAtMs(rules.policy, record, record.retriesUsed + 1, endedAtMs, nowMs);
}

/** The run has been seen failed: the retry is scheduled, or the run is given up. */
export function settle(record: RunRecord, fingerprint: Fingerprint, rules: Rules, nowMs: number): Transition {
  const common = commonOf(record);
  const judgement = judgeRecord(common, rules, nowMs);
  if (!judgement.retry) return refuse(record, judgement, fingerprint, rules, nowMs);
  const retryAtMs = nextRetryAtMs(common, rules, fingerprint.endedAtMs ?? nowMs, nowMs);
  if (retryAtMs > record.firstFailedAtMs + rules.policy.maxDurationMs) {
    return giveUp(record, 'max_duration_reached', fingerprint, rules, nowMs);
  }
  const next: RunRecord = {
    ...common,
    phase: 'waiting',
    maxRetries: judgement.maxRetries,
    outbox: [...common.outbox, ...pendingAlerts('attempt_failed', record, 'settled', rules.policy, nowMs)],
    history: withHistory(common.history, {
      atMs: nowMs,
      type: 'failed',
      attempt: record.attempt,
      reason: 'settled',
      detail: describeFailures(common.failures),
    }),
    dueAtMs: retryAtMs,
    retryAtMs,
    fingerprint,
    mayInterrupt: false,
    attemptStartedAtMs: record.phase === 'confirming' ? record.attemptStartedAtMs : null,
    failureClass: judgement.failureClass,
    checks: 0,
  };
  return become(next, 'retry_scheduled', 'settled');
}

/** Ends a run that the policy does not retry: quietly where it never was ours, with an alert where it was. */
export function refuse(
  record: RunRecord,
  judgement: Extract<Judgement, { retry: false }>,
  fingerprint: Fingerprint | null,
  rules: Rules,
  nowMs: number,
  detail?: string,
): Transition {
  const { reason, maxRetries } = judgement;
  const isUntold = record.outbox.length === 0 && record.told.length === 0;
  const neverOurs = record.retriesUsed === 0 && isUntold;
  const isQuiet = neverOurs && reason !== 'never_on' && reason !== 'max_duration_reached';
  // Without a tombstone the next delivery of a failure that alone is retried would start what the others forbid.
  if (isQuiet && !wouldRetryAny(record, rules, nowMs)) return become(null, 'not_retryable', reason);
  return giveUp({ ...record, maxRetries }, reason, fingerprint, rules, nowMs, detail);
}

function wouldRetryAny(record: RunRecord, rules: Rules, nowMs: number): boolean {
  return record.failures.some((failure) => judgeRecord({ ...record, failures: [failure] }, rules, nowMs).retry);
}

/** No more retries: alerts go out, then the tombstone stays. */
export function giveUp(
  record: RunRecord,
  reason: Reason,
  fingerprint: Fingerprint | null,
  rules: Rules,
  nowMs: number,
  detail?: string,
): Transition {
  const common = commonOf(record);
  const outbox = [...common.outbox, ...pendingAlerts('gave_up', record, reason, rules.policy, nowMs)];
  const history = withHistory(common.history, {
    atMs: nowMs,
    type: 'gave_up',
    attempt: record.attempt,
    reason,
    ...(detail === undefined ? {} : { detail: detail.slice(0, MAX_DETAIL_LENGTH) }),
  });
  const givingUp: RunRecord = {
    ...common,
    phase: 'giving_up',
    outbox,
    history,
    dueAtMs: null,
    reason,
    gaveUpAtMs: nowMs,
    fingerprint,
    failuresMeanwhile: [],
  };
  return become(outbox.length > 0 ? givingUp : entomb(givingUp, rules, nowMs), 'giving_up', reason);
}

/** Who has ended this attempt by hand; null also where an operator has taken the run up again since. */
export function stopOf(record: RunRecord, { stop }: Evidence, { queuedAtMs, startedAtMs }: Fingerprint): Stop | null {
  const takenUpAtMs = record.failures.find(({ id }) => id.startsWith(TAKEN_UP))?.failedAtMs ?? Number.NEGATIVE_INFINITY;
  if (stop === undefined || stop.atMs <= takenUpAtMs) return null;
  const beganAtMs = queuedAtMs ?? startedAtMs;
  return stop.isCleared && (beganAtMs === null || stop.atMs <= beganAtMs) ? null : stop;
}

/**
 * A person has ended this attempt; the tasks that were stopped by it may well have reported a failure of their own.
 * Whoever did it knows, so that only those are told who have been told of the failure.
 */
export function stopped(record: RunRecord, seen: SeenRun, { by }: Stop, rules: Rules, nowMs: number): Transition {
  const isUntold = record.outbox.length === 0 && record.told.length === 0;
  const heard: Rules = isUntold ? { ...rules, policy: { ...rules.policy, alertChannels: [] } } : rules;
  return giveUp(record, 'stopped_by_person', seen.fingerprint, heard, nowMs, `${by} set it to failed`);
}

/** All alerts are out: what is left only keeps late callbacks from starting anything. */
export function entomb(record: RecordIn<'giving_up'>, rules: Rules, nowMs: number): RunRecord {
  const expiresAtMs = nowMs + rules.timing.tombstoneMs;
  // Somebody may have given a reason to look at the run meanwhile.
  const lookAtMs = record.dueAtMs ?? nextRecoveryLookMs(record, rules.timing, nowMs) ?? expiresAtMs;
  return { ...record, phase: 'gave_up', dueAtMs: Math.min(lookAtMs, expiresAtMs), expiresAtMs };
}

/** How long to wait before asking again: 1 s, doubling, at most `maxMs`; never less than what was asked for. */
export function nextLookMs(checks: number, maxMs: number, retryAfterMs: number | null = null): number {
  const backoffMs = Math.min(1_000 * 2 ** Math.min(checks, 20), maxMs);
  return Math.max(backoffMs, Math.min(retryAfterMs ?? 0, 15 * 60_000));
}
