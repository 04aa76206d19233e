import type { FailureReported } from '../event.ts';
import { CLOCK_SLACK_MS } from '../evidence.ts';
import type { PreviousAttempt, RecordIn } from '../record.ts';
import type { Rules } from '../rules.ts';
import { beginCount, learned, overrideOf } from './count.ts';
import { isKnown, withFailure } from './failures.ts';
import { type CommonFields, countOf, earlierCountOf, freshFields, MAX_EARLIER_FAILURE_IDS } from './fields.ts';
import { become, type Transition, unchanged } from './result.ts';
import { isOfLaterAttempt, namesAttempt } from './which-attempt.ts';

type GivenUp = RecordIn<'giving_up'> | RecordIn<'gave_up'>;

/** Only a person can have restarted a given-up run; where the callback does not show it, the orchestrator is asked. */
export function afterGiveUp(record: GivenUp, event: FailureReported, rules: Rules, nowMs: number): Transition {
  // A person has had it counted anew.
  const isForgotten = record.reason === 'reset_by_operator';
  const isLater = isForgotten || isOfLaterAttempt(record, event.evidence);
  if (isLater === true) {
    const begun = beginCount(newCount(record, event, rules, nowMs), event, rules, nowMs);
    // A run that is off by policy now keeps its tombstone rather than coming back without one.
    return begun.next === null ? unchanged(record, 'not_retryable', begun.reason) : begun;
  }
  // A failure that is known already says nothing new either.
  if (isLater === false || isRepeated(record, event)) return unchanged(record, 'giving_up', 'given_up');
  // What it says is kept: should a person have restarted the run, it may forbid the next retry.
  const meanwhile = { ...record, failures: record.failuresMeanwhile };
  const isNews = !isKnown(meanwhile, event.failure);
  const failuresMeanwhile = isNews ? withFailure(meanwhile, event.failure, rules, nowMs) : meanwhile.failures;
  return become({ ...record, failuresMeanwhile, dueAtMs: nowMs }, 'giving_up', 'given_up');
}

function isRepeated(record: GivenUp, event: FailureReported): boolean {
  return namesAttempt(event) && record.failures.some((failure) => failure.id === event.failure.id);
}

/**
 * Whether the attempt was there when a person had the run counted anew, so that nothing of the new count can be missing.
 * One that began later may have been started by a retry of ours that the store has forgotten.
 */
function isCounted({ reason, gaveUpAtMs }: GivenUp, { evidence: { startedAtMs } }: FailureReported): boolean {
  return reason === 'reset_by_operator' && (startedAtMs === null || startedAtMs <= gaveUpAtMs + CLOCK_SLACK_MS);
}

/** Counts anew, but still knows what was before: late callbacks of the attempt that was given up, unsent alerts, and who was told. */
function newCount(record: GivenUp, event: FailureReported, rules: Rules, nowMs: number): CommonFields {
  const { outbox, told, history, clearsSent, logOffset, countIs, held, fingerprint } = record;
  const ids = [...record.earlierFailureIds, ...record.failures.map((failure) => failure.id)];
  const isForgotten = record.reason === 'reset_by_operator';
  // Shadow mode: what somebody else has restarted is the retry that we would have made.
  const isRehearsed = rules.isShadow && record.reason === 'would_have_retried';
  const previous: PreviousAttempt | null = fingerprint === null ? null : { fingerprint, wasFailed: true, mode: null };
  return {
    ...freshFields(record, nowMs),
    outbox,
    told,
    history,
    clearsSent,
    logOffset,
    countIs,
    earlierCount: isCounted(record, event) || isRehearsed ? null : earlierCountOf(record),
    ...(isRehearsed ? countOf(record) : {}),
    held,
    previous,
    attempt: isForgotten ? record.attempt : record.attempt + 1,
    earlierFailureIds: ids.slice(-MAX_EARLIER_FAILURE_IDS),
    override: overrideOf(event) ?? record.override,
    ...learned(record, event),
  };
}
