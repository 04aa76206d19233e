import { afterEach, expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import type { HealthCheck } from '../../src/http/health.ts';
import { healthRoutes } from '../../src/http/health.ts';
import { createFakeLog, type Serving, type ServingOptions, serve } from './serve.ts';

let http: Serving | null = null;
afterEach(async () => {
  await http?.close();
  http = null;
});

async function serving(options: ServingOptions): Promise<Serving> {
  http = await serve(options);
  return http;
}

const check = (name: string, ok: boolean, required = true): HealthCheck => ({
  name,
  required,
  run: async () => ({ ok, detail: ok ? 'answers' : 'does not answer' }),
});

test('the process lives, whatever its checks say', async () => {
  const { get } = await serving({ checks: [check('store', false)], isClosing: () => true });
  expect(await get('/livez')).toMatchObject({ status: 200, text: '{"status":"live"}' });
});

test('ready when every required check is fine; each is shown', async () => {
  const { get } = await serving({ checks: [check('store', true), check('orchestrator', false, false)] });
  const got = await get('/readyz');
  expect(got.status).toBe(200);
  expect(JSON.parse(got.text)).toEqual({
    status: 'ready',
    checks: {
      store: { ok: true, required: true, detail: 'answers' },
      orchestrator: { ok: false, required: false, detail: 'does not answer' },
    },
  });
});

test('not ready when a required check fails', async () => {
  const { get } = await serving({ checks: [check('store', false), check('orchestrator', true, false)] });
  const got = await get('/readyz');
  expect(got.status).toBe(503);
  expect(JSON.parse(got.text)).toMatchObject({ status: 'unready', checks: { store: { ok: false } } });
});

test('not ready while closing', async () => {
  let isClosing = false;
  const { get } = await serving({ checks: [check('store', true)], isClosing: () => isClosing });
  expect((await get('/readyz')).status).toBe(200);
  isClosing = true;
  const got = await get('/readyz');
  expect(got.status).toBe(503);
  expect(JSON.parse(got.text)).toMatchObject({ status: 'closing' });
});

test('a check that throws fails, and what it says stays in the log', async () => {
  const run = async () => {
    throw new DagainError('store_unavailable', 'connect ECONNREFUSED 10.0.0.5:6379');
  };
  const { get, log } = await serving({ checks: [{ name: 'store', required: true, run }] });
  const got = await get('/readyz');
  expect(got.status).toBe(503);
  expect(got.text).not.toContain('10.0.0.5');
  expect(log.lines).toMatchObject([{ level: 'warn', fields: { check: 'store' } }]);
});

test('a check that hangs fails in time, and is not started again while it hangs', async () => {
  let started = 0;
  const store: HealthCheck = {
    name: 'store',
    required: true,
    run() {
      started += 1;
      return new Promise(() => {});
    },
  };
  const routes = healthRoutes({ checks: [store], isClosing: () => false, log: createFakeLog(), timeoutMs: 20 });
  const { get } = await serving({ routes: routes.map((route) => ({ ...route, path: `/quick${route.path}` })) });
  const answers = await Promise.all([get('/quick/readyz'), get('/quick/readyz')]);
  for (const got of answers) {
    expect(got.status).toBe(503);
    expect(JSON.parse(got.text)).toMatchObject({ checks: { store: { ok: false, detail: 'no answer within 20 ms' } } });
  }
  await get('/quick/readyz');
  expect(started).toBe(1);
});
