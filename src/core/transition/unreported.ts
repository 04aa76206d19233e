import type { SeenRun, SeenTask } from '../event.ts';
import { isSelected } from '../judgement.ts';
import type { FailureClass } from '../policy.ts';
import type { Failure, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import { MAX_FAILURES } from './fields.ts';

/** The failures of the attempt after those of `record` that no callback told of. */
export function unreported(
  record: Pick<RunRecord, 'earlierFailureIds'>,
  seen: SeenRun,
  tasks: readonly SeenTask[],
  rules: Rules,
  nowMs: number,
): Failure[] {
  const failedAtMs = seen.fingerprint.endedAtMs ?? nowMs;
  const about = { message: 'failed without a callback', failureClass: classOfSilence(record), failedAtMs } as const;
  if (tasks.length > 0)
    return decidingFirst(
      tasks.map((task) => failureOf(task, about)),
      rules,
    ).slice(0, MAX_FAILURES);
  const id = `unreported:${seen.fingerprint.startedAtMs ?? seen.fingerprint.queuedAtMs ?? failedAtMs}`;
  return [{ ...UNKNOWN, ...about, id }];
}

/**
 * A callback that does not come means most often that the worker was killed; but where the run was found by searching,
 * and none has ever come, its Dag has no callbacks.
 */
function classOfSilence({ earlierFailureIds }: Pick<RunRecord, 'earlierFailureIds'>): FailureClass {
  const some = (prefix: string) => earlierFailureIds.some((id) => id.startsWith(prefix));
  return some('found:') && !some('ti:') && !some('run:') ? 'task_error' : 'infra';
}

/** Adds the tasks that have failed to what is known of the run's failure as a whole. */
export function withSeenTasks<R extends RunRecord>(
  record: R,
  tasks: readonly SeenTask[],
  rules: Rules,
  nowMs: number,
): R {
  if (tasks.length === 0) return record;
  const isKnown = ({ taskId, mapIndex }: SeenTask) =>
    record.failures.some((failure) => failure.taskId === taskId && (failure.mapIndex ?? -1) === mapIndex);
  // The run's own failure tells why, the tasks only which: they take over its class.
  const [first] = record.failures;
  const about = {
    message: first?.message ?? null,
    failureClass: first?.failureClass ?? 'task_error',
    failedAtMs: first?.failedAtMs ?? nowMs,
  };
  const more = tasks.filter((task) => !isKnown(task)).map((task) => failureOf(task, about));
  return { ...record, failures: decidingFirst([...record.failures, ...more], rules).slice(0, MAX_FAILURES) };
}

/** Of more failures than are kept, those that the policy's filters leave in decide. */
function decidingFirst(failures: readonly Failure[], { policy }: Rules): Failure[] {
  if (failures.length <= MAX_FAILURES) return [...failures];
  const isDeciding = (failure: Failure) => isSelected(policy, failure);
  return [...failures.filter(isDeciding), ...failures.filter((failure) => !isDeciding(failure))];
}

const UNKNOWN = {
  taskId: null,
  mapIndex: null,
  tryNumber: null,
  operator: null,
  exceptionType: null,
  logUrl: null,
  refused: false,
} as const;

function failureOf(task: SeenTask, about: Pick<Failure, 'message' | 'failureClass' | 'failedAtMs'>): Failure {
  const { taskId, mapIndex, tryNumber, operator } = task;
  // The form that a callback without an instance id is given, so that a late one is recognised.
  const id = `task:${taskId}|${mapIndex}|${tryNumber ?? 0}`;
  return { ...UNKNOWN, ...about, id, taskId, mapIndex, tryNumber, operator };
}
