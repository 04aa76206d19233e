import { BUILT_IN_TIMING, type Timing } from '../../../src/core/rules.ts';
import type { WorkerSettings } from '../../../src/engine/worker.ts';
import type { DagDefinition } from '../../support/airflow/model/dag-definition.ts';
import { AIRFLOW_VERSIONS, type AirflowVersion } from '../../support/airflow/model/versions.ts';
import { createDice, type Dice } from '../dice.ts';
import { drawDag } from './dags.ts';
import { drawFrame, type PolicyFrame } from './policies.ts';
import { drawWeather, type Weather } from './weather.ts';

export interface PlannedRun {
  readonly dagId: string;
  readonly dagRunId: string;
  readonly runType: 'manual' | 'scheduled';
  readonly afterMs: number;
}

/** All that a seed decides before anything happens. */
export interface Scenario {
  readonly seed: number;
  readonly airflow: AirflowVersion;
  readonly replicas: number;
  /** Clocks of replicas are off by at most this, either way. */
  readonly maxSkewMs: number;
  readonly timing: Timing;
  readonly worker: WorkerSettings;
  readonly channels: readonly string[];
  readonly tokenLifetimeMs: number;
  readonly dags: readonly DagDefinition[];
  readonly runs: readonly PlannedRun[];
  readonly frame: PolicyFrame;
  readonly weather: Weather;
  /** Until then things go wrong; after it everything works. */
  readonly troubleMs: number;
}

const MINUTE_MS = 60_000;

export function drawScenario(seed: number): Scenario {
  const dice = createDice(seed, 'scenario');
  const dags = Array.from({ length: dice.whole(1, 3) }, (_, index) => drawDag(`dag_${index}`, dice));
  const dagIds = dags.map((dag) => dag.dagId);
  const troubleMs = dice.whole(20, 90) * MINUTE_MS;
  return {
    seed,
    airflow: dice.pick([...AIRFLOW_VERSIONS, '2.11', '3.2', '3.3'] as const),
    replicas: dice.pick([2, 2, 3]),
    maxSkewMs: dice.pick([0, 500, 2_000]),
    timing: drawTiming(dice),
    worker: {
      concurrency: dice.pick([1, 2, 16]),
      leaseMs: dice.pick([90_000, 90_000, 8_000]),
      pollIntervalMs: dice.pick([5_000, 15_000, 30_000]),
    },
    channels: dice.pick([['webhook'], ['webhook', 'pager']]),
    tokenLifetimeMs: dice.pick([5, 20, 1_440]) * MINUTE_MS,
    dags,
    runs: drawRuns(dagIds, troubleMs, dice),
    frame: drawFrame(dagIds, dice),
    weather: drawWeather(dice),
    troubleMs,
  };
}

function drawTiming(dice: Dice): Timing {
  return {
    ...BUILT_IN_TIMING,
    sweepIntervalMs: dice.pick([30_000, 60_000, 120_000]),
    // Longer than any callback is late.
    tombstoneMs: dice.pick([1, 24, 24]) * 60 * MINUTE_MS,
  };
}

function drawRuns(dagIds: readonly string[], troubleMs: number, dice: Dice): PlannedRun[] {
  return Array.from({ length: dice.whole(2, 5) }, (_, index) => ({
    dagId: dice.pick(dagIds),
    dagRunId: `run_${index}`,
    runType: dice.pick(['manual', 'scheduled', 'scheduled'] as const),
    afterMs: Math.floor(dice.random() * troubleMs * 0.6),
  }));
}
