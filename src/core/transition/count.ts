import type { FailureReported } from '../event.ts';
import { isFinalRefusal, type Judgement } from '../judgement.ts';
import type { Reason } from '../reason.ts';
import type { RecordIn, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import type { RunKey } from '../run-key.ts';
import { withFailure } from './failures.ts';
import { type CommonFields, commonOf, describeFailures, freshFields, withHistory } from './fields.ts';
import { become, type Transition, tellHeld, unchanged } from './result.ts';
import { judgeRecord, nextRetryAtMs } from './steps.ts';

/** A failure of a run of which nothing is known yet. */
export function onFirstFailure(key: RunKey, event: FailureReported, rules: Rules, nowMs: number): Transition {
  const { runType, clearNumber } = event.evidence;
  const fields = { ...freshFields(key, nowMs), runType, clearNumber, override: overrideOf(event) };
  return beginCount(fields, event, rules, nowMs);
}

/** A copy: the record owns its values. */
export function overrideOf(event: FailureReported): RunRecord['override'] {
  return event.override === null ? null : { ...event.override };
}

/** Starts counting with this failure, or says why not; `next` is null then. */
export function beginCount(fields: CommonFields, event: FailureReported, rules: Rules, nowMs: number): Transition {
  const common = { ...fields, failures: [event.failure], history: historyWith(fields, event, nowMs) };
  const judgement = judgeRecord(common, rules, nowMs);
  const isRefused = !judgement.retry && !isFinalRefusal(judgement.reason);
  // A Dag may switch retries on in its tags: what they say is found out while the failure is confirmed.
  if (isRefused && rules.isProvisional) return toConfirming(common, judgement, null, event, rules, nowMs);
  if (isRefused) return unchanged(null, 'not_retryable', judgement.reason);
  return confirm(common, judgement, event, rules, nowMs);
}

/** The attempt that we, or a person, started has failed as well. */
export function failedAgain(
  record: RecordIn<'watching'>,
  event: FailureReported,
  rules: Rules,
  nowMs: number,
): Transition {
  const fields = commonOf(record);
  const common = {
    ...fields,
    // What arrived while the clear was under way may be of this attempt, and may forbid its retry.
    failures: withFailure(fields, event.failure, rules, nowMs),
    history: historyWith(fields, event, nowMs),
    override: overrideOf(event) ?? fields.override,
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
    return answer(become(next, 'retry_scheduled', reasonFor(judgement, rules)), judgement);
  }
  return answer(toConfirming(common, judgement, retryAtMs, event, rules, nowMs), judgement);
}

function toConfirming(
  common: CommonFields,
  judgement: Judgement,
  expectedRetryAtMs: number | null,
  event: FailureReported,
  rules: Rules,
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
  return become(next, 'retry_scheduled', reasonFor(judgement, rules));
}

function reasonFor(judgement: Judgement, rules: Rules): Reason {
  if (!judgement.retry) return 'tags_not_known';
  return rules.isOverrideClamped ? 'override_clamped' : 'failure_reported';
}

/** What the caller is told: the decision that follows once the run has really failed. */
export function answer(transition: Transition, judgement: Judgement): Transition {
  if (judgement.retry) return tellHeld(transition);
  const decision = judgement.reason === 'never_on' ? 'not_retryable' : 'giving_up';
  return { ...transition, decision, reason: judgement.reason };
}

export function learned(record: RunRecord, event: FailureReported): Pick<RunRecord, 'clearNumber' | 'runType'> {
  const { clearNumber, runType } = event.evidence;
  return {
    clearNumber: clearNumber === null ? record.clearNumber : Math.max(clearNumber, record.clearNumber ?? 0),
    runType: runType ?? record.runType,
  };
}

export function historyWith(fields: Pick<CommonFields, 'history' | 'attempt'>, event: FailureReported, nowMs: number) {
  return withHistory(fields.history, {
    atMs: nowMs,
    type: 'failure_reported',
    attempt: fields.attempt,
    reason: 'failure_reported',
    detail: describeFailures([event.failure]),
  });
}
