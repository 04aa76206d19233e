import { isFailure, isFinished, type Run, type TaskInstance } from './run-state.ts';

export type Verdict = 'wait' | 'ready' | 'upstream_failed' | 'skipped';

/** What a task's trigger rule says, given the task instances upstream of it. */
export function verdictOf(run: Run, instance: TaskInstance): Verdict {
  const upstream = run.taskInstances.filter((other) => instance.task.upstream.includes(other.task.taskId));
  const failed = upstream.some((other) => isFailure(other.state));
  const done = upstream.every((other) => isFinished(other.state));
  switch (instance.task.triggerRule) {
    case 'all_success':
      // Not waiting for the rest: Airflow marks a task as soon as its rule cannot be met any more.
      if (failed) return 'upstream_failed';
      if (upstream.some((other) => other.state === 'skipped')) return 'skipped';
      return done ? 'ready' : 'wait';
    case 'all_done':
      return done ? 'ready' : 'wait';
    case 'one_failed':
      if (failed) return 'ready';
      return done ? 'skipped' : 'wait';
  }
}

/** The task instances that decide the run's state: those with nothing downstream. */
export function leavesOf(run: Run): TaskInstance[] {
  return run.taskInstances.filter((instance) => instance.task.downstream.length === 0);
}
