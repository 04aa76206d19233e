import type { Dag } from './dag-definition.ts';
import { openAttempt, type Run, type RunKey, record, type TaskInstance } from './run-state.ts';
import { uuid7 } from './seeded-random.ts';
import type { World } from './world.ts';

export interface TriggerOptions {
  readonly runType?: 'manual' | 'scheduled';
  readonly logicalDateMs?: number | null;
  readonly conf?: Readonly<Record<string, unknown>>;
  readonly note?: string | null;
  readonly user?: string | null;
}

/** @throws Error when there is no such Dag, or already such a run. */
export function createRun(world: World, key: RunKey, options: TriggerOptions, id: number): Run {
  const dag = world.dags.get(key.dagId);
  if (dag === undefined) throw new Error(`there is no Dag ${key.dagId}`);
  const runs = world.runs.get(key.dagId) ?? new Map<string, Run>();
  if (runs.has(key.dagRunId)) throw new Error(`there is already a run ${key.dagRunId} of ${key.dagId}`);
  const run = buildRun(world, dag, key, options, id);
  world.runs.set(key.dagId, runs.set(key.dagRunId, run));
  world.active.add(run);
  openAttempt(run, 'trigger', run.runAfterMs);
  record(run, run.runAfterMs, 'triggered', run.runType);
  return run;
}

function buildRun(world: World, dag: Dag, key: RunKey, options: TriggerOptions, id: number): Run {
  const nowMs = world.timers.nowMs();
  const { runType = 'manual', user = null } = options;
  return {
    id,
    dagId: key.dagId,
    dagRunId: key.dagRunId,
    dag,
    runType,
    logicalDateMs: options.logicalDateMs ?? null,
    runAfterMs: nowMs,
    conf: options.conf ?? {},
    triggeredBy: runType === 'manual' ? 'rest_api' : 'timetable',
    triggeringUser: user,
    state: 'queued',
    queuedAtMs: nowMs,
    startedAtMs: null,
    endedAtMs: null,
    lastSchedulingDecisionMs: null,
    updatedAtMs: nowMs,
    clearNumber: 0,
    note: options.note ?? null,
    isDeleted: false,
    taskInstances: [...dag.tasks.values()].flatMap((task) =>
      task.mapIndexes.map(
        (mapIndex): TaskInstance => ({
          id: world.traits.taskInstanceIds ? uuid7(nowMs, world.random) : null,
          task,
          mapIndex,
          state: null,
          tryNumber: 0,
          maxTries: task.retries,
          scheduledAtMs: null,
          queuedAtMs: null,
          startedAtMs: null,
          endedAtMs: null,
          updatedAtMs: nowMs,
          retryAtMs: null,
          execution: null,
          tries: [],
        }),
      ),
    ),
    attempts: [],
    clears: [],
    history: [],
  };
}
