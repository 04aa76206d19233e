import type { Timers } from '../../timers.ts';
import type { AuditLog } from './audit-log.ts';
import type { Callback, CallbackSink } from './callbacks.ts';
import type { Dag } from './dag-definition.ts';
import { draw, type Latencies } from './latencies.ts';
import { type Run, type RunKey, record } from './run-state.ts';
import type { Random } from './seeded-random.ts';
import type { AirflowVersion, VersionTraits } from './versions.ts';

/** Everything that the parts of the model share. */
export interface World {
  readonly version: AirflowVersion;
  readonly traits: VersionTraits;
  readonly timers: Timers;
  readonly random: Random;
  readonly latencies: Latencies;
  readonly onCallback: CallbackSink;
  readonly audit: AuditLog;
  readonly dags: Map<string, Dag>;
  /** By Dag, then by run id, in the order of creation. */
  readonly runs: Map<string, Map<string, Run>>;
  /** Runs that are queued or running: what the scheduler looks at. */
  readonly active: Set<Run>;
}

export function findRun(world: World, key: RunKey): Run | undefined {
  return world.runs.get(key.dagId)?.get(key.dagRunId);
}

export function latency(world: World, name: keyof Latencies): number {
  return draw(world.latencies[name], world.random);
}

/** Hands a callback over; like Airflow, logs what it throws and carries on. */
export async function deliver(world: World, run: Run, callback: Callback): Promise<void> {
  record(run, world.timers.nowMs(), 'callback', callback.type);
  try {
    await world.onCallback(callback);
  } catch (error) {
    record(run, world.timers.nowMs(), 'callback_raised', error instanceof Error ? error.message : String(error));
  }
}
