import { describe, expect, test } from 'vitest';
import {
  type Behaviour,
  type DagDefinition,
  fail,
  killed,
  lost,
  succeed,
} from '../support/airflow/model/dag-definition.ts';
import { MEASURED_LATENCIES } from '../support/airflow/model/latencies.ts';
import type { AirflowModel } from '../support/airflow/model/model.ts';
import type { Run } from '../support/airflow/model/run-state.ts';
import { createSeededRandom, type Random } from '../support/airflow/model/seeded-random.ts';
import { AIRFLOW_VERSIONS } from '../support/airflow/model/versions.ts';
import { createScenario } from './scenario.ts';

const SEEDS = Array.from({ length: 25 }, (_, index) => index + 1);

describe.each(AIRFLOW_VERSIONS)('whatever persons, callbacks and clears do to Airflow %s', (version) => {
  test.each(SEEDS)('it comes to rest and stays consistent (seed %i)', async (seed) => {
    const random = createSeededRandom(seed);
    const dags = [drawDag('a', random), drawDag('b', random)];
    const { model, timers } = createScenario({ version, dags, random, latencies: MEASURED_LATENCIES });
    for (let index = 0; index < 6; index += 1) {
      model.trigger({ dagId: index % 2 === 0 ? 'a' : 'b', dagRunId: `run-${index}` });
    }
    for (let act = 0; act < 30; act += 1) {
      await timers.advanceBy(random() * 40_000);
      disturb(model, random);
    }
    for (const { dagId } of dags) model.person('alice').unpause(dagId);
    await timers.advanceUntilIdle(30 * 86_400_000);
    for (const run of model.runs()) check(run, version === '3.0');
  });
});

function pick<T>(items: readonly T[], random: Random): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

function drawBehaviour(random: Random): Behaviour {
  const durationMs = Math.round(random() * 20_000);
  const drawn = random();
  if (drawn < 0.5) return succeed(durationMs);
  if (drawn < 0.9) return fail({ durationMs, callbacks: Math.floor(random() * 3) });
  return drawn < 0.95 ? killed(durationMs) : lost(durationMs);
}

function drawDag(dagId: string, random: Random): DagDefinition {
  const tasks = Array.from({ length: 4 }, (_, index) => ({
    taskId: `t${index}`,
    upstream: index > 0 && random() < 0.7 ? [`t${index - 1}`] : [],
    triggerRule: pick(['all_success', 'all_success', 'all_done', 'one_failed'] as const, random),
    retries: random() < 0.3 ? 1 : 0,
    retryDelayMs: 10_000,
    script: () => drawBehaviour(random),
  }));
  return { dagId, maxActiveRuns: 2, tasks, ...(random() < 0.3 ? { dagrunTimeoutMs: 60_000 } : {}) };
}

function disturb(model: AirflowModel, random: Random): void {
  const runs = model.runs();
  if (runs.length === 0) return;
  const run = pick(runs, random);
  const alice = model.person('alice');
  const acts = [
    () => model.clearing.clearRun(run, { owner: 'dagain', onlyFailed: random() < 0.5 }),
    () => model.clearing.clearRun(run, { owner: 'dagain' }),
    () => model.clearing.clearTasks(run, { owner: 'alice', preventRunningTask: random() < 0.5 }),
    () => alice.markFailed(run),
    () => alice.markSuccess(run),
    () => (random() < 0.3 ? alice.deleteRun(run) : false),
    () => (random() < 0.5 ? alice.pause(run.dagId) : alice.unpause(run.dagId)),
  ];
  pick(acts, random)();
}

function check(run: Run, canStick: boolean): void {
  const isStuck = run.taskInstances.some((instance) => instance.state === 'restarting');
  if (isStuck) expect(canStick).toBe(true);
  // In Airflow 3.0, a run whose task sticks holds its place among the active ones for ever.
  else if (!canStick) expect(['success', 'failed']).toContain(run.state);
  expect(run.attempts.map((attempt) => attempt.number)).toEqual(run.attempts.map((_, index) => index + 1));
  expect(run.attempts.slice(0, -1).every((attempt) => attempt.outcome !== null)).toBe(true);
  for (const instance of run.taskInstances) {
    const tries = instance.tries.map((archived) => archived.tryNumber);
    expect(tries).toEqual([...new Set(tries)].sort((a, b) => a - b));
    expect(tries.every((tryNumber) => tryNumber <= instance.tryNumber)).toBe(true);
  }
}
