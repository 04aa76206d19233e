import type { Clearing, ClearRunOptions } from './clear.ts';
import type { Executions } from './executions.ts';
import { finishRun, isFinished, type Run, type RunKey, record } from './run-state.ts';
import { writeState } from './task-state.ts';
import { findRun, type World } from './world.ts';

/** What a person does in Airflow's user interface. All but `deleteDag` and the pauses return false when there is no such run. */
export interface Person {
  clear(key: RunKey, options?: Pick<ClearRunOptions, 'onlyFailed'>): boolean;
  clearTask(key: RunKey, taskId: string): boolean;
  /** No callback hears of it. */
  markSuccess(key: RunKey): boolean;
  markFailed(key: RunKey): boolean;
  setNote(key: RunKey, note: string): boolean;
  deleteRun(key: RunKey): boolean;
  pause(dagId: string): void;
  unpause(dagId: string): void;
  deleteDag(dagId: string): void;
}

interface Dependencies {
  readonly world: World;
  readonly clearing: Clearing;
  readonly executions: Executions;
  readonly wakeScheduler: () => void;
}

/** Asked for dry, a request is not logged. */
const IN_EARNEST = { dry_run: false, method: 'POST' };

export function createPerson(name: string, dependencies: Dependencies): Person {
  const { world, clearing, wakeScheduler } = dependencies;
  const { api } = world.traits;

  // The interface of Airflow 3 speaks the REST API; that of Airflow 2 has views of its own.
  const act = (
    key: RunKey,
    [event2, event3]: readonly [string, string],
    body: object,
    action: (run: Run) => void,
  ): boolean => {
    const extra = JSON.stringify(api === 'v1' ? { ...key, confirmed: 'true' } : body);
    world.audit.add({ event: api === 'v1' ? event2 : event3, ...key, owner: name, extra });
    const run = findRun(world, key);
    if (run === undefined) return false;
    action(run);
    return true;
  };

  const mark = (key: RunKey, state: 'success' | 'failed') => {
    return act(key, [`dagrun_${state}`, 'patch_dag_run'], { state, method: 'PATCH' }, (run) =>
      markRun(dependencies, run, state, name),
    );
  };

  const setPaused = (dagId: string, isPaused: boolean) => {
    world.audit.add({ event: api === 'v1' ? 'paused' : 'patch_dag', dagId, owner: name });
    const dag = world.dags.get(dagId);
    if (dag === undefined) throw new Error(`there is no Dag ${dagId}`);
    dag.isPaused = isPaused;
    wakeScheduler();
  };

  return {
    clear: (key, { onlyFailed = false } = {}) => {
      return act(key, ['dagrun_clear', 'clear_dag_run'], { ...IN_EARNEST, only_failed: onlyFailed }, (run) =>
        clearing.clearRun(run, { owner: name, onlyFailed }),
      );
    },
    clearTask: (key, taskId) => {
      return act(key, ['clear', 'post_clear_task_instances'], { ...IN_EARNEST, task_ids: [taskId] }, (run) =>
        clearing.clearTasks(run, { owner: name, taskIds: [taskId], includeDownstream: true, onlyFailed: false }),
      );
    },
    markSuccess: (key) => mark(key, 'success'),
    markFailed: (key) => mark(key, 'failed'),
    setNote: (key, note) => {
      return act(key, ['set_dag_run_note', 'patch_dag_run'], { note, method: 'PATCH' }, (run) => {
        run.note = note;
        record(run, world.timers.nowMs(), 'note', note);
      });
    },
    deleteRun: (key) =>
      act(key, ['dagrun_delete', 'delete_dag_run'], { method: 'DELETE' }, (run) => deleteRun(dependencies, run)),
    pause: (dagId) => setPaused(dagId, true),
    unpause: (dagId) => setPaused(dagId, false),
    deleteDag(dagId) {
      world.audit.add({ event: api === 'v1' ? 'delete' : 'delete_dag', dagId, owner: name });
      for (const run of world.runs.get(dagId)?.values() ?? []) deleteRun(dependencies, run);
      world.dags.delete(dagId);
    },
  };
}

/** Writes the state into run and tasks; processes that still run are killed, and no callback is sent. */
export function markRun(dependencies: Dependencies, run: Run, state: 'success' | 'failed', owner: string): void {
  const { world, executions, wakeScheduler } = dependencies;
  for (const instance of run.taskInstances) {
    const rewrites = state === 'success' && world.traits.markSuccessRewritesFailed && instance.state !== 'success';
    if (isFinished(instance.state) && !rewrites) continue;
    const hasProcess = instance.state === 'running';
    executions.terminate(run, instance);
    writeState({ world, wakeScheduler }, run, instance, hasProcess || rewrites ? state : 'skipped');
  }
  finishRun(run, state, world.timers.nowMs(), `marked by ${owner}`);
  world.active.delete(run);
  wakeScheduler();
}

/** Its processes die when their heartbeats find nothing; until then a failing task still sends its callback. */
function deleteRun({ world, executions, wakeScheduler }: Dependencies, run: Run): void {
  run.isDeleted = true;
  record(run, world.timers.nowMs(), 'deleted');
  world.active.delete(run);
  world.runs.get(run.dagId)?.delete(run.dagRunId);
  for (const instance of run.taskInstances) executions.terminate(run, instance);
  wakeScheduler();
}
