import type { Executions } from './executions.ts';
import {
  type Clear,
  isFailure,
  isRunFinished,
  nameOf,
  openAttempt,
  type Run,
  record,
  type TaskInstance,
} from './run-state.ts';
import { archive } from './task-state.ts';
import type { World } from './world.ts';

export interface ClearRunOptions {
  /** Whose name stands in the audit log and in `clearsOf`. */
  readonly owner: string;
  /** Only failed and upstream_failed task instances; there may be none. */
  readonly onlyFailed?: boolean;
  /** Only tasks that the Dag has gained since: none, as Dags do not change here. */
  readonly onlyNew?: boolean;
  readonly runOnLatestVersion?: boolean | null;
}

export interface ClearTasksOptions {
  readonly owner: string;
  readonly taskIds?: readonly string[] | null;
  readonly includeUpstream?: boolean;
  readonly includeDownstream?: boolean;
  readonly onlyFailed?: boolean;
  readonly onlyRunning?: boolean;
  readonly resetDagRuns?: boolean;
  readonly preventRunningTask?: boolean;
}

/** Clears as Airflow does: whatever the run is doing, and without asking. */
export interface Clearing {
  /** Which task instances `clearRun` would reset. */
  matchRun(run: Run, options: Omit<ClearRunOptions, 'owner'>): TaskInstance[];
  clearRun(run: Run, options: ClearRunOptions): TaskInstance[];
  matchTasks(run: Run, options: Omit<ClearTasksOptions, 'owner'>): TaskInstance[];
  /** Returns null, having changed nothing, when `preventRunningTask` forbids it. */
  clearTasks(run: Run, options: ClearTasksOptions): TaskInstance[] | null;
}

interface Dependencies {
  readonly world: World;
  readonly executions: Executions;
  readonly wakeScheduler: () => void;
}

export function createClearing({ world, executions, wakeScheduler }: Dependencies): Clearing {
  const reset = (run: Run, instances: readonly TaskInstance[], clear: ClearNote, resetRun: boolean) => {
    const nowMs = world.timers.nowMs();
    const stateBefore = run.state;
    const restartedRunning = instances.some(isAlive) || (run.state === 'queued' && run.attempts.length > 1);
    for (const instance of instances) resetInstance(world, executions, run, instance);
    if (resetRun && instances.length > 0) resetRunState(world, run, clear.owner);
    run.clears.push({ ...clear, atMs: nowMs, stateBefore, matched: instances.length, restartedRunning });
    record(run, nowMs, 'cleared', `by ${clear.owner} while ${stateBefore}, ${instances.length} task instances`);
    wakeScheduler();
  };

  const clearing: Clearing = {
    matchRun: (run, { onlyFailed = false, onlyNew = false }) => {
      if (onlyNew) return [];
      return onlyFailed ? run.taskInstances.filter(hasFailed) : [...run.taskInstances];
    },
    clearRun(run, options) {
      const instances = clearing.matchRun(run, options);
      const { owner, onlyFailed = false, runOnLatestVersion = null } = options;
      reset(run, instances, { owner, via: 'clear_dag_run', onlyFailed, runOnLatestVersion }, true);
      return instances;
    },
    matchTasks: (run, { onlyFailed = true, onlyRunning = false, ...selection }) => {
      const ids = selectTasks(run, selection);
      const instances = run.taskInstances.filter((instance) => ids === null || ids.has(instance.task.taskId));
      if (onlyRunning) return instances.filter((instance) => instance.state === 'running');
      return onlyFailed ? instances.filter(hasFailed) : instances;
    },
    clearTasks(run, options) {
      const instances = clearing.matchTasks(run, options);
      const { owner, onlyFailed = true, preventRunningTask = false, resetDagRuns = true } = options;
      if (preventRunningTask && instances.some((instance) => instance.state === 'running')) return null;
      reset(run, instances, { owner, via: 'clear_task_instances', onlyFailed, runOnLatestVersion: null }, resetDagRuns);
      return instances;
    },
  };
  return clearing;
}

type ClearNote = Pick<Clear, 'owner' | 'via' | 'onlyFailed' | 'runOnLatestVersion'>;

function hasFailed(instance: TaskInstance): boolean {
  return isFailure(instance.state);
}

function isAlive(instance: TaskInstance): boolean {
  return instance.state === 'running' || instance.state === 'restarting' || instance.state === 'queued';
}

function resetInstance(world: World, executions: Executions, run: Run, instance: TaskInstance): void {
  const wasRunning = instance.state === 'running';
  archive(world, instance);
  executions.terminate(run, instance);
  instance.updatedAtMs = world.timers.nowMs();
  instance.retryAtMs = null;
  if (wasRunning) {
    instance.state = 'restarting';
    record(run, instance.updatedAtMs, 'task_restarting', nameOf(instance));
    return;
  }
  // A RESTARTING one that is cleared again is reset at once: its process lives on for a while, but no longer counts.
  instance.execution = null;
  instance.maxTries = instance.tryNumber + instance.task.retries;
  instance.state = null;
}

function resetRunState(world: World, run: Run, owner: string): void {
  const nowMs = world.timers.nowMs();
  const finished = isRunFinished(run);
  if (finished || world.traits.everyClearCounts) {
    run.clearNumber += 1;
    // Airflow 2 has the column, too, but does not show it.
    run.queuedAtMs = nowMs;
    run.updatedAtMs = nowMs;
  }
  if (finished) {
    run.state = 'queued';
    run.startedAtMs = null;
    run.endedAtMs = null;
    run.lastSchedulingDecisionMs = null;
    world.active.add(run);
  }
  openAttempt(run, owner, nowMs);
}

function selectTasks(
  run: Run,
  { taskIds = null, includeUpstream = false, includeDownstream = false }: Omit<ClearTasksOptions, 'owner'>,
): Set<string> | null {
  if (taskIds === null) return null;
  const selected = new Set(taskIds);
  const walk = (next: (taskId: string) => readonly string[]) => {
    const open = [...taskIds];
    for (let taskId = open.pop(); taskId !== undefined; taskId = open.pop()) {
      for (const found of next(taskId)) {
        if (!selected.has(found)) open.push(found);
        selected.add(found);
      }
    }
  };
  if (includeUpstream) walk((taskId) => run.dag.tasks.get(taskId)?.upstream ?? []);
  if (includeDownstream) walk((taskId) => run.dag.tasks.get(taskId)?.downstream ?? []);
  return selected;
}
