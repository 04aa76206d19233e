import { describe, expect, test } from 'vitest';
import { ConnectionResetError } from '../support/airflow/api/messages.ts';
import { createFailedRun } from './api-scenario.ts';
import { KEY } from './scenario.ts';

const CLEAR = { dry_run: false };

describe('an answer that is lost', () => {
  test('after the clear was carried out', async () => {
    const { api, call, runPath, model } = await createFailedRun();
    api.faults.add({ route: 'clear', action: { type: 'reset', when: 'after' } });
    await expect(call('POST', `${runPath}/clear`, CLEAR)).rejects.toThrow(ConnectionResetError);
    expect(model.stateOf(KEY)).toBe('queued');
    expect(model.clearsOf(KEY)).toHaveLength(1);
    expect(await call('GET', runPath)).toMatchObject({ status: 200 });
  });

  test('before Airflow saw the request', async () => {
    const { api, call, runPath, model } = await createFailedRun();
    api.faults.add({ route: 'clear', action: { type: 'reset' } });
    await expect(call('POST', `${runPath}/clear`, CLEAR)).rejects.toThrow('ECONNRESET');
    expect(model.clearsOf(KEY)).toEqual([]);
  });

  test('for ever, until the caller gives up', async () => {
    const { api, runPath, model } = await createFailedRun({ auth: { anonymous: true } });
    api.faults.add({ route: 'clear', action: { type: 'hang', when: 'after' } });
    const caller = new AbortController();
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', path: `${runPath}/clear`, headers, body: JSON.stringify(CLEAR) };
    const answer = api.handle({ ...request, signal: caller.signal });
    caller.abort();
    await expect(answer).rejects.toThrow('ECONNRESET');
    expect(model.clearsOf(KEY)).toHaveLength(1);
    expect(api.requests.of('clear')).toMatchObject([{ status: null }]);
  });
});

describe.each([
  ['before', 0],
  ['after', 1],
] as const)('a 503 %s the clear', (when, clears) => {
  test('with Retry-After', async () => {
    const { api, call, runPath, model } = await createFailedRun();
    api.faults.add({ route: 'clear', action: { type: 'status', status: 503, retryAfter: '30', when } });
    expect(await call('POST', `${runPath}/clear`, CLEAR)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '30' },
    });
    expect(model.clearsOf(KEY)).toHaveLength(clears);
  });
});

test('answers that are none', async () => {
  const { api, call, runPath } = await createFailedRun();
  api.faults.add({ route: 'run', action: { type: 'html' } });
  expect(await call('GET', runPath)).toMatchObject({ status: 200, body: expect.stringContaining('log in') });
  api.faults.add({ route: 'run', action: { type: 'truncated' } });
  expect(await call('GET', runPath)).toMatchObject({ status: 200, body: expect.stringMatching(/^\{"dag_run_id/) });
  api.faults.add({ route: 'run', action: { type: 'empty' } });
  expect(await call('GET', runPath)).toMatchObject({ status: 200, body: '' });
  api.faults.add({ route: 'run', action: { type: 'redirect', location: '/login' } });
  expect(await call('GET', runPath)).toMatchObject({ status: 302, headers: { location: '/login' } });
  api.faults.add({ route: 'run', action: { type: 'enormous', bytes: 1_000 } });
  expect(await call('GET', runPath)).toMatchObject({ status: 200, body: { padding: 'x'.repeat(1_000) } });
  expect(api.faults.injected()).toBe(5);
});

test('a delay passes on virtual time, and what it delays happens at its end', async () => {
  const { api, call, runPath, model, timers } = await createFailedRun();
  api.faults.add({ route: 'clear', action: { type: 'delay', delayMs: 30_000 } });
  const answer = call('POST', `${runPath}/clear`, CLEAR);
  await timers.advanceBy(29_000);
  expect(model.clearsOf(KEY)).toEqual([]);
  await timers.advanceBy(1_000);
  expect(await answer).toMatchObject({ status: 200 });
  expect(model.clearsOf(KEY)).toMatchObject([{ atMs: timers.nowMs() }]);
});

test('rules count their own requests, the first one wins, and they can be taken back', async () => {
  const { api, call, runPath } = await createFailedRun();
  const statuses = async (count: number) => {
    const seen = [];
    for (let index = 0; index < count; index += 1) seen.push((await call('GET', runPath)).status);
    return seen;
  };
  api.faults.add({ method: 'GET', path: /dagRuns/, nth: 2, times: 2, action: { type: 'status', status: 502 } });
  api.faults.add({ route: 'clear', times: 10, action: { type: 'status', status: 500 } });
  expect(await statuses(5)).toEqual([200, 502, 502, 200, 200]);
  const remove = api.faults.add({ times: 10, action: { type: 'status', status: 429 } });
  expect(await statuses(1)).toEqual([429]);
  remove();
  expect(await statuses(1)).toEqual([200]);
  api.faults.setChooser((_, route) => (route === 'run' ? { type: 'status', status: 500 } : null));
  expect(await statuses(1)).toEqual([500]);
  api.faults.clear();
  expect(await statuses(1)).toEqual([200]);
});

test('requests are counted by route', async () => {
  const { api, call, runPath, base, timers } = await createFailedRun();
  await call('GET', runPath);
  await call('GET', `${base}/dags/etl/dagRuns?state=failed`);
  await call('POST', `${runPath}/clear`, CLEAR);
  await call('GET', `${base}/nothing`);
  expect(api.requests.count()).toBe(4);
  expect(api.requests.count('run')).toBe(1);
  expect(api.requests.count('runs')).toBe(1);
  expect(api.requests.of('clear')).toMatchObject([
    { atMs: timers.nowMs(), method: 'POST', status: 200, body: '{"dry_run":false}' },
  ]);
  expect(api.requests.all().at(-1)).toMatchObject({ route: 'unknown', status: 404 });
  api.requests.reset();
  expect(api.requests.count()).toBe(0);
});
