import type { Behaviour } from './dag-definition.ts';
import type { Execution, Run, TaskInstance } from './run-state.ts';
import { isoOffset } from './times.ts';
import type { VersionTraits } from './versions.ts';

export interface CallbackRun {
  readonly start_date: string | null;
  readonly clear_number: number | null;
  readonly run_type: string | null;
}

export interface TaskFailedBody {
  readonly dag_id: string;
  readonly dag_run_id: string;
  readonly task_id: string;
  readonly map_index: number;
  readonly try_number: number;
  readonly max_tries: number;
  readonly task_instance_id: string | null;
  readonly operator: string;
  readonly exception: { readonly type: string; readonly message: string } | null;
  readonly failed_at: string;
  readonly log_url: string | null;
  readonly dag_run: CallbackRun;
  readonly retry?: Readonly<Record<string, unknown>>;
}

export interface RunFailedBody {
  readonly dag_id: string;
  readonly dag_run_id: string;
  readonly reason: 'task_failure' | 'timed_out';
  readonly failed_at: string;
  readonly dag_run: CallbackRun | null;
  readonly retry?: Readonly<Record<string, unknown>>;
}

export interface RunSucceededBody {
  readonly dag_id: string;
  readonly dag_run_id: string;
  readonly dag_run: CallbackRun | null;
}

/** What the Python callbacks send: `body` goes to `POST /v1/callbacks/{type}`. */
export type Callback =
  | { readonly type: 'task-failed'; readonly body: TaskFailedBody }
  | { readonly type: 'run-failed'; readonly body: RunFailedBody }
  | { readonly type: 'run-succeeded'; readonly body: RunSucceededBody };

/** Takes a callback. FAILED is recorded only when the promise has settled, as a slow webhook would delay it. */
export type CallbackSink = (callback: Callback) => void | Promise<void>;

interface Failed {
  readonly run: Run;
  readonly instance: TaskInstance;
  readonly execution: Execution;
  readonly behaviour: Behaviour;
}

export function taskFailed(failed: Failed, traits: VersionTraits, nowMs: number): Callback {
  const { run, instance, execution, behaviour } = failed;
  return {
    type: 'task-failed',
    body: {
      dag_id: run.dagId,
      dag_run_id: run.dagRunId,
      task_id: instance.task.taskId,
      map_index: instance.mapIndex,
      try_number: execution.tryNumber,
      max_tries: execution.maxTries,
      task_instance_id: execution.taskInstanceId,
      operator: instance.task.operator,
      exception: exceptionOf(behaviour, traits),
      failed_at: isoOffset(nowMs),
      log_url: logUrl(failed, traits),
      dag_run: {
        start_date: execution.runStartedAtMs === null ? null : isoOffset(execution.runStartedAtMs),
        clear_number: execution.clearNumber,
        run_type: run.runType,
      },
      ...retryOf(run),
    },
  };
}

function exceptionOf(behaviour: Behaviour, traits: VersionTraits): TaskFailedBody['exception'] {
  if (behaviour.outcome !== 'fail' || !traits.callbackHasException) return null;
  return { type: behaviour.exceptionType, message: behaviour.message };
}

function logUrl({ run, instance, execution }: Failed, traits: VersionTraits): string {
  const [dag, id] = [encodeURIComponent(run.dagId), encodeURIComponent(run.dagRunId)];
  const task = encodeURIComponent(instance.task.taskId);
  if (traits.api === 'v1') return `http://localhost:8080/dags/${dag}/grid?dag_run_id=${id}&task_id=${task}&tab=logs`;
  return `http://localhost:8080/dags/${dag}/runs/${id}/tasks/${task}?try_number=${execution.tryNumber}`;
}

export function runFailed(
  run: Run,
  reason: 'task_failure' | 'timed_out',
  traits: VersionTraits,
  failedAtMs: number,
): Callback {
  const names = { dag_id: run.dagId, dag_run_id: run.dagRunId };
  return {
    type: 'run-failed',
    body: { ...names, reason, failed_at: isoOffset(failedAtMs), dag_run: dagRunOf(run, traits), ...retryOf(run) },
  };
}

export function runSucceeded(run: Run, traits: VersionTraits): Callback {
  return {
    type: 'run-succeeded',
    body: { dag_id: run.dagId, dag_run_id: run.dagRunId, dag_run: dagRunOf(run, traits) },
  };
}

function dagRunOf(run: Run, traits: VersionTraits): CallbackRun | null {
  if (!traits.dagCallbackHasRun) return null;
  return {
    start_date: run.startedAtMs === null ? null : isoOffset(run.startedAtMs),
    clear_number: run.clearNumber,
    run_type: run.runType,
  };
}

function retryOf(run: Run): { retry?: Readonly<Record<string, unknown>> } {
  return run.dag.retry === null ? {} : { retry: run.dag.retry };
}
