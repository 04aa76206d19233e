import type { Timers } from '../../timers.ts';
import { type AuditLog, createAuditLog } from './audit-log.ts';
import type { CallbackSink } from './callbacks.ts';
import { type Clearing, createClearing } from './clear.ts';
import { buildDag, type Dag, type DagDefinition } from './dag-definition.ts';
import { createExecutions, type Executions } from './executions.ts';
import { DEFAULT_LATENCIES, type Latencies } from './latencies.ts';
import { createPerson, markRun, type Person } from './persons.ts';
import type { Attempt, Clear, HistoryEntry, Run, RunKey, RunState } from './run-state.ts';
import { createScheduler } from './scheduler.ts';
import { createSeededRandom, type Random } from './seeded-random.ts';
import { createRun, type TriggerOptions } from './trigger.ts';
import { type AirflowVersion, VERSION_TRAITS, type VersionTraits } from './versions.ts';
import { findRun, type World } from './world.ts';

export interface AirflowModelOptions {
  readonly version: AirflowVersion;
  readonly timers: Timers;
  readonly random?: Random;
  readonly latencies?: Partial<Latencies>;
  /** Replaces single traits of the version, to try what another patch release does. */
  readonly traits?: Partial<VersionTraits>;
  readonly onCallback?: CallbackSink;
  readonly dags?: readonly DagDefinition[];
}

/** A simulated Airflow: no network, no clock and no randomness of its own. */
export interface AirflowModel {
  readonly version: AirflowVersion;
  readonly traits: VersionTraits;
  readonly timers: Timers;
  readonly audit: AuditLog;
  readonly clearing: Clearing;
  addDag(definition: DagDefinition): void;
  dag(dagId: string): Dag | undefined;
  dags(): Dag[];
  /** @throws Error when there is no such Dag, or already such a run. */
  trigger(key: RunKey, options?: TriggerOptions): Run;
  run(key: RunKey): Run | undefined;
  /** All runs, or those of one Dag, in the order of creation. */
  runs(dagId?: string): Run[];
  stateOf(key: RunKey): RunState | undefined;
  person(name: string): Person;
  /** Sets a run's state as the REST API does: no callback is sent. */
  mark(run: Run, state: 'success' | 'failed', owner: string): void;
  setNote(run: Run, note: string | null): void;
  /** The original and what each clear has started; still known when the run is deleted. */
  attemptsOf(key: RunKey): readonly Attempt[];
  clearsOf(key: RunKey): readonly Clear[];
  history(key: RunKey): readonly HistoryEntry[];
}

export function createAirflowModel(options: AirflowModelOptions): AirflowModel {
  const world = createWorld(options);
  const everyRun = new Map<string, Run>();
  // The scheduler starts processes, and their ends wake the scheduler.
  const scheduler = createScheduler({ world, executions: () => executions });
  const wakeScheduler = () => scheduler.wake();
  const executions: Executions = createExecutions({ world, wakeScheduler });
  const clearing = createClearing({ world, executions, wakeScheduler });
  const parts = { world, executions, clearing, wakeScheduler };

  const model: AirflowModel = {
    version: world.version,
    traits: world.traits,
    timers: world.timers,
    audit: world.audit,
    clearing,
    addDag(definition) {
      if (world.dags.has(definition.dagId)) throw new Error(`there is already a Dag ${definition.dagId}`);
      world.dags.set(definition.dagId, buildDag(definition));
    },
    dag: (dagId) => world.dags.get(dagId),
    dags: () => [...world.dags.values()],
    trigger(key, triggerOptions = {}) {
      const run = createRun(world, key, triggerOptions, everyRun.size + 1);
      everyRun.set(`${key.dagId}/${key.dagRunId}`, run);
      wakeScheduler();
      return run;
    },
    run: (key) => findRun(world, key),
    runs: (dagId) => {
      const groups = dagId === undefined ? [...world.runs.values()] : [world.runs.get(dagId) ?? new Map<string, Run>()];
      return groups.flatMap((group) => [...group.values()]).sort((a, b) => a.id - b.id);
    },
    stateOf: (key) => findRun(world, key)?.state,
    person: (name) => createPerson(name, parts),
    mark: (run, state, owner) => markRun(parts, run, state, owner),
    setNote: (run, note) => {
      run.note = note;
    },
    attemptsOf: (key) => everyRun.get(`${key.dagId}/${key.dagRunId}`)?.attempts ?? [],
    clearsOf: (key) => everyRun.get(`${key.dagId}/${key.dagRunId}`)?.clears ?? [],
    history: (key) => everyRun.get(`${key.dagId}/${key.dagRunId}`)?.history ?? [],
  };
  for (const definition of options.dags ?? []) model.addDag(definition);
  return model;
}

function createWorld(options: AirflowModelOptions): World {
  const { version, timers } = options;
  return {
    version,
    traits: { ...VERSION_TRAITS[version], ...options.traits },
    timers,
    random: options.random ?? createSeededRandom(1),
    latencies: { ...DEFAULT_LATENCIES, ...options.latencies },
    onCallback: options.onCallback ?? (() => {}),
    audit: createAuditLog({ nowMs: () => timers.nowMs() }),
    dags: new Map(),
    runs: new Map(),
    active: new Set(),
  };
}
