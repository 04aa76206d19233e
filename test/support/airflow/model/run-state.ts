import type { Cancel } from '../../timers.ts';
import type { Dag, Task } from './dag-definition.ts';

export interface RunKey {
  readonly dagId: string;
  readonly dagRunId: string;
}

export type RunState = 'queued' | 'running' | 'success' | 'failed';

export type TaskState =
  | 'scheduled'
  | 'queued'
  | 'running'
  | 'restarting'
  | 'up_for_retry'
  | 'success'
  | 'failed'
  | 'upstream_failed'
  | 'skipped'
  | null;

/** The operating system's process of one try; it can outlive what the database says of the task instance. */
export interface Execution {
  /** What its process was told when it started; a later clear does not reach it. */
  readonly taskInstanceId: string | null;
  readonly tryNumber: number;
  readonly maxTries: number;
  readonly attempt: number;
  readonly clearNumber: number;
  readonly runStartedAtMs: number | null;
  startedAtMs: number | null;
  phase: 'starting' | 'working' | 'reporting' | 'over';
  /** Its heartbeat was refused; how it ends no longer matters. */
  toldToStop: boolean;
  cancelNext: Cancel;
}

/** A try as the task's history keeps it. */
export interface ArchivedTry {
  readonly taskInstanceId: string | null;
  readonly tryNumber: number;
  readonly maxTries: number;
  readonly state: TaskState;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
}

export interface TaskInstance {
  /** A UUID, new for each try and each clear; null in Airflow 2. */
  id: string | null;
  readonly task: Task;
  readonly mapIndex: number;
  state: TaskState;
  tryNumber: number;
  maxTries: number;
  scheduledAtMs: number | null;
  queuedAtMs: number | null;
  startedAtMs: number | null;
  endedAtMs: number | null;
  updatedAtMs: number;
  retryAtMs: number | null;
  execution: Execution | null;
  readonly tries: ArchivedTry[];
}

/** One execution of the whole run; the first is the original, each further one was started by a clear. */
export interface Attempt {
  readonly number: number;
  /** `trigger`, or the owner of the clear. */
  readonly startedBy: string;
  readonly requestedAtMs: number;
  startedAtMs: number | null;
  endedAtMs: number | null;
  /** `superseded`: another clear came before it had ended. */
  outcome: 'success' | 'failed' | 'superseded' | null;
}

/** One clear that was carried out, dry runs left out. */
export interface Clear {
  readonly atMs: number;
  readonly owner: string;
  readonly via: 'clear_dag_run' | 'clear_task_instances';
  readonly stateBefore: RunState;
  readonly onlyFailed: boolean;
  readonly runOnLatestVersion: boolean | null;
  /** How many task instances it reset; with none it changed nothing. */
  readonly matched: number;
  /** It hit a process that was still alive, or a run that another clear had queued: work was thrown away. */
  readonly restartedRunning: boolean;
}

export interface HistoryEntry {
  readonly atMs: number;
  readonly type: string;
  readonly detail: string;
}

export interface Run extends RunKey {
  /** In the order of creation, which is the default order of lists. */
  readonly id: number;
  readonly dag: Dag;
  readonly runType: 'manual' | 'scheduled';
  readonly logicalDateMs: number | null;
  readonly runAfterMs: number;
  readonly conf: Readonly<Record<string, unknown>>;
  readonly triggeredBy: 'rest_api' | 'timetable';
  readonly triggeringUser: string | null;
  state: RunState;
  queuedAtMs: number | null;
  startedAtMs: number | null;
  endedAtMs: number | null;
  lastSchedulingDecisionMs: number | null;
  /** When the run's own row was last written; notes and task instances have rows of their own. */
  updatedAtMs: number;
  clearNumber: number;
  note: string | null;
  isDeleted: boolean;
  readonly taskInstances: TaskInstance[];
  readonly attempts: Attempt[];
  readonly clears: Clear[];
  readonly history: HistoryEntry[];
}

const FINISHED: ReadonlySet<TaskState> = new Set<TaskState>(['success', 'failed', 'upstream_failed', 'skipped']);

export function isFinished(state: TaskState): boolean {
  return FINISHED.has(state);
}

export function isFailure(state: TaskState): boolean {
  return state === 'failed' || state === 'upstream_failed';
}

export function isRunFinished(run: Run): boolean {
  return run.state === 'success' || run.state === 'failed';
}

export function record(run: Run, atMs: number, type: string, detail = ''): void {
  run.history.push({ atMs, type, detail });
}

export function nameOf(instance: TaskInstance): string {
  return instance.mapIndex < 0 ? instance.task.taskId : `${instance.task.taskId}[${instance.mapIndex}]`;
}

export function openAttempt(run: Run, startedBy: string, nowMs: number): void {
  const previous = run.attempts.at(-1);
  if (previous !== undefined && previous.outcome === null) closeAttempt(run, 'superseded', nowMs);
  run.attempts.push({
    number: run.attempts.length + 1,
    startedBy,
    requestedAtMs: nowMs,
    startedAtMs: run.state === 'running' ? nowMs : null,
    endedAtMs: null,
    outcome: null,
  });
}

export function closeAttempt(run: Run, outcome: 'success' | 'failed' | 'superseded', nowMs: number): void {
  const attempt = run.attempts.at(-1);
  if (attempt === undefined || attempt.outcome === 'superseded') return;
  attempt.outcome = outcome;
  attempt.endedAtMs = nowMs;
}

/** The scheduler's or a person's verdict. Leaves the task instances as they are. */
export function finishRun(run: Run, state: 'success' | 'failed', nowMs: number, reason: string): void {
  run.state = state;
  run.endedAtMs = nowMs;
  run.updatedAtMs = nowMs;
  closeAttempt(run, state, nowMs);
  record(run, nowMs, `run_${state}`, reason);
}
