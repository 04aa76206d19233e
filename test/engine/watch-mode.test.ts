import { describe, expect, test } from 'vitest';
import { PolicyLayer, PolicyLimits } from '../../src/core/policy-layer.ts';
import { BUILT_IN_TIMING } from '../../src/core/rules.ts';
import { createDagTags } from '../../src/engine/dag-tags.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { Log } from '../../src/engine/log.ts';
import { createPolicies } from '../../src/engine/policies.ts';
import { createPrometheusTelemetry } from '../../src/http/metrics/telemetry.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { createAirflow } from '../../src/orchestrator/airflow/airflow.ts';
import { createApiScenario } from '../airflow-simulation/api-scenario.ts';
import { createAirflowDispatcher } from '../support/airflow/dispatcher.ts';
import { type DagDefinition, fail, lost, succeed } from '../support/airflow/model/dag-definition.ts';
import { createMemoryStore } from './memory-store.ts';

const SILENT = { taskFailed: false, runFailed: false, runSucceeded: false };
const dag = (dagId: string, script: DagDefinition['tasks'][number]['script'], tags: string[] = []): DagDefinition => ({
  dagId,
  tags,
  callbacks: SILENT,
  tasks: [{ taskId: 'load', ...(script === undefined ? {} : { script }) }],
});
const DAGS = [
  dag('fails_twice', [fail(), fail(), succeed()]),
  dag('fails_for_ever', [fail()]),
  dag('loses_its_worker', [lost()]),
  dag('switched_off', [fail()], ['dagain/max_retries=0']),
];
const LOG: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** The whole engine in watch mode over a simulated Airflow from which no callback comes; `replicas` share one store. */
async function setUp(version: '2.11' | '3.0' | '3.3', replicas = 1) {
  const scenario = createApiScenario({ version, dags: DAGS });
  const { timers: clock, model } = scenario;
  const store = createMemoryStore();
  const registry = createMetricsRegistry({ version: 'test' });
  const telemetry = createPrometheusTelemetry({ registry });
  const file = { defaults: PolicyLayer.parse({ delay: '10s' }), dags: [], limits: PolicyLimits.parse({}) };
  const open = () => {
    const orchestrator = createAirflow({
      url: 'http://airflow.test',
      credentials: { type: 'password', username: 'admin', password: 'admin' },
      clock,
      dispatcher: createAirflowDispatcher(scenario.api),
    });
    const tags = createDagTags({ orchestrator, clock, log: LOG });
    const current = { environment: {}, file };
    const policies = createPolicies({ current: () => current, timing: BUILT_IN_TIMING, alertChannels: [], tags });
    const search = { intervalMs: 30_000, lookBackMs: 24 * 3_600_000 };
    const parts = { store, orchestrator, channels: [], policies, clock, log: LOG, telemetry, search };
    return createEngine({ ...parts, random: () => 0.5 });
  };
  const engines = Array.from({ length: replicas }, open);
  for (const engine of engines) engine.start();
  await clock.advanceBy(60_000);
  const stop = () => Promise.all(engines.map((engine) => engine.stop()));
  const clears = () => model.audit.entries().filter(({ event }) => event.endsWith('clear_dag_run')).length;
  return { ...scenario, store, open, stop, clears, metrics: () => registry.metrics() };
}

describe.each(['2.11', '3.0', '3.3'] as const)('Airflow %s without a single callback', (version) => {
  test.each([1, 3])('a run is retried until it succeeds, by %i replicas', async (replicas) => {
    const { model, timers, store, stop, clears, callbacks, metrics } = await setUp(version, replicas);
    const key = { dagId: 'fails_twice', dagRunId: 'r1' };
    model.trigger(key);
    await timers.advanceBy(1_800_000);
    expect([model.stateOf(key), clears(), callbacks.length, store.get(key)]).toEqual(['success', 2, 0, null]);
    expect(await metrics()).toContain('dagain_watch_found_runs_total{result="taken_up"} 1');
    await stop();
  });

  test('a run that never works is given up, and stays so over a restart', async () => {
    const { model, timers, store, stop, open, clears } = await setUp(version);
    const key = { dagId: 'fails_for_ever', dagRunId: 'r1' };
    model.trigger(key);
    await timers.advanceBy(240_000);
    await stop();
    const again = open();
    again.start();
    await timers.advanceBy(1_800_000);
    expect(clears()).toBe(2);
    expect(store.get(key)).toMatchObject({ phase: 'gave_up', reason: 'max_retries_reached' });
    await again.stop();
  });

  test('even a store that is emptied again and again adds no attempt', async () => {
    const { model, timers, store, stop, clears } = await setUp(version);
    model.trigger({ dagId: 'fails_for_ever', dagRunId: 'r1' });
    for (let times = 0; times < 20; times += 1) {
      await timers.advanceBy(97_000);
      store.empty();
    }
    await timers.advanceBy(1_800_000);
    expect(clears()).toBe(2);
    await stop();
  });

  test('a lost worker is told from a failure of the task', async () => {
    const { model, timers, store, stop } = await setUp(version);
    const found = async (dagId: string) => {
      model.trigger({ dagId, dagRunId: 'r1' });
      await timers.advanceUntil(() => store.get({ dagId, dagRunId: 'r1' }) !== null, 1_800_000);
      return store.get({ dagId, dagRunId: 'r1' })?.failures[0]?.failureClass;
    };
    expect(await found('loses_its_worker')).toBe('infra');
    expect(await found('fails_for_ever')).toBe('task_error');
    await stop();
  });

  test('a Dag that its tags switch off is left alone', async () => {
    const { model, timers, stop, store, clears } = await setUp(version);
    model.trigger({ dagId: 'switched_off', dagRunId: 'r1' });
    await timers.advanceBy(1_800_000);
    expect([clears(), store.swaps]).toEqual([0, 0]);
    await stop();
  });
});
