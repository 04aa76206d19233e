import type { Random } from './seeded-random.ts';

/** Milliseconds, or a range from which each case draws. */
export type Latency = number | readonly [minMs: number, maxMs: number];

/** How long Airflow's parts take to notice one another. */
export interface Latencies {
  /** From a change to the scheduler's next look. */
  readonly schedulerMs: Latency;
  /** From queued to running. */
  readonly taskStartMs: Latency;
  /** From the end of the failure callback to FAILED in the database: the process has to exit first. */
  readonly recordMs: Latency;
  /** The callback's process is stopped after this, even if the callback has not returned. */
  readonly callbackLimitMs: Latency;
  /** From the end of a run to the Dag's callback, which the dag processor runs. */
  readonly dagCallbackMs: Latency;
  /** Until a process learns that its task instance was taken from it. */
  readonly heartbeatMs: Latency;
  /** Until the scheduler notices that a process has vanished. */
  readonly zombieMs: Latency;
  /** How often the runs of paused Dags are looked at. */
  readonly pausedMs: Latency;
}

/** Fixed, so that a test can say what happens when. */
export const DEFAULT_LATENCIES: Latencies = {
  schedulerMs: 1_000,
  taskStartMs: 500,
  recordMs: 300,
  callbackLimitMs: 20_000,
  dagCallbackMs: 2_000,
  heartbeatMs: 5_000,
  zombieMs: 300_000,
  pausedMs: 60_000,
};

/** As a small installation of Airflow 3.3 shows them, for simulations. */
export const MEASURED_LATENCIES: Latencies = {
  schedulerMs: [50, 1_000],
  taskStartMs: [50, 4_000],
  // The supervisor often misses the end of the process and sees it with its next heartbeat only.
  recordMs: [100, 5_000],
  callbackLimitMs: 20_000,
  dagCallbackMs: [100, 2_500],
  heartbeatMs: [0, 5_000],
  zombieMs: [300_000, 310_000],
  pausedMs: 60_000,
};

export function draw(latency: Latency, random: Random): number {
  if (typeof latency === 'number') return latency;
  const [minMs, maxMs] = latency;
  return Math.round(minMs + random() * (maxMs - minMs));
}
