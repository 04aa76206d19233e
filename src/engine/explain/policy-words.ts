import { formatDurationMs } from '../../core/duration.ts';
import type { FailureClass } from '../../core/policy.ts';
import type { Refusal } from '../../core/reason.ts';
import type { Failure } from '../../core/record.ts';
import type { PolicyKey } from '../../core/resolve-policy.ts';
import type { ExplainedPolicy } from '../policy-source.ts';
import { count, utc } from './words.ts';

/** What a refusal is about. */
export interface Refused {
  readonly reason: Refusal;
  readonly failureClass: FailureClass;
  readonly failures: readonly Failure[];
  readonly retriesUsed: number;
  readonly granted: number;
  readonly firstFailedAtMs: number;
}

/** The cap for this class of failures, where it comes from, and how much of it is used: one sentence. */
export function capWords(explained: ExplainedPolicy, failureClass: FailureClass | null, used: number): string {
  const { policy } = explained;
  const own = failureClass === null ? undefined : policy.maxRetriesByClass[failureClass];
  const allows =
    own === undefined
      ? `The policy allows ${count(policy.maxRetries, 'retry', 'retries')} (${from(explained, 'max_retries')})`
      : `The policy allows ${count(own, 'retry', 'retries')} for the class ${failureClass} (${from(explained, 'max_retries_by_class')})`;
  return `${allows}; ${used === 0 ? 'none is' : used === 1 ? '1 is' : `${used} are`} used.`;
}

/** Why the policy does not retry: one sentence with the value that decides, and where it comes from. */
export function refusalWords(explained: ExplainedPolicy, refused: Refused): string {
  const { policy } = explained;
  const source = (key: PolicyKey) => from(explained, key);
  switch (refused.reason) {
    case 'retries_off':
      return `The policy allows no retries: max_retries is 0 (${source('max_retries')}).`;
    case 'manual_run':
      return `The run was triggered by hand, and manual_runs is ignore (${source('manual_runs')}).`;
    case 'task_not_selected':
      return `No failed task (${tasksOf(refused)}) is in only_tasks ${list(policy.onlyTasks)} (${source('only_tasks')}).`;
    case 'task_ignored':
      return `The failed task (${tasksOf(refused)}) is in ignore_tasks ${list(policy.ignoreTasks)} (${source('ignore_tasks')}).`;
    case 'operator_ignored':
      return `The failed task's operator is in ignore_operators ${list(policy.ignoreOperators)} (${source('ignore_operators')}).`;
    case 'class_not_retried':
      return `The failure's class ${refused.failureClass} is not in retry_on ${list(policy.retryOn)} (${source('retry_on')}).`;
    case 'never_on':
      return `The failing code refuses another attempt: its exception (${exceptionsOf(refused)}) is DoNotRetryDagRun, or is in never_on ${list(policy.neverOn)} (${source('never_on')}).`;
    case 'max_retries_reached':
      return usedUpWords(explained, refused);
    case 'max_duration_reached':
      return `Retries may take ${formatDurationMs(policy.maxDurationMs)} (max_duration, ${source('max_duration')}) from the first failure at ${utc(refused.firstFailedAtMs)}.`;
  }
}

function usedUpWords(explained: ExplainedPolicy, { failureClass, retriesUsed, granted }: Refused): string {
  const { policy } = explained;
  if (retriesUsed >= policy.maxRetriesLimit) {
    return `No run gets more than ${count(policy.maxRetriesLimit, 'retry', 'retries')} (limits); ${retriesUsed} are used.`;
  }
  const words = capWords(explained, failureClass, retriesUsed);
  return granted === 0 ? words : `${words.slice(0, -1)}, ${granted} of them granted by a person.`;
}

/** Where a value comes from, as a person would look for it. */
export function from({ origins }: ExplainedPolicy, key: PolicyKey): string {
  return origins[key].replace(/ \((.*)\)$/, ' "$1"');
}

/** What is odd about the policy, if anything: one sentence each. */
export function policyTrouble(explained: ExplainedPolicy): string[] {
  const trouble = explained.tagProblems.map(
    ({ tag, message }) => `The Dag tag "${tag}" is not understood: ${message}.`,
  );
  if (!explained.tagsKnown)
    trouble.push("The Dag's tags could not be read from Airflow: the policy is shown without them.");
  return trouble;
}

function list(values: readonly string[] | null): string {
  return `[${(values ?? []).join(', ')}]`;
}

function tasksOf({ failures }: Refused): string {
  const tasks = [...new Set(failures.flatMap(({ taskId }) => (taskId === null ? [] : [taskId])))];
  const shown = tasks.slice(0, 3).join(', ');
  return tasks.length > 3 ? `${shown} and ${tasks.length - 3} more` : shown || 'not known';
}

function exceptionsOf({ failures }: Refused): string {
  return (
    [...new Set(failures.flatMap(({ exceptionType }) => exceptionType ?? []))].slice(0, 3).join(', ') || 'not known'
  );
}
