import type { AttemptEvidence, FailureReported } from '../event.ts';
import { isFinalRefusal, type Judgement } from '../judgement.ts';
import type { RecordIn, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import type { RunKey } from '../run-key.ts';
import { type CommonFields, commonOf, describeFailures, freshFields, MAX_FAILURES, withHistory } from './fields.ts';
import { become, type Transition, unchanged } from './result.ts';
import { giveUp, judgeRecord, nextRetryAtMs } from './steps.ts';

/** A failure of a run of which nothing is known yet. */
export function onFirstFailure(key: RunKey, event: FailureReported, rules: Rules, nowMs: number): Transition {
  return beginCount(freshFor(key, event, nowMs), event, rules, nowMs);
}

/** A failure of a run that has a record. Duplicates and callbacks of earlier attempts change nothing. */
export function onFailureReported(record: RunRecord, event: FailureReported, rules: Rules, nowMs: number): Transition {
  if (isOfEarlierAttempt(record, event)) return unchanged(record, 'stale', 'earlier_attempt');
  const isDuplicate = record.failures.some((failure) => failure.id === event.failure.id);
  switch (record.phase) {
    case 'confirming':
    case 'waiting':
      return isDuplicate ? answerPending(record, record, rules, nowMs) : addToPending(record, event, rules, nowMs);
    case 'clearing':
      return duringClear(record, event, isDuplicate);
    case 'watching':
      return isDuplicate
        ? unchanged(record, 'already_scheduled', 'same_attempt')
        : failedAgain(record, event, rules, nowMs);
    case 'giving_up':
    case 'gave_up':
      return afterGiveUp(record, event, rules, nowMs);
  }
}

/** Late callbacks show themselves by their id, by the run's start, or by its number of clears. */
export function isOfEarlierAttempt(record: RunRecord, event: FailureReported): boolean {
  const { startedAtMs, clearNumber } = event.evidence;
  if (record.earlierFailureIds.includes(event.failure.id)) return true;
  if (clearNumber !== null && record.clearNumber !== null && clearNumber < record.clearNumber) return true;
  const previousStartMs = record.previous?.wasFailed ? record.previous.fingerprint.startedAtMs : null;
  return startedAtMs !== null && previousStartMs !== null && startedAtMs <= previousStartMs;
}

function freshFor(key: RunKey, event: FailureReported, nowMs: number): CommonFields {
  const { runType, clearNumber } = event.evidence;
  return { ...freshFields(key, nowMs), runType, clearNumber, override: overrideOf(event) };
}

/** A copy: the record owns its values. */
function overrideOf(event: FailureReported): RunRecord['override'] {
  return event.override === null ? null : { ...event.override };
}

function beginCount(fields: CommonFields, event: FailureReported, rules: Rules, nowMs: number): Transition {
  const common = { ...fields, failures: [event.failure], history: withFailure(fields, event, nowMs) };
  const judgement = judgeRecord(common, rules, nowMs);
  const isRefused = !judgement.retry && !isFinalRefusal(judgement.reason);
  // A Dag may switch retries on in its tags: what they say is found out while the failure is confirmed.
  if (isRefused && rules.isProvisional) return toConfirming(common, judgement, null, event, nowMs);
  if (isRefused) return unchanged(null, 'not_retryable', judgement.reason);
  return confirm(common, judgement, event, rules, nowMs);
}

/** The attempt that we, or a person, started has failed as well. */
function failedAgain(record: RecordIn<'watching'>, event: FailureReported, rules: Rules, nowMs: number): Transition {
  const fields = commonOf(record);
  const common = {
    ...fields,
    failures: [event.failure],
    history: withFailure(fields, event, nowMs),
    ...learned(record, event),
  };
  return confirm(common, judgeRecord(common, rules, nowMs), event, rules, nowMs);
}

function confirm(
  common: CommonFields,
  judgement: Judgement,
  event: FailureReported,
  rules: Rules,
  nowMs: number,
): Transition {
  const { startedAtMs } = event.evidence;
  const retryAtMs = judgement.retry ? nextRetryAtMs(common, rules, event.failure.failedAtMs, nowMs) : null;
  const fields = { ...common, maxRetries: judgement.maxRetries, attemptStartedAtMs: startedAtMs };
  // Without knowing which attempt failed, a run that has not finished is not touched, whatever the gate says.
  if (retryAtMs !== null && rules.policy.gate === 'immediate' && startedAtMs !== null) {
    const next: RunRecord = {
      ...fields,
      phase: 'waiting',
      dueAtMs: retryAtMs,
      retryAtMs,
      fingerprint: null,
      mayInterrupt: true,
      failureClass: judgement.failureClass,
      checks: 0,
    };
    return answer(become(next, 'retry_scheduled', 'failure_reported'), judgement);
  }
  return answer(toConfirming(common, judgement, retryAtMs, event, nowMs), judgement);
}

function toConfirming(
  common: CommonFields,
  judgement: Judgement,
  expectedRetryAtMs: number | null,
  event: FailureReported,
  nowMs: number,
): Transition {
  const next: RunRecord = {
    ...common,
    maxRetries: judgement.maxRetries,
    attemptStartedAtMs: event.evidence.startedAtMs,
    phase: 'confirming',
    sinceMs: nowMs,
    dueAtMs: nowMs,
    expectedRetryAtMs,
    checks: 0,
    unavailableSinceMs: null,
  };
  return become(next, 'retry_scheduled', judgement.retry ? 'failure_reported' : 'tags_not_known');
}

/** What the caller is told: the decision that follows once the run has really failed. */
function answer(transition: Transition, judgement: Judgement): Transition {
  if (judgement.retry) return transition;
  const decision = judgement.reason === 'never_on' ? 'not_retryable' : 'giving_up';
  return { ...transition, decision, reason: judgement.reason };
}

type PendingRecord = RecordIn<'confirming'> | RecordIn<'waiting'>;

function addToPending(record: PendingRecord, event: FailureReported, rules: Rules, nowMs: number): Transition {
  const next = {
    ...record,
    failures: [...record.failures, event.failure].slice(0, MAX_FAILURES),
    history: withFailure(record, event, nowMs),
    override: record.override ?? overrideOf(event),
    ...learned(record, event),
  };
  return answerPending(record, next, rules, nowMs);
}

/** Another task of the attempt may forbid what the first one started. */
function answerPending(record: PendingRecord, next: PendingRecord, rules: Rules, nowMs: number): Transition {
  const judgement = judgeRecord(next, rules, nowMs);
  if (!judgement.retry && next.phase === 'waiting' && next.fingerprint !== null) {
    return answer(giveUp(next, judgement.reason, next.fingerprint, rules, nowMs), judgement);
  }
  const isHeld = record.held !== null;
  const base =
    next === record
      ? unchanged(record, 'already_scheduled', 'same_attempt')
      : become(next, 'already_scheduled', 'same_attempt');
  return answer(isHeld ? { ...base, decision: 'held', reason: 'held_by_operator' } : base, judgement);
}

/** It may belong to the attempt that the clear under way starts: kept, and looked into when the clear has an answer. */
function duringClear(record: RecordIn<'clearing'>, event: FailureReported, isDuplicate: boolean): Transition {
  const isKnown = isDuplicate || record.failuresMeanwhile.some((failure) => failure.id === event.failure.id);
  if (isKnown || record.failuresMeanwhile.length >= MAX_FAILURES) {
    return unchanged(record, 'already_scheduled', 'same_attempt');
  }
  const failuresMeanwhile = [...record.failuresMeanwhile, event.failure];
  return become({ ...record, failuresMeanwhile }, 'already_scheduled', 'same_attempt');
}

/** Only a person can have restarted a given-up run; where the callback does not show it, the orchestrator is asked. */
function afterGiveUp(
  record: RecordIn<'giving_up'> | RecordIn<'gave_up'>,
  event: FailureReported,
  rules: Rules,
  nowMs: number,
): Transition {
  const isNew = isOfLaterAttempt(record, event.evidence);
  if (isNew === true) {
    const fresh = freshFor(record, event, nowMs);
    const { outbox, history, attempt, earlierFailureIds, clearsSent } = record;
    const fields = { ...fresh, outbox, history, earlierFailureIds, clearsSent, attempt: attempt + 1 };
    const begun = beginCount(fields, event, rules, nowMs);
    // A run that is off by policy now keeps its tombstone rather than coming back without one.
    return begun.next === null ? unchanged(record, 'not_retryable', begun.reason) : begun;
  }
  if (isNew === false) return unchanged(record, 'giving_up', 'given_up');
  return become({ ...record, dueAtMs: nowMs }, 'giving_up', 'given_up');
}

/** Null where the callback does not tell. */
function isOfLaterAttempt(
  record: RecordIn<'giving_up'> | RecordIn<'gave_up'>,
  evidence: AttemptEvidence,
): boolean | null {
  const knownStartMs = record.fingerprint?.startedAtMs ?? null;
  if (evidence.startedAtMs !== null && knownStartMs !== null) return evidence.startedAtMs > knownStartMs;
  if (evidence.clearNumber !== null && record.clearNumber !== null) return evidence.clearNumber > record.clearNumber;
  return null;
}

function learned(record: RunRecord, event: FailureReported): Pick<RunRecord, 'clearNumber' | 'runType'> {
  const { clearNumber, runType } = event.evidence;
  return {
    clearNumber: clearNumber === null ? record.clearNumber : Math.max(clearNumber, record.clearNumber ?? 0),
    runType: runType ?? record.runType,
  };
}

function withFailure(fields: Pick<CommonFields, 'history' | 'attempt'>, event: FailureReported, nowMs: number) {
  return withHistory(fields.history, {
    atMs: nowMs,
    type: 'failure_reported',
    attempt: fields.attempt,
    reason: 'failure_reported',
    detail: describeFailures([event.failure]),
  });
}
