import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { type DagDefinition, fail, killed, succeed } from '../support/airflow/model/dag-definition.ts';
import type { RunKey } from '../support/airflow/model/run-state.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { post, type Stack, startStack, until, viewOf } from './stack.ts';

const QUICK_MS = 30;
const DAGS: readonly DagDefinition[] = [
  {
    dagId: 'twice',
    tasks: [
      { taskId: 'extract', script: [succeed(QUICK_MS)] },
      {
        taskId: 'load',
        upstream: ['extract'],
        script: [fail({ durationMs: QUICK_MS }), fail({ durationMs: QUICK_MS }), succeed(QUICK_MS)],
      },
    ],
  },
  { dagId: 'for_ever', tasks: [{ taskId: 'load', script: [fail({ durationMs: QUICK_MS })] }] },
  {
    dagId: 'off_by_tag',
    tags: ['dagain/max_retries=0'],
    tasks: [{ taskId: 'load', script: [fail({ durationMs: QUICK_MS })] }],
  },
  {
    dagId: 'killed',
    callbacks: { runFailed: false },
    tasks: [{ taskId: 'load', script: [fail({ durationMs: QUICK_MS }), killed(QUICK_MS), succeed(QUICK_MS)] }],
  },
];
const keyOf = (dagId: string): RunKey => ({ dagId, dagRunId: 'manual__2026-01-01T00:00:00+00:00' });

