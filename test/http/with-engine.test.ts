import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PolicyLayer } from '../../src/core/policy-layer.ts';
import { resolvePolicy } from '../../src/core/resolve-policy.ts';
import { BUILT_IN_TIMING, type Rules } from '../../src/core/rules.ts';
import { createIntake } from '../../src/engine/intake.ts';
import { createSwapLoop, type SwapLoopDeps } from '../../src/engine/swap-loop.ts';
import { CallbackAnswer } from '../../src/http/callbacks.ts';
import { createPrometheusTelemetry } from '../../src/http/metrics/telemetry.ts';
import { RunView } from '../../src/http/run-view.ts';
import { type StoreData, sqliteData } from '../support/store-harness.ts';
import { createVirtualTimers } from '../support/timers.ts';
import { BAD_INPUTS } from './bad-inputs.ts';
import { createFakeLog, NOW_MS, runsIn, type Serving, serve, TASK_FAILED } from './serve.ts';

let data: StoreData;
let http: Serving;

/** The built-in policy and the callback's own layer over it. */
const policies: SwapLoopDeps['policies'] = {
  async rulesFor(_dagId, override): Promise<Rules> {
    const layers = override === null ? [] : [{ source: 'callback', layer: PolicyLayer.parse(override) }];
    return {
      policy: resolvePolicy(layers, {}, []).policy,
      timing: BUILT_IN_TIMING,
      isProvisional: false,
      isOverrideClamped: false,
      pause: null,
      isShadow: false,
    };
  },
  refresh: async () => true,
  explain: () => Promise.reject(new Error('not asked for here')),
};

beforeAll(async () => {
  data = await sqliteData();
  const store = await data.open();
  const clock = createVirtualTimers({ startMs: NOW_MS });
  const registry = new Registry();
  const telemetry = createPrometheusTelemetry({ registry });
  const swapLoop = createSwapLoop({ store, policies, clock, random: () => 0, telemetry, onDue: () => {} });
  const intake = createIntake({ swapLoop, log: createFakeLog(), telemetry });
  http = await serve({ intake, runs: runsIn(store), registry });
});
afterAll(async () => {
  await http.close();
  await data.dispose();
});

async function report(name: string, body: object): Promise<CallbackAnswer> {
  const got = await http.post(`/v1/callbacks/${name}`, body);
  expect(got.status).toBe(202);
  return CallbackAnswer.parse(JSON.parse(got.text));
}

async function show(dagRunId: string): Promise<RunView> {
  return RunView.parse(JSON.parse((await http.get(`/v1/runs/etl/${encodeURIComponent(dagRunId)}`)).text));
}

test('a report is stored with its own policy when it is answered', async () => {
  const answer = await report('task-failed', {
    ...TASK_FAILED,
    exception: { type: 'ValueError', message: 'no rows' },
    retry: { max_retries: 3, delay: '30s', jitter: 'none' },
  });
  expect(answer).toEqual({
    decision: 'retry_scheduled',
    dag_id: 'etl',
    dag_run_id: TASK_FAILED.dag_run_id,
    next_attempt: 2,
    retries_used: 0,
    max_retries: 3,
    due_at: '2026-01-01T12:00:30.000Z',
    reason: 'failure_reported',
  });
  const again = await report('task-failed', TASK_FAILED);
  expect(again).toMatchObject({ decision: 'already_scheduled', max_retries: 3, due_at: answer.due_at });
  expect(await show(TASK_FAILED.dag_run_id)).toMatchObject({
    phase: 'confirming',
    attempt: 1,
    due_at: '2026-01-01T12:00:30.000Z',
    failures: [{ task_id: 'load', exception: { type: 'ValueError', message: 'no rows' } }],
  });
});

test('many tasks of one run, reported at once, are one retry', async () => {
  const reports = Array.from({ length: 20 }, (_, n) => ({ dag_id: 'etl', run_id: 'wide', task_id: `t${n}` }));
  const answers = await Promise.all(reports.map((body) => report('task-failed', body)));
  expect(answers.filter(({ decision }) => decision === 'retry_scheduled')).toHaveLength(1);
  expect((await show('wide')).failures).toHaveLength(20);
});

test('what must not be retried leaves nothing behind', async () => {
  const answer = await report('task-failed', {
    ...TASK_FAILED,
    run_id: 'off',
    dag_run_id: null,
    retry: { max_retries: 0 },
  });
  expect(answer).toMatchObject({ decision: 'not_retryable', reason: 'retries_off', next_attempt: null, due_at: null });
  expect((await http.get('/v1/runs/etl/off')).status).toBe(404);
});

test('a success of which nothing is known', async () => {
  const answer = await report('run-succeeded', { dag_id: 'etl', run_id: 'never_failed' });
  expect(answer).toMatchObject({ decision: 'unknown_run', reason: 'no_record' });
});

test('bad input stores nothing', async () => {
  const before = (await http.get('/v1/runs')).text;
  for (const { sent } of BAD_INPUTS) await http.send(sent);
  expect((await http.get('/v1/runs')).text).toBe(before);
});
