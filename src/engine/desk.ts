import type { Orchestrator } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import { type Bulk, createBulk } from './bulk.ts';
import { createCensus } from './census.ts';
import type { Clock } from './clock.ts';
import { createDags, type Dags } from './dags.ts';
import { createEvents, type Events } from './events.ts';
import { createExplainer, type Explainer } from './explain.ts';
import type { LiveChanges } from './live-changes.ts';
import type { Log } from './log.ts';
import { createOperations, type Operations } from './operations.ts';
import type { Pauses } from './pauses.ts';
import type { PolicySource } from './policy-source.ts';
import { createRuns, type Runs } from './runs.ts';
import { createStats, type StatsReader } from './stats.ts';
import type { SwapLoop } from './swap-loop.ts';
import type { Telemetry } from './telemetry.ts';

/** Pages that show counts load again whenever something changes. */
const CENSUS_PAUSE_MS = 1_000;

/** Everything that people ask and do. */
export interface Desk {
  readonly runs: Runs;
  readonly operations: Operations;
  readonly bulk: Bulk;
  readonly explainer: Explainer;
  readonly dags: Dags;
  readonly pauses: Pauses;
  readonly events: Events;
  readonly stats: StatsReader;
  readonly changes: LiveChanges;
  readonly policies: PolicySource;
}

export interface DeskDeps {
  readonly store: RunStore;
  readonly orchestrator: Orchestrator;
  readonly policies: PolicySource;
  readonly swapLoop: SwapLoop;
  readonly pauses: Pauses;
  readonly changes: LiveChanges;
  readonly clock: Clock;
  readonly log: Log;
  readonly telemetry: Telemetry;
  readonly isShadow?: boolean;
}

export function createDesk(deps: DeskDeps): Desk {
  const { store, pauses, changes, policies } = deps;
  const census = createCensus({ ...deps, leastPauseMs: CENSUS_PAUSE_MS });
  const operations = createOperations(deps);
  return {
    runs: createRuns(deps),
    operations,
    bulk: createBulk({ ...deps, operations }),
    explainer: createExplainer(deps),
    dags: createDags({ census, pauses }),
    pauses,
    events: createEvents(store),
    stats: createStats({ ...deps, census }),
    changes,
    policies,
  };
}
