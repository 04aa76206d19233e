import type { RunKey } from '../../src/core/run-key.ts';
import { createVirtualTimers, type VirtualTimers } from '../support/timers.ts';
import { checkAlerts } from './checks/alerts.ts';
import { checkCallbacks } from './checks/callbacks.ts';
import { checkClears } from './checks/clears.ts';
import type { CheckContext } from './checks/context.ts';
import { checkCounts } from './checks/counts.ts';
import { checkLeases } from './checks/leases.ts';
import { checkRest, type RestCheck } from './checks/rest.ts';
import { createDice } from './dice.ts';
import { createJournal, type Journal, type Violation } from './journal.ts';
import { createLosses } from './parts/losses.ts';
import { createOperators, type Operators } from './parts/operators.ts';
import { momentsOf } from './parts/outages.ts';
import { createPersons, type Persons } from './parts/persons.ts';
import { replaceProcessTimers } from './parts/process-timers.ts';
import { causeTrouble } from './parts/troubles.ts';
import { drawScenario, type Scenario } from './scenario/scenario.ts';
import { createStage } from './stage.ts';
import { createWorld, unlessForgotten, type World } from './world.ts';

export interface SimulationResult {
  readonly seed: number;
  readonly violation: Violation | null;
  /** How often what happened. */
  readonly tally: ReadonlyMap<string, number>;
  readonly steps: number;
  readonly virtualMs: number;
}

export interface SimulationOptions {
  readonly trace?: (line: string) => void;
}

interface Simulation {
  readonly scenario: Scenario;
  readonly timers: VirtualTimers;
  readonly journal: Journal;
}

const MINUTE_MS = 60_000;
/** What has not come to rest so long after the trouble never will. */
const REST_LIMIT_MS = 16 * 60 * MINUTE_MS;
/** Runs that do not end by themselves, such as those that Airflow 3.0 leaves stuck, are ended by a person. */
const PATIENCE_MS = 60 * MINUTE_MS;
/** Some rounds of everything that a process does by itself. */
const QUIET_MS = 10 * MINUTE_MS;

/** One history of the whole service on virtual time, all of it decided by `seed`. Ends at the first violation. */
export async function simulate(seed: number, { trace }: SimulationOptions = {}): Promise<SimulationResult> {
  const timers = createVirtualTimers();
  const startMs = timers.nowMs();
  const journal = createJournal({ nowMs: timers.nowMs, trace });
  const putBack = replaceProcessTimers(timers);
  try {
    const steps = await play({ scenario: drawScenario(seed), timers, journal });
    return { seed, violation: journal.violation, tally: journal.tally, steps, virtualMs: timers.nowMs() - startMs };
  } finally {
    putBack();
  }
}

async function play(simulation: Simulation): Promise<number> {
  const { scenario, timers, journal } = simulation;
  journal.tell({ type: 'note', text: `Airflow ${scenario.airflow}: ${JSON.stringify(scenario)}` });
  const world = createWorld(simulation);
  journal.tell({ type: 'note', text: `policies: ${JSON.stringify(world.documents.ofSlot(0))}` });
  const persons = createPersons({ ...world, timers, journal, dice: createDice(scenario.seed, 'persons') });
  const operators = createOperators({
    ...{ ...world, timers, journal, keys: keysOf(scenario), stored: world.store.peek },
    pauses: world.store.peekPauses,
    dice: createDice(scenario.seed, 'operators'),
  });
  const rest = attachChecks(simulation, world);
  const stage = createStage(timers, () => journal.violation !== null);
  plan(simulation, world, { persons, operators });
  await stage.advanceTo(timers.nowMs() + scenario.troubleMs);
  persons.unpauseAll();
  await comeToRest(simulation, world, { persons, operators }, rest, stage.advanceTo);
  if (journal.violation !== null) return stage.steps();
  rest.check();
  await stage.advanceWhile(world.fleet.stopAll());
  world.fleet.startCaretaker();
  const untilMs = timers.nowMs() + scenario.timing.tombstoneMs + 2 * PATIENCE_MS;
  let wasEmpty = false;
  // What is looked for only now may come back once, and must go again.
  while (!(wasEmpty && world.store.size() === 0) && timers.nowMs() < untilMs && journal.violation === null) {
    wasEmpty = world.store.size() === 0;
    await stage.advanceTo(timers.nowMs() + QUIET_MS);
  }
  if (world.store.size() > 0 && journal.violation === null)
    journal.violate('nothing is left', `${world.store.size()} records outlive their time`);
  return stage.steps();
}

