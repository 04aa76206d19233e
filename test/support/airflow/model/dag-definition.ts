/** What one try of a task does. Durations are in milliseconds. */
export type Behaviour =
  | { readonly outcome: 'succeed'; readonly durationMs: number }
  | {
      readonly outcome: 'fail';
      readonly durationMs: number;
      readonly exceptionType: string;
      readonly message: string;
      /** How often the failure callback is delivered: 0 is lost, 2 is a duplicate. */
      readonly callbacks: number;
      /** What the exception asks for (`RetryDagRun`). */
      readonly retry: Readonly<Record<string, unknown>>;
    }
  /** The process is killed (SIGKILL, out of memory). It calls nothing back; in Airflow 2, the dag processor does. */
  | { readonly outcome: 'killed'; readonly durationMs: number; readonly callbacks: number | null }
  /** Its worker is gone, too: noticed minutes later, and the dag processor calls back, in Airflow 3 twice. */
  | { readonly outcome: 'lost'; readonly durationMs: number; readonly callbacks: number | null };

export type Vanishing = Extract<Behaviour, { outcome: 'killed' | 'lost' }>;

export interface TryContext {
  readonly dagId: string;
  readonly dagRunId: string;
  readonly taskId: string;
  readonly mapIndex: number;
  /** Counts on over retries and clears, as Airflow's does. */
  readonly tryNumber: number;
  /** The attempt of the whole run: 1 is the original. */
  readonly attempt: number;
}

/** Behaviours by try number, the last one repeated; or whatever a function says. */
export type Script = readonly [Behaviour, ...Behaviour[]] | ((context: TryContext) => Behaviour);

export type TriggerRule = 'all_success' | 'all_done' | 'one_failed';

export interface TaskDefinition {
  readonly taskId: string;
  readonly upstream?: readonly string[];
  readonly triggerRule?: TriggerRule;
  readonly operator?: string;
  readonly retries?: number;
  readonly retryDelayMs?: number;
  /** How many instances a mapped task has; without it the task is not mapped (`map_index` -1). */
  readonly mapped?: number;
  readonly script?: Script;
}

export interface DagDefinition {
  readonly dagId: string;
  readonly tags?: readonly string[];
  readonly isPaused?: boolean;
  readonly maxActiveRuns?: number;
  readonly dagrunTimeoutMs?: number;
  readonly tasks: readonly TaskDefinition[];
  /** Which of dagain's callbacks the Dag's author has put in; all by default. */
  readonly callbacks?: { readonly taskFailed?: boolean; readonly runFailed?: boolean; readonly runSucceeded?: boolean };
  /** What the callbacks send as `retry`. */
  readonly retry?: Readonly<Record<string, unknown>>;
}

export interface Task extends Required<Omit<TaskDefinition, 'mapped'>> {
  readonly mapIndexes: readonly number[];
  readonly downstream: readonly string[];
}

export interface Dag {
  readonly dagId: string;
  readonly tags: readonly string[];
  isPaused: boolean;
  /** Its file cannot be parsed at the moment: runs can be read, but not cleared. */
  isUnloadable: boolean;
  readonly maxActiveRuns: number;
  readonly dagrunTimeoutMs: number | null;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly callbacks: { readonly taskFailed: boolean; readonly runFailed: boolean; readonly runSucceeded: boolean };
  readonly retry: Readonly<Record<string, unknown>> | null;
}

const RETRY_DELAY_MS = 300_000;
const MAX_ACTIVE_RUNS = 16;

export function succeed(durationMs = 1_000): Behaviour {
  return { outcome: 'succeed', durationMs };
}

interface FailOptions {
  readonly durationMs?: number;
  /** Dotted name of the exception's type. */
  readonly type?: string;
  readonly message?: string;
  readonly callbacks?: number;
  readonly retry?: Readonly<Record<string, unknown>>;
}

export function fail(options: FailOptions = {}): Behaviour {
  const { durationMs = 1_000, type = 'ValueError', message = 'boom', callbacks = 1, retry = {} } = options;
  return { outcome: 'fail', durationMs, exceptionType: type, message, callbacks, retry };
}

/** `callbacks` instead of what the version does. */
export function killed(durationMs = 1_000, callbacks: number | null = null): Behaviour {
  return { outcome: 'killed', durationMs, callbacks };
}

export function lost(durationMs = 1_000, callbacks: number | null = null): Behaviour {
  return { outcome: 'lost', durationMs, callbacks };
}

export function behaviourOf(task: Task, context: TryContext): Behaviour {
  if (typeof task.script === 'function') return task.script(context);
  return task.script[Math.min(context.tryNumber, task.script.length) - 1] ?? task.script[0];
}

/** Fills in Airflow's defaults. @throws Error when an upstream task is not defined. */
export function buildDag(definition: DagDefinition): Dag {
  const ids = new Set(definition.tasks.map((task) => task.taskId));
  for (const task of definition.tasks) {
    const unknown = task.upstream?.find((id) => !ids.has(id));
    if (unknown !== undefined) throw new Error(`task ${task.taskId} of ${definition.dagId} has no upstream ${unknown}`);
  }
  const { callbacks = {} } = definition;
  return {
    dagId: definition.dagId,
    tags: definition.tags ?? [],
    isPaused: definition.isPaused ?? false,
    isUnloadable: false,
    maxActiveRuns: definition.maxActiveRuns ?? MAX_ACTIVE_RUNS,
    dagrunTimeoutMs: definition.dagrunTimeoutMs ?? null,
    tasks: new Map(definition.tasks.map((task) => [task.taskId, buildTask(task, definition.tasks)])),
    callbacks: {
      taskFailed: callbacks.taskFailed ?? true,
      runFailed: callbacks.runFailed ?? true,
      runSucceeded: callbacks.runSucceeded ?? true,
    },
    retry: definition.retry ?? null,
  };
}

function buildTask(task: TaskDefinition, all: readonly TaskDefinition[]): Task {
  return {
    taskId: task.taskId,
    upstream: task.upstream ?? [],
    downstream: all.filter((other) => other.upstream?.includes(task.taskId)).map((other) => other.taskId),
    triggerRule: task.triggerRule ?? 'all_success',
    operator: task.operator ?? 'PythonOperator',
    retries: task.retries ?? 0,
    retryDelayMs: task.retryDelayMs ?? RETRY_DELAY_MS,
    mapIndexes: task.mapped === undefined ? [-1] : Array.from({ length: task.mapped }, (_, index) => index),
    script: task.script ?? [succeed()],
  };
}
