import type { Operated } from '../event.ts';
import type { Decision, Reason } from '../reason.ts';
import type { Failure, RecordIn, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import { commonOf, MAX_EARLIER_FAILURE_IDS, withHistory } from './fields.ts';
import { become, type Transition, unchanged } from './result.ts';
import { entomb, giveUp, judgeRecord, TAKEN_UP } from './steps.ts';

/**
 * A person acts on the record. What cannot be done in its phase changes nothing: the decision is then `stale`, and the
 * reason says why.
 */
export function onOperated(record: RunRecord, event: Operated, rules: Rules, nowMs: number): Transition {
  const noted = { ...record, history: withHistory(record.history, noteOf(record, event, nowMs)) };
  switch (event.action) {
    case 'pause':
      return pause(record, noted, event, nowMs);
    case 'resume':
      if (record.held === null) return unchanged(record, decisionOf(record), 'not_held');
      return become({ ...noted, held: null }, decisionOf(record), 'resumed_by_operator');
    case 'cancel':
      return cancel(record, noted, rules, nowMs);
    case 'retry_now':
      return retryNow(record, noted, rules, nowMs);
    case 'grant':
      return grant(record, noted, event, rules, nowMs);
    case 'reset':
      return reset(record, noted, rules, nowMs);
  }
}

function decisionOf(record: RunRecord): Decision {
  return isGivenUp(record) ? 'giving_up' : 'retry_scheduled';
}

function isGivenUp({ phase }: RunRecord): boolean {
  return phase === 'giving_up' || phase === 'gave_up';
}

/**
 * The count begins anew with the next failure. Where we have cleared the run before, that is remembered for a while: in
 * the orchestrator's audit log those clears would look like a count that was lost.
 */
function reset(record: RunRecord, noted: RunRecord, rules: Rules, nowMs: number): Transition {
  // What is being sent may still start an attempt, which must find its record.
  if (isClearUnderWay(record, rules, nowMs)) return refused(record, 'clear_under_way');
  if (record.clearsSent === 0) return become(null, 'cleaned_up', 'reset_by_operator');
  const forgotten: RunRecord = {
    ...commonOf(noted),
    phase: 'giving_up',
    retriesUsed: 0,
    retriesUsedByClass: {},
    granted: 0,
    earlierCount: null,
    failures: [],
    held: null,
    outbox: [],
    told: [],
    dueAtMs: null,
    reason: 'reset_by_operator',
    gaveUpAtMs: nowMs,
    fingerprint: null,
    failuresMeanwhile: [],
  };
  return become(entomb(forgotten, rules, nowMs), 'cleaned_up', 'reset_by_operator');
}

function noteOf(record: RunRecord, { action, actor, comment, retries }: Operated, nowMs: number) {
  const who = action === 'grant' ? `by ${actor}, ${retries} more` : `by ${actor}`;
  const detail = comment === '' ? who : `${who}: ${comment}`;
  return { atMs: nowMs, type: 'operator', attempt: record.attempt, reason: action, detail: detail.slice(0, 300) };
}

function refused(record: RunRecord, reason: Reason): Transition {
  return unchanged(record, 'stale', reason);
}

/** Nothing is done for the run until it is resumed; alerts still go out. */
function pause(record: RunRecord, noted: RunRecord, { actor, comment }: Operated, nowMs: number): Transition {
  if (record.held !== null) return unchanged(record, 'held', 'held_by_operator');
  return become({ ...noted, held: { actor, comment, atMs: nowMs } }, 'held', 'held_by_operator');
}

/** Whether a request may still start an attempt; one that has come to nothing only waits to be sent again. */
function isClearUnderWay(record: RunRecord, { timing }: Rules, nowMs: number): boolean {
  return record.phase === 'clearing' && nowMs < record.sendByMs + timing.clearOutcomeMs;
}

/** No more retries. Whoever cancels knows, so that nobody is alerted. */
function cancel(record: RunRecord, noted: RunRecord, rules: Rules, nowMs: number): Transition {
  if (isClearUnderWay(record, rules, nowMs)) return refused(record, 'clear_under_way');
  if (isGivenUp(record)) return unchanged(record, 'giving_up', 'given_up');
  const silent: Rules = { ...rules, policy: { ...rules.policy, alertChannels: [] } };
  const fingerprint = record.phase === 'waiting' ? record.fingerprint : null;
  return giveUp({ ...noted, held: null }, 'cancelled_by_operator', fingerprint, silent, nowMs);
}

/** The delay is over now. The retry counts like any other. */
function retryNow(record: RunRecord, noted: RunRecord, rules: Rules, nowMs: number): Transition {
  if (rules.pause !== null) return refused(record, 'paused_by_operator');
  if (record.held !== null) return refused(record, 'held_by_operator');
  if (record.phase !== 'waiting' || noted.phase !== 'waiting') return refused(record, whyNoRetry(record));
  return become({ ...noted, retryAtMs: nowMs, dueAtMs: nowMs }, 'retry_scheduled', 'retry_now');
}

function whyNoRetry(record: RunRecord): Reason {
  switch (record.phase) {
    case 'confirming':
    case 'waiting':
      return 'not_settled';
    case 'clearing':
      return 'clear_under_way';
    case 'watching':
      return 'attempt_running';
    case 'giving_up':
    case 'gave_up':
      return 'given_up';
  }
}

/** More retries than the policy allows, up to its limit; a run that was given up is taken up again. */
function grant(record: RunRecord, noted: RunRecord, event: Operated, rules: Rules, nowMs: number): Transition {
  const { retries, askedAtMs = nowMs } = event;
  // More from now on, also where a lowered cap has left the run with more spent than it may.
  const short = Math.max(0, record.retriesUsed - rules.policy.maxRetries - record.granted);
  const granted = { ...noted, granted: record.granted + retries + short };
  if (record.retriesUsed >= rules.policy.maxRetriesLimit) return refused(record, 'limit_reached');
  if (!isGivenUp(record)) {
    const maxRetries = Math.min(record.maxRetries + retries, rules.policy.maxRetriesLimit);
    return become({ ...granted, maxRetries }, 'already_scheduled', 'granted_by_operator');
  }
  return become(takenUpAgain(granted, askedAtMs, rules, nowMs), 'retry_scheduled', 'granted_by_operator');
}

function takenUpAgain(record: RunRecord, askedAtMs: number, rules: Rules, nowMs: number): RecordIn<'confirming'> {
  const common = commonOf(record);
  const fingerprint = record.phase === 'giving_up' || record.phase === 'gave_up' ? record.fingerprint : null;
  const ids = [...common.earlierFailureIds, ...common.failures.map((failure) => failure.id)];
  const next: RecordIn<'confirming'> = {
    ...common,
    phase: 'confirming',
    held: null,
    // Where evidence was missing, the person's word stands for it; what the audit log shows is counted all the same.
    countIs: 'checked',
    earlierCount: null,
    // The person's word counts more than what the failures said; their late callbacks are still known.
    failures: [wanted(rules, askedAtMs)],
    earlierFailureIds: ids.slice(-MAX_EARLIER_FAILURE_IDS),
    // The time that retries may take begins anew, and another give-up is another alert.
    firstFailedAtMs: nowMs,
    sinceMs: nowMs,
    dueAtMs: nowMs,
    expectedRetryAtMs: null,
    attemptStartedAtMs: fingerprint?.startedAtMs ?? null,
    checks: 0,
    unavailableSinceMs: null,
  };
  return { ...next, maxRetries: judgeRecord(next, rules, nowMs).maxRetries };
}

function wanted({ policy }: Rules, askedAtMs: number): Failure {
  return {
    id: `${TAKEN_UP}${askedAtMs}`,
    taskId: null,
    mapIndex: null,
    tryNumber: null,
    operator: null,
    exceptionType: null,
    message: 'taken up again by an operator',
    failureClass: policy.retryOn[0] ?? 'task_error',
    failedAtMs: askedAtMs,
    logUrl: null,
    refused: false,
  };
}
