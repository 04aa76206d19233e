import { matchesAnyGlob } from './glob.ts';
import type { FailureClass, RetryPolicy } from './policy.ts';
import type { Reason, Refusal } from './reason.ts';
import type { Failure, RunRecord } from './record.ts';

/** What is known of a run when it is decided whether to retry it. */
export interface RunFacts {
  readonly failures: readonly Failure[];
  readonly retriesUsed: number;
  /** What an operator allowed on top of the cap. */
  readonly granted: number;
  readonly retriesUsedByClass: Readonly<Partial<Record<FailureClass, number>>>;
  readonly runType: string | null;
  readonly firstFailedAtMs: number;
}

/** Whether a run is retried. `maxRetries` is the cap that `retriesUsed` can reach with failures of this class. */
export type Judgement =
  | { readonly retry: true; readonly failureClass: FailureClass; readonly maxRetries: number }
  | {
      readonly retry: false;
      readonly reason: Refusal;
      readonly failureClass: FailureClass;
      readonly maxRetries: number;
    };

// A mixed attempt counts as what is most likely to happen again.
const CLASS_WEIGHT: readonly FailureClass[] = ['task_error', 'timeout', 'deadlock', 'infra'];

/** Decides under `policy` whether a run with these failures is retried. Pure. */
export function judge(policy: RetryPolicy, facts: RunFacts, nowMs: number): Judgement {
  const telling = tellingFailures(facts.failures);
  const selected = telling.filter((failure) => isSelected(policy, failure));
  const failureClass = dominantClass(selected.length > 0 ? selected : telling);
  const maxRetries = capFor(policy, facts, failureClass);
  const reason = refusal(policy, facts, selected, failureClass, maxRetries, nowMs);
  return reason === null
    ? { retry: true, failureClass, maxRetries }
    : { retry: false, reason, failureClass, maxRetries };
}

function refusal(
  policy: RetryPolicy,
  facts: RunFacts,
  selected: readonly Failure[],
  failureClass: FailureClass,
  maxRetries: number,
  nowMs: number,
): Refusal | null {
  if (isOff(policy) && facts.granted === 0) return 'retries_off';
  if (policy.manualRuns === 'ignore' && facts.runType === 'manual') return 'manual_run';
  if (facts.failures.some((failure) => isNeverRetried(policy, failure))) return 'never_on';
  const [first] = tellingFailures(facts.failures);
  if (selected.length === 0 && first !== undefined) return taskRefusal(policy, first);
  if (!policy.retryOn.includes(failureClass)) return 'class_not_retried';
  if (facts.retriesUsed >= maxRetries) return 'max_retries_reached';
  if (nowMs > facts.firstFailedAtMs + policy.maxDurationMs) return 'max_duration_reached';
  return null;
}

/** Whether a refusal ends the run's retries for good and needs a tombstone, or concerns only what was reported. */
export function isFinalRefusal(reason: Reason): boolean {
  return reason === 'never_on' || reason === 'max_retries_reached' || reason === 'max_duration_reached';
}

/** "The run has failed because a task has" says nothing beside what is known of its tasks. */
function tellingFailures(failures: readonly Failure[]): readonly Failure[] {
  const telling = failures.filter(
    ({ taskId, failureClass, exceptionType }) =>
      taskId !== null || failureClass !== 'task_error' || exceptionType !== null,
  );
  return telling.length > 0 ? telling : failures;
}

function isOff(policy: RetryPolicy): boolean {
  return policy.maxRetries === 0 && Object.values(policy.maxRetriesByClass).every((cap) => cap === 0);
}

/** Whether the policy's task filters leave this failure in; one of the run as a whole is never filtered by its task. */
export function isSelected(policy: RetryPolicy, failure: Pick<Failure, 'taskId' | 'operator'>): boolean {
  return taskRefusal(policy, failure) === null;
}

/** Why this failure alone starts nothing, or null. A failure of the run as a whole is never filtered by its task. */
function taskRefusal(policy: RetryPolicy, failure: Pick<Failure, 'taskId' | 'operator'>): Refusal | null {
  if (failure.operator !== null && matchesAnyGlob(policy.ignoreOperators, failure.operator)) return 'operator_ignored';
  if (failure.taskId === null) return null;
  if (matchesAnyGlob(policy.ignoreTasks, failure.taskId)) return 'task_ignored';
  if (policy.onlyTasks !== null && !matchesAnyGlob(policy.onlyTasks, failure.taskId)) return 'task_not_selected';
  return null;
}

function isNeverRetried(policy: RetryPolicy, failure: Failure): boolean {
  return failure.refused || (failure.exceptionType !== null && isNamed(policy.neverOn, failure.exceptionType));
}

/** What task code raises to refuse another attempt, whatever the policy says. */
const REFUSAL_TYPE = 'DoNotRetryDagRun';

/** Whether the failing code refuses another attempt: by what it raised, or by a `never_on` of its own that matches. */
export function refusesRetry(exceptionType: string | null, neverOn: readonly string[]): boolean {
  return isNamed([REFUSAL_TYPE, ...neverOn], exceptionType ?? '');
}

/** An exception matches by its dotted name, by the last part of it, or by a glob over either. */
function isNamed(globs: readonly string[], type: string): boolean {
  const lastPart = type.slice(type.lastIndexOf('.') + 1);
  return matchesAnyGlob(globs, type) || matchesAnyGlob(globs, lastPart);
}

/** The class of the failure that a record is about; null while none is known, as of an attempt that runs. Pure. */
export function failureClassOf(record: RunRecord): FailureClass | null {
  if (record.phase === 'waiting' || record.phase === 'clearing') return record.failureClass;
  return record.failures.length === 0 ? null : dominantClass(tellingFailures(record.failures));
}

function dominantClass(failures: readonly Failure[]): FailureClass {
  return CLASS_WEIGHT.find((one) => failures.some((failure) => failure.failureClass === one)) ?? 'task_error';
}

/** A class with a cap of its own spends its own budget; all others share `maxRetries`. */
function capFor(policy: RetryPolicy, facts: RunFacts, failureClass: FailureClass): number {
  const ownCap = policy.maxRetriesByClass[failureClass];
  const used =
    ownCap === undefined
      ? usedFromSharedBudget(policy, facts)
      : (facts.retriesUsedByClass[failureClass] ?? 0) + usedForUnknownClass(facts);
  const remaining = Math.max(0, (ownCap ?? policy.maxRetries) + facts.granted - used);
  return Math.min(policy.maxRetriesLimit, facts.retriesUsed + remaining);
}

/** Retries of which only their number is known, after their record was lost: they count against every budget. */
function usedForUnknownClass(facts: RunFacts): number {
  const known = Object.values(facts.retriesUsedByClass).reduce((sum, used) => sum + used, 0);
  return Math.max(0, facts.retriesUsed - known);
}

function usedFromSharedBudget(policy: RetryPolicy, facts: RunFacts): number {
  const usedElsewhere = CLASS_WEIGHT.filter((one) => policy.maxRetriesByClass[one] !== undefined).map(
    (one) => facts.retriesUsedByClass[one] ?? 0,
  );
  return facts.retriesUsed - usedElsewhere.reduce((sum, used) => sum + used, 0);
}
