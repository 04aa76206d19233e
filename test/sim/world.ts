import type { RunRecord } from '../../src/core/record.ts';
import { type AirflowApi, createAirflowApi } from '../support/airflow/api/api.ts';
import { MEASURED_LATENCIES } from '../support/airflow/model/latencies.ts';
import { type AirflowModel, createAirflowModel } from '../support/airflow/model/model.ts';
import type { VirtualTimers } from '../support/timers.ts';
import { createDice } from './dice.ts';
import type { Journal } from './journal.ts';
import { createAirflowLink } from './parts/airflow-link.ts';
import { createAlertChannel } from './parts/alert-receiver.ts';
import { createDocuments, type Documents } from './parts/documents.ts';
import { createFleet, type Fleet, type StartReplica } from './parts/fleet.ts';
import { currentLife, isTakingIn } from './parts/life.ts';
import { createMemoryStore, type MemoryStore } from './parts/memory-store.ts';
import { drawOutages, type Outages } from './parts/outages.ts';
import { OUR_PASSWORD, OUR_USER, startReplica } from './parts/replica.ts';
import { createReporter, type Reporter } from './parts/reporter.ts';
import { createStoreLink } from './parts/store-link.ts';
import type { Scenario } from './scenario/scenario.ts';
import { CALM, type Weather } from './scenario/weather.ts';

/** Everything that a simulation is made of: Airflow, the store, the replicas and what lies between them. */
export interface World {
  readonly model: AirflowModel;
  readonly api: AirflowApi;
  readonly store: MemoryStore;
  readonly fleet: Fleet;
  readonly reporter: Reporter;
  readonly documents: Documents;
  readonly isTroubled: () => boolean;
}

export interface WorldDeps {
  readonly scenario: Scenario;
  readonly timers: VirtualTimers;
  readonly journal: Journal;
}

export function createWorld({ scenario, timers, journal }: WorldDeps): World {
  const { seed } = scenario;
  const troubledUntilMs = timers.nowMs() + scenario.troubleMs;
  const isTroubled = () => timers.nowMs() < troubledUntilMs;
  const weather = () => (isTroubled() ? scenario.weather : CALM);
  const documents = createDocuments({ scenario, timers, journal, dice: createDice(seed, 'policies') });
  const model = createAirflowModel({
    version: scenario.airflow,
    timers,
    random: createDice(seed, 'airflow').random,
    latencies: MEASURED_LATENCIES,
    dags: scenario.dags,
    onCallback: (callback) => reporter.deliver(callback),
  });
  const api = createAirflowApi({
    model,
    auth: { users: { [OUR_USER]: OUR_PASSWORD }, tokenLifetimeMs: scenario.tokenLifetimeMs },
  });
  const store = createWatchedStore(journal, (by) => fleet.clockMs(by));
  const start = createStarter({ scenario, timers, journal, weather, documents, model, api, store, troubledUntilMs });
  const fleet = createFleet({ scenario, timers, journal, isTroubled, start, dice: createDice(seed, 'fleet') });
  const reporter = createReporter({
    ...{ fleet, timers, journal },
    dice: createDice(seed, 'callbacks'),
    weather: () => weather().callbacks,
  });
  return { model, api, store, fleet, reporter, documents, isTroubled };
}

function createWatchedStore(journal: Journal, clockOf: (by: string) => number): MemoryStore {
  const by = () => currentLife()?.name ?? 'nobody';
  return createMemoryStore({
    onSwap: (key, before, after, version) => {
      const about = { by: by(), clockMs: clockOf(by()), isIntake: isTakingIn() };
      const shown = { before: unlessForgotten(before), after: unlessForgotten(after) };
      journal.tell({ type: 'swapped', key, ...shown, version, ...about });
    },
    onTaken: (key, version, clockMs) => journal.tell({ type: 'taken', by: by(), key, version, clockMs }),
  });
}

/** What an operator has had counted anew is as good as gone; only the clears that were sent for it are remembered. */
export function unlessForgotten(record: RunRecord | null): RunRecord | null {
  return record?.phase === 'gave_up' && record.reason === 'reset_by_operator' ? null : record;
}

interface StarterDeps extends WorldDeps, Pick<World, 'model' | 'api' | 'store' | 'documents'> {
  readonly weather: () => Weather;
  readonly troubledUntilMs: number;
}

/** Connects a new process with everything around it. */
function createStarter(deps: StarterDeps): StartReplica {
  const { scenario, timers, journal, weather, documents, model, api, store } = deps;
  const diceOf = (part: string) => createDice(scenario.seed, part);
  const outagesOf = (part: string, perHour: number): Outages => {
    const dice = diceOf(`outages of ${part}`);
    return drawOutages({ timers, dice, perHour, untilMs: deps.troubledUntilMs, maxDurationMs: 15 * 60_000 });
  };
  const storeOutages = outagesOf('the store', scenario.weather.store.outagesPerHour);
  const airflowOutages = outagesOf('Airflow', scenario.weather.airflow.outagesPerHour);
  const dice = { links: diceOf('links'), alerts: diceOf('alerts'), engine: diceOf('engine') };
  let requests = 0;
  const nextRequest = () => {
    requests += 1;
    return requests;
  };

  return (slot, life, skewMs, worker) => {
    const link = { life, timers, dice: dice.links, journal };
    const alerts = { timers, dice: dice.alerts, journal, weather: () => weather().alerts };
    return startReplica({
      ...{ life, timers, skewMs, journal, scenario, worker, random: dice.engine.random },
      store: createStoreLink({ ...link, store, weather: () => weather().store, outages: storeOutages }),
      airflow: createAirflowLink({
        ...{ ...link, api, model, nextRequest },
        weather: () => weather().airflow,
        outages: airflowOutages,
      }),
      channels: scenario.channels.map((name) => createAlertChannel(name, life, alerts)),
      document: () => documents.ofSlot(slot),
    });
  };
}