function keysOf({ runs }: Scenario): RunKey[] {
  return runs.map(({ dagId, dagRunId }) => ({ dagId, dagRunId }));
}

function attachChecks({ scenario, timers, journal }: Simulation, world: World): RestCheck {
  const context: CheckContext = {
    ...{ journal, scenario, model: world.model },
    nowMs: timers.nowMs,
    pauses: world.store.peekPauses,
    stored: (key) => unlessForgotten(world.store.peek(key)),
    // Replicas are called a1, b2 and so on; who looks after what is left at the end has the first one's file.
    documentsOf: (by) => world.documents.latelyOfSlot(by === 'caretaker' ? 0 : by.charCodeAt(0) - 97),
    shortestDelayMs: () => world.documents.shortestDelayMs(),
  };
  const alerts = checkAlerts(context);
  const rest = checkRest(context, () => keysOf(scenario), alerts);
  for (const check of [checkCounts, checkClears, checkLeases, checkCallbacks]) journal.watch(check(context));
  journal.watch(alerts.watch);
  journal.watch(rest.watch);
  return rest;
}

/** Everything that comes from outside: runs are triggered, people act, policies change, Airflow has its moods. */
interface People {
  readonly persons: Persons;
  readonly operators: Operators;
}

function plan({ scenario, timers, journal }: Simulation, world: World, { persons, operators }: People): void {
  const { model, documents } = world;
  const dice = createDice(scenario.seed, 'plan');
  for (const { dagId, dagRunId, runType, afterMs } of scenario.runs) {
    timers.schedule(afterMs, () => void model.trigger({ dagId, dagRunId }, { runType }));
  }
  const nowMs = timers.nowMs();
  const happens = (perHour: number, act: () => void) => {
    for (const atMs of momentsOf(dice, perHour, nowMs, nowMs + scenario.troubleMs)) timers.schedule(atMs - nowMs, act);
  };
  const { personActsPerHour, operatorActsPerHour, reloadsPerHour, airflow, callbacks, store } = scenario.weather;
  happens(personActsPerHour, () => persons.meddle());
  if (personActsPerHour > 0) journal.watch((event) => persons.interfere(event));
  happens(operatorActsPerHour, () => operators.meddle());
  happens(callbacks.strayPerHour, () => world.reporter.stray(dice.pick(keysOf(scenario))));
  happens(reloadsPerHour, () => documents.change());
  const losses = createLosses({ store: world.store, journal, dice: createDice(scenario.seed, 'losses') });
  happens(store.lossesPerHour * 2, () => losses.takeSnapshot());
  happens(store.lossesPerHour, () => losses.strike());
  const troubles = { ...world, timers, journal, dice: createDice(scenario.seed, 'troubles') };
  happens(airflow.troublesPerHour, () => causeTrouble(troubles));
}

async function comeToRest(
  { timers, journal }: Simulation,
  { model, reporter }: World,
  { persons, operators }: People,
  rest: RestCheck,
  advanceTo: (timeMs: number) => Promise<void>,
): Promise<void> {
  const untilMs = timers.nowMs() + REST_LIMIT_MS;
  let nextHelpMs = timers.nowMs() + PATIENCE_MS;
  let quietRounds = 0;
  // What is quiet may still be on its way to us: callbacks come up to some seconds after their run has ended.
  while (quietRounds < 2 && journal.violation === null) {
    await advanceTo(timers.nowMs() + MINUTE_MS);
    operators.resumeAll();
    const unrest = reporter.pending() > 0 ? 'callbacks are under way' : rest.unrest();
    quietRounds = unrest === null ? quietRounds + 1 : 0;
    if (unrest !== null && timers.nowMs() > untilMs) journal.violate('everything comes to rest', unrest);
    if (timers.nowMs() < nextHelpMs) continue;
    nextHelpMs += PATIENCE_MS;
    for (const run of model.runs()) if (run.state === 'queued' || run.state === 'running') persons.finish(run);
  }
}
