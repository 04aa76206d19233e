import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { type App, createApp, createLog } from '../../src/app.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import { signed } from '../http/signing.ts';
import { createVirtualTimers, type VirtualTimers } from '../support/timers.ts';

const SECRET = 'a shared secret';
const MINUTE = 60_000;
const BODY = JSON.stringify({ dag_id: 'etl', dag_run_id: 'r', task_id: 'load' });
const OTHER_BODY = JSON.stringify({ dag_id: 'etl', dag_run_id: 'r', task_id: 'publish' });
const Answer = z.looseObject({ code: z.string().optional(), decision: z.string().optional() });

let folder: string;
let clock: VirtualTimers;
let apps: App[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-ids-'));
  // Near real time, by which Redis lets ids expire.
  clock = createVirtualTimers({ startMs: Date.now() });
  apps = [];
});
afterEach(async () => {
  await Promise.all(apps.map((app) => app.stop()));
  rmSync(folder, { recursive: true });
});

const STORES = {
  sqlite: () => ({ DAGAIN_DATA_DIR: folder }),
  redis: () => ({ DAGAIN_REDIS_URL: inject('redisUrl'), DAGAIN_NAMESPACE: `test-${randomUUID()}` }),
};

async function start(store: Readonly<Record<string, string>>): Promise<{ app: App; url: string }> {
  const app = await createApp({
    clock,
    log: createLog('silent'),
    environment: readEnvironment({
      DAGAIN_PORT: '0',
      DAGAIN_AIRFLOW_URL: 'http://127.0.0.1:1',
      DAGAIN_WEBHOOK_SECRET: SECRET,
      ...store,
    }),
  });
  apps.push(app);
  return { app, ...(await app.start()) };
}

async function deliver(url: string, body = BODY, id = 'msg_1', path = 'task-failed', signedAtMs = clock.nowMs()) {
  const timestamp = Math.floor(signedAtMs / 1_000);
  const answer = await fetch(`${url}/v1/callbacks/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...signed(body, { key: SECRET, id, timestamp }) },
    body,
  });
  const { code, decision } = Answer.parse(await answer.json());
  return [answer.status, code ?? decision];
}

const REFUSED = [409, 'webhook_id_reused'];

describe.each(Object.entries(STORES))('webhook ids on %s', (_name, settings) => {
  test('a delivery that is sent again is a duplicate; its id for anything else is refused', async () => {
    const { url } = await start(settings());
    expect(await deliver(url)).toEqual([202, 'retry_scheduled']);
    expect(await deliver(url)).toEqual([202, 'already_scheduled']);
    expect(await deliver(url, OTHER_BODY)).toEqual(REFUSED);
    expect(await deliver(url, BODY, 'msg_1', 'run-succeeded')).toEqual(REFUSED);
  });

  test('are still known after a restart', async () => {
    const store = settings();
    const first = await start(store);
    expect(await deliver(first.url)).toEqual([202, 'retry_scheduled']);
    await first.app.stop();
    const { url } = await start(store);
    expect(await deliver(url, BODY, 'msg_1', 'run-succeeded')).toEqual(REFUSED);
    expect(await deliver(url, OTHER_BODY)).toEqual(REFUSED);
    expect(await deliver(url)).toEqual([202, 'already_scheduled']);
  });

  test('are known to every service on the same store', async () => {
    const store = settings();
    const [one, other] = await Promise.all([start(store), start(store)]);
    expect(await deliver(one.url)).toEqual([202, 'retry_scheduled']);
    expect(await deliver(other.url, BODY, 'msg_1', 'run-succeeded')).toEqual(REFUSED);
  });

  test('of many bodies under one id at once, exactly one is taken in', async () => {
    const store = settings();
    const urls = (await Promise.all([start(store), start(store)])).map(({ url }) => url);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => {
        const body = JSON.stringify({ dag_id: 'etl', dag_run_id: `r${n}`, task_id: 'load' });
        return deliver(urls[n % 2] ?? '', body, 'msg_1');
      }),
    );
    expect(answers.map(([status]) => status).sort()).toEqual([202, ...Array.from({ length: 19 }, () => 409)]);
  });

  test('a signature of more than five minutes ago is refused, whatever its id', async () => {
    const { url } = await start(settings());
    const sentAtMs = clock.nowMs();
    await clock.advanceBy(6 * MINUTE);
    expect(await deliver(url, BODY, 'msg_1', 'task-failed', sentAtMs)).toEqual([401, 'unauthenticated']);
  });
});

test('on sqlite ids are kept for as long as a signature can come back, and then make room', async () => {
  const { url } = await start(STORES.sqlite());
  expect(await deliver(url)).toEqual([202, 'retry_scheduled']);
  await clock.advanceBy(9 * MINUTE);
  expect(await deliver(url, OTHER_BODY)).toEqual(REFUSED);
  await clock.advanceBy(2 * MINUTE);
  expect(await deliver(url, OTHER_BODY)).toEqual([202, 'already_scheduled']);
});
