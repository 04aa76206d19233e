import { afterEach, expect, test } from 'vitest';
import type { Callback } from '../support/airflow/model/callbacks.ts';
import { createAirflowModel } from '../support/airflow/model/model.ts';
import { type AirflowServer, serveAirflow } from '../support/airflow/serve.ts';
import { createRealTimers } from '../support/timers.ts';
import { FAILS_ONCE, KEY } from './scenario.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function start() {
  const timers = createRealTimers({ speed: 500 });
  const callbacks: Callback[] = [];
  const seen: (() => void)[] = [];
  const onCallback = (callback: Callback) => {
    callbacks.push(callback);
    for (const notice of seen.splice(0)) notice();
  };
  const model = createAirflowModel({ version: '3.3', timers, dags: [FAILS_ONCE], onCallback });
  const server = await serveAirflow({ model });
  open.push(async () => {
    timers.stop();
    await server.close();
  });
  const untilCallback = async (type: Callback['type']) => {
    while (!callbacks.some((callback) => callback.type === type))
      await new Promise<void>((notice) => seen.push(notice));
  };
  return { model, server, untilCallback };
}

async function fetchAs(server: AirflowServer, method: string, path: string, body?: unknown) {
  const login = await fetch(`${server.url}/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'admin', password: 'admin' }),
  });
  const { access_token: token } = Object(await login.json());
  return fetch(`${server.url}/api/v2${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

const RUN = `/dags/etl/dagRuns/${encodeURIComponent(KEY.dagRunId)}`;

test('a run is triggered, fails, is cleared and succeeds over HTTP', async () => {
  const { server, untilCallback, model } = await start();
  const trigger = { dag_run_id: KEY.dagRunId, logical_date: null };
  expect((await fetchAs(server, 'POST', '/dags/etl/dagRuns', trigger)).status).toBe(200);
  await untilCallback('run-failed');
  expect(await (await fetchAs(server, 'GET', RUN)).json()).toMatchObject({ state: 'failed' });
  expect(await (await fetchAs(server, 'POST', `${RUN}/clear`, { dry_run: false })).json()).toMatchObject({
    state: 'queued',
  });
  await untilCallback('run-succeeded');
  expect(model.attemptsOf(KEY)).toHaveLength(2);
});

test('a reset after the clear breaks the connection, but the clear was carried out', async () => {
  const { server, model, untilCallback } = await start();
  model.trigger(KEY);
  await untilCallback('run-failed');
  server.faults.add({ route: 'clear', action: { type: 'reset', when: 'after' } });
  await expect(fetchAs(server, 'POST', `${RUN}/clear`, { dry_run: false })).rejects.toThrow();
  expect(model.clearsOf(KEY)).toHaveLength(1);
});

test('closing ends requests that hang', async () => {
  const { server, model } = await start();
  model.trigger(KEY);
  server.faults.add({ route: 'run', action: { type: 'hang' } });
  const answer = fetchAs(server, 'GET', RUN).then(
    () => 'answered',
    () => 'broken off',
  );
  while (server.requests.count('run') === 0) await new Promise((resolve) => setImmediate(resolve));
  await server.close();
  expect(await answer).toBe('broken off');
});

test('the path reaches the routes as it was sent', async () => {
  const { server, model } = await start();
  model.trigger(KEY);
  expect((await fetchAs(server, 'GET', '/dags/etl/dagRuns/manual__2026-01-01T00:00:00+00:00')).status).toBe(200);
  expect((await fetchAs(server, 'GET', '/dags/etl/dagRuns/a%2Fb')).status).toBe(404);
  expect(server.requests.of('run').at(-1)?.path).toContain('00:00:00+00:00');
});
