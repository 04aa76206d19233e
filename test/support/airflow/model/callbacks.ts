import type { Behaviour } from './dag-definition.ts';
import type { Execution, Run, TaskInstance } from './run-state.ts';
import { isoOffset } from './times.ts';
import type { VersionTraits } from './versions.ts';

// What is None in Python is left out, as the Python callbacks do.

export interface CallbackRun {
  readonly start_date?: string;
  readonly clear_number: number;
  readonly run_type: string;
}

export interface TaskFailedBody {
  readonly dag_id: string;
  readonly dag_run_id: string;
  readonly task_id: string;
  readonly map_index: number;
  readonly try_number: number;
  readonly max_tries: number;
  readonly task_instance_id?: string;
  readonly operator: string;
  /** Airflow's own words come without a type. */
  readonly exception?: { readonly type?: string; readonly message: string };
  readonly failed_at: string;
  readonly log_url: string;
  readonly dag_run: CallbackRun;
  readonly failure_class?: 'infra' | 'timeout';
  readonly retry?: Readonly<Record<string, unknown>>;
}

export interface RunFailedBody {
  readonly dag_id: string;
  readonly dag_run_id: string;
  readonly reason: 'task_failure' | 'timed_out';
  readonly failed_at: string;
  readonly dag_run?: CallbackRun;
  readonly retry?: Readonly<Record<string, unknown>>;
}

export interface RunSucceededBody {
  readonly dag_id: string;
  readonly dag_run_id: string;
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
  // Airflow 2's row may belong to another try by now, which is then what the callback names.
  const { tryNumber, maxTries } = traits.processOwnsRow ? instance : execution;
  const failureClass = failureClassOf(behaviour);
  const exception = exceptionOf(failed, traits);
  return {
    type: 'task-failed',
    body: {
      dag_id: run.dagId,
      dag_run_id: run.dagRunId,
      task_id: instance.task.taskId,
      map_index: instance.mapIndex,
      try_number: tryNumber,
      max_tries: maxTries,
      ...(execution.taskInstanceId === null ? {} : { task_instance_id: execution.taskInstanceId }),
      operator: instance.task.operator,
      ...(exception === null ? {} : { exception }),
      failed_at: isoOffset(nowMs),
      log_url: logUrl(failed, traits),
      dag_run: dagRunOf(execution.runStartedAtMs, execution.clearNumber, run),
      ...(failureClass === null ? {} : { failure_class: failureClass }),
      ...retryOf(run, behaviour.outcome === 'fail' ? behaviour.retry : {}),
    },
  };
}

function exceptionOf({ run, instance, behaviour }: Failed, traits: VersionTraits) {
  if (behaviour.outcome === 'fail' && traits.callbackHasException) {
    return { type: behaviour.exceptionType, message: behaviour.message };
  }
  if (behaviour.outcome === 'fail' || !traits.processOwnsRow) return null;
  const names = `'DAG Id': '${run.dagId}', 'Task Id': '${instance.task.taskId}', 'Run Id': '${run.dagRunId}'`;
  return { message: `{${names}, 'Hostname': 'worker'}` };
}

const TIMEOUTS = new Set(['AirflowTaskTimeout', 'AirflowSensorTimeout', 'TaskDeferralTimeout']);

function failureClassOf(behaviour: Behaviour): 'infra' | 'timeout' | null {
  if (behaviour.outcome !== 'fail') return 'infra';
  return TIMEOUTS.has(behaviour.exceptionType.split('.').at(-1) ?? '') ? 'timeout' : null;
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
  const dagRun = traits.dagCallbackHasRun ? { dag_run: dagRunOf(run.startedAtMs, run.clearNumber, run) } : {};
  return {
    type: 'run-failed',
    body: { ...names, reason, failed_at: isoOffset(failedAtMs), ...dagRun, ...retryOf(run, {}) },
  };
}

export function runSucceeded(run: Run): Callback {
  return { type: 'run-succeeded', body: { dag_id: run.dagId, dag_run_id: run.dagRunId } };
}

function dagRunOf(startedAtMs: number | null, clearNumber: number, run: Run): CallbackRun {
  const start = startedAtMs === null ? {} : { start_date: isoOffset(startedAtMs) };
  return { ...start, clear_number: clearNumber, run_type: run.runType };
}

function retryOf(run: Run, asked: Readonly<Record<string, unknown>>): { retry?: Readonly<Record<string, unknown>> } {
  const retry = { ...run.dag.retry, ...asked };
  return Object.keys(retry).length === 0 ? {} : { retry };
}