let stack: Stack;
let folder: string;
let redis: RedisServer | null;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-app-'));
  redis = null;
  stack = await startStack(DAGS);
});
afterEach(async () => {
  await stack.close();
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Settings of a store that no other test uses. */
const STORES = {
  sqlite: () => ({ DAGAIN_DATA_DIR: folder }),
  redis: () => ({ DAGAIN_REDIS_URL: inject('redisUrl'), DAGAIN_NAMESPACE: `test-${randomUUID()}` }),
} as const;

/** A Redis of the test's own, which keeps what it has acknowledged. */
async function ownRedis(): Promise<{ server: RedisServer; settings: Record<string, string> }> {
  redis = await startRedis({ appendonly: true, args: ['--appendfsync', 'always'] });
  return { server: redis, settings: { DAGAIN_REDIS_URL: redis.url } };
}

const isOver = (dagId: string, state: 'success' | 'failed') => () => stack.model.stateOf(keyOf(dagId)) === state;

describe.each(['sqlite', 'redis'] as const)('the whole service on %s', (store) => {
  test('does its main job', async () => {
    const { url } = await stack.startApp({ ...STORES[store](), DAGAIN_MAX_RETRIES: '2' });
    stack.sendCallbacksTo(url);
    for (const { dagId } of DAGS) stack.model.trigger(keyOf(dagId));
    // Fails twice, then works; the second failure of the other comes without any callback.
    for (const dagId of ['twice', 'killed']) {
      await until(isOver(dagId, 'success'));
      await until(async () => (await viewOf(url, keyOf(dagId))) === null);
      expect(stack.model.clearsOf(keyOf(dagId))).toHaveLength(2);
    }
    // Fails for ever: two retries, one alert, a tombstone.
    await until(async () => (await viewOf(url, keyOf('for_ever')))?.phase === 'gave_up');
    expect(await viewOf(url, keyOf('for_ever'))).toMatchObject({
      attempt: 3,
      retries_used: 2,
      reason: 'max_retries_reached',
    });
    expect(stack.model.clearsOf(keyOf('for_ever'))).toHaveLength(2);
    // Switched off by its tags: left alone, quietly.
    await until(async () => (await viewOf(url, keyOf('off_by_tag'))) === null);
    expect(stack.model.clearsOf(keyOf('off_by_tag'))).toEqual([]);
    expect(stack.alerts).toMatchObject([{ type: 'gave_up', dag_id: 'for_ever', reason: 'max_retries_reached' }]);
    expect(new Set(stack.answered.map(({ status }) => status))).toEqual(new Set([202]));
  });

  test('goes on after a restart with what was pending', async () => {
    const settings = STORES[store]();
    const first = await stack.startApp({ ...settings, DAGAIN_RETRY_DELAY: '1h' });
    stack.sendCallbacksTo(first.url);
    stack.model.trigger(keyOf('for_ever'));
    await until(async () => (await viewOf(first.url, keyOf('for_ever')))?.phase === 'waiting');
    await first.app.stop();
    const second = await stack.startApp(settings);
    expect(await viewOf(second.url, keyOf('for_ever'))).toMatchObject({ phase: 'waiting', attempt: 1 });
    const again = { dag_id: 'for_ever', dag_run_id: keyOf('for_ever').dagRunId };
    expect(await post(second.url, { type: 'run-failed', body: again })).toMatchObject({
      status: 202,
      body: { decision: 'already_scheduled' },
    });
  });

  test('stops twice, and before it has started, without harm', async () => {
    const { app } = await stack.startApp(STORES[store]());
    await Promise.all([app.stop(), app.stop()]);
    await app.stop();
  });
});

describe('two services on one Redis', () => {
  test('one is stopped in the middle: the other finishes, and nothing is done twice', async () => {
    const settings = STORES.redis();
    const one = await stack.startApp(settings);
    const other = await stack.startApp(settings);
    stack.sendCallbacksTo(one.url);
    stack.model.trigger(keyOf('twice'));
    stack.model.trigger(keyOf('for_ever'));
    await until(() => stack.model.clearsOf(keyOf('twice')).length > 0);
    stack.sendCallbacksTo(other.url);
    await one.app.stop();
    await until(isOver('twice', 'success'));
    await until(async () => (await viewOf(other.url, keyOf('twice'))) === null);
    await until(async () => (await viewOf(other.url, keyOf('for_ever')))?.phase === 'gave_up');
    for (const dagId of ['twice', 'for_ever']) expect(stack.model.clearsOf(keyOf(dagId))).toHaveLength(2);
    expect(stack.alerts).toHaveLength(1);
  });

  test('both hear of every failure: each attempt is cleared once', async () => {
    const settings = STORES.redis();
    const [one, other] = [await stack.startApp(settings), await stack.startApp(settings)];
    stack.sendCallbacksTo(one.url);
    stack.model.trigger(keyOf('twice'));
    await until(async () => stack.answered.length > 0);
    const body = { dag_id: 'twice', dag_run_id: keyOf('twice').dagRunId, task_id: 'load' };
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => post([one, other][n % 2]?.url ?? '', { type: 'task-failed', body })),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    await until(isOver('twice', 'success'));
    await until(async () => (await viewOf(other.url, keyOf('twice'))) === null);
    expect(stack.model.clearsOf(keyOf('twice'))).toHaveLength(2);
  });
});

describe('while Redis is away', () => {
  const TASK = { dag_id: 'etl', dag_run_id: 'manual__1', task_id: 'load' };

  test('a callback is answered 503 and nothing is lost when it is sent again', async () => {
    const { server, settings } = await ownRedis();
    const { url } = await stack.startApp(settings);
    await server.kill();
    const refused = await post(url, { type: 'task-failed', body: TASK });
    expect(refused).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    await server.restart();
    await until(async () => (await fetch(`${url}/readyz`)).status === 200);
    expect(await viewOf(url, { dagId: 'etl', dagRunId: 'manual__1' })).toBeNull();
    expect(await post(url, { type: 'task-failed', body: TASK })).toMatchObject({
      status: 202,
      body: { decision: 'retry_scheduled' },
    });
    expect(await post(url, { type: 'task-failed', body: TASK })).toMatchObject({
      status: 202,
      body: { decision: 'already_scheduled' },
    });
  });

  test('what was pending waits, and is done once it is back', async () => {
    const { server, settings } = await ownRedis();
    const { url } = await stack.startApp({ ...settings, DAGAIN_RETRY_DELAY: '1s' });
    stack.sendCallbacksTo(url);
    stack.model.trigger(keyOf('for_ever'));
    await until(async () => (await viewOf(url, keyOf('for_ever')))?.phase === 'waiting');
    await server.kill();
    stack.sendCallbacksTo(null);
    await until(async () => (await fetch(`${url}/readyz`)).status === 503);
    await server.restart();
    stack.sendCallbacksTo(url);
    await until(async () => (await fetch(`${url}/readyz`)).status === 200);
    await until(async () => (await viewOf(url, keyOf('for_ever')))?.phase === 'gave_up');
    expect(stack.model.clearsOf(keyOf('for_ever'))).toHaveLength(2);
    expect(stack.alerts).toHaveLength(1);
  });

  test('the service stops all the same', async () => {
    const { server, settings } = await ownRedis();
    const { app, url } = await stack.startApp(settings);
    await post(url, { type: 'task-failed', body: TASK });
    await server.kill();
    await app.stop();
  });
});

describe('what cannot start leaves nothing open', () => {
  test('a port that is taken', async () => {
    const { url } = await stack.startApp(STORES.sqlite());
    const { port } = new URL(url);
    const second = { ...STORES.sqlite(), DAGAIN_DATA_DIR: join(folder, 'second'), DAGAIN_PORT: port };
    await expect(stack.startApp(second)).rejects.toMatchObject({
      code: 'configuration_invalid',
      message: `cannot listen on 127.0.0.1:${port} (DAGAIN_HOST, DAGAIN_PORT): it is taken (EADDRINUSE)`,
    });
    // The store was given back: another may have it at once.
    await stack.startApp({ ...second, DAGAIN_PORT: '0' });
  });
});
