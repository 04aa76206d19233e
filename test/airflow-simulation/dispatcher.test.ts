import { request } from 'undici';
import { expect, test } from 'vitest';
import { createAirflowDispatcher } from '../support/airflow/dispatcher.ts';
import { createFailedRun } from './api-scenario.ts';
import { KEY } from './scenario.ts';

async function start() {
  const scenario = await createFailedRun({ auth: { anonymous: true } });
  const dispatcher = createAirflowDispatcher(scenario.api);
  const send = (method: 'GET' | 'POST', path: string, body?: unknown, signal?: AbortSignal) =>
    request(`http://airflow.test${path}`, {
      method,
      dispatcher,
      headers: { 'Content-Type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  return { ...scenario, send };
}

test('undici reads and clears without a socket', async () => {
  const { send, runPath, model } = await start();
  const read = await send('GET', runPath);
  expect(read.statusCode).toBe(200);
  expect(await read.body.json()).toMatchObject({ dag_run_id: KEY.dagRunId, state: 'failed' });
  const cleared = await send('POST', `${runPath}/clear`, { dry_run: false });
  expect(await cleared.body.json()).toMatchObject({ state: 'queued' });
  expect(model.clearsOf(KEY)).toHaveLength(1);
});

test('a broken connection is the error that a socket would give', async () => {
  const { send, runPath, api, model } = await start();
  api.faults.add({ route: 'clear', action: { type: 'reset', when: 'after' } });
  await expect(send('POST', `${runPath}/clear`, { dry_run: false })).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(model.clearsOf(KEY)).toHaveLength(1);
});

test('a request that hangs ends when its caller gives up', async () => {
  const { send, runPath, api } = await start();
  api.faults.add({ route: 'run', action: { type: 'hang' } });
  const caller = new AbortController();
  const answer = send('GET', runPath, undefined, caller.signal);
  caller.abort(new Error('given up'));
  await expect(answer).rejects.toThrow('given up');
});
