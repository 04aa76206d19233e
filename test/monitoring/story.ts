import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from '@keyv/redis';
import { post, type Stack, until, viewOf } from '../app/stack.ts';
import { type DagDefinition, fail, succeed } from '../support/airflow/model/dag-definition.ts';
import type { RedisServer } from '../support/redis-server.ts';

const TASK_MS = 30;
/** Longer than the delay, so that the retry finds a person's attempt running. */
const RESTARTED_MS = 30_000;
const RUN_ID = 'manual__2026-01-01T00:00:00+00:00';
const failsForEver: DagDefinition['tasks'] = [{ taskId: 'load', script: [fail({ durationMs: TASK_MS })] }];

export const DAGS: readonly DagDefinition[] = [
  { dagId: 'once', tasks: [{ taskId: 'load', script: [fail({ durationMs: TASK_MS }), succeed(TASK_MS)] }] },
  { dagId: 'for_ever', tasks: failsForEver },
  {
    dagId: 'patient',
    tasks: [{ taskId: 'load', script: [fail({ durationMs: TASK_MS }), fail({ durationMs: RESTARTED_MS })] }],
  },
  { dagId: 'unheard', callbacks: { taskFailed: false, runFailed: false }, tasks: failsForEver },
  { dagId: 'during_outage', tasks: failsForEver },
  { dagId: 'after_loss', tasks: failsForEver },
];

export const POLICY = 'dags:\n  - match: patient\n    delay: 3s\n';
const keyOf = (dagId: string) => ({ dagId, dagRunId: RUN_ID });

export interface Scene {
  readonly stack: Stack;
  readonly redis: RedisServer;
  /** Two replicas on one store. */
  readonly urls: readonly [string, string];
  readonly policyPath: string;
}

/** Everything that can happen to a service, so that every metric moves; ends with the store as before, but emptied. */
export async function playEverything(scene: Scene): Promise<void> {
  await retriesAndGiveUps(scene);
  await peopleAtWork(scene);
  await replicasInEachOthersWay(scene);
  writeFileSync(scene.policyPath, `${POLICY}limits: nonsense\n`);
  await storeOutage(scene);
  await storeLoss(scene);
}

async function retriesAndGiveUps({ stack, urls: [url] }: Scene): Promise<void> {
  stack.airflow.faults.add({ route: 'run', action: { type: 'status', status: 503 } });
  for (const dagId of ['once', 'for_ever', 'unheard']) stack.model.trigger(keyOf(dagId));
  await until(() => stack.model.stateOf(keyOf('once')) === 'success');
  await until(async () => (await viewOf(url, keyOf('for_ever')))?.phase === 'giving_up');
  // Only watch mode can know of it.
  await until(async () => (await viewOf(url, keyOf('unheard'))) !== null);
}

async function peopleAtWork({ stack, urls: [url] }: Scene): Promise<void> {
  stack.model.trigger(keyOf('patient'));
  await until(async () => (await viewOf(url, keyOf('patient')))?.phase === 'waiting');
  stack.model.person('ann').clear(keyOf('patient'));
  await until(async () => (await viewOf(url, keyOf('patient')))?.phase === 'watching');
  for (const paused of [`runs/patient/${encodeURIComponent(RUN_ID)}`, 'dags/elsewhere']) {
    await fetch(`${url}/v1/${paused}/pause`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ actor: 'ann', comment: 'not tonight' }),
    });
  }
  await until(() => isSeen([url], /^dagain_held_records 1$/m));
}

async function replicasInEachOthersWay({ urls }: Scene): Promise<void> {
  while (!(await isSeen(urls, /^dagain_swap_conflicts_total [1-9]/m))) {
    const dagRunId = randomUUID();
    const report = (n: number) => ({ dag_id: 'unknown', dag_run_id: dagRunId, task_id: `task_${n}` });
    const senders = Array.from({ length: 40 }, (_, n) =>
      post(urls[n % 2] ?? urls[0], { type: 'task-failed', body: report(n) }),
    );
    await Promise.all(senders);
  }
}

/** Whether a scrape of one of them shows such a line. */
async function isSeen(urls: readonly string[], line: RegExp): Promise<boolean> {
  const texts = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
  return texts.some((text) => line.test(text));
}

/** Work that is under way when the store goes cannot be written down. */
async function storeOutage({ stack, redis }: Scene): Promise<void> {
  stack.airflow.faults.add({ route: 'run', action: { type: 'delay', delayMs: 1_500 }, times: 3 });
  stack.model.trigger(keyOf('during_outage'));
  await until(() => stack.model.stateOf(keyOf('during_outage')) === 'failed');
  await pause(700);
  await redis.kill();
  await pause(5_000);
  await redis.restart();
}

async function storeLoss({ stack, redis, urls }: Scene): Promise<void> {
  await until(async () => (await fetch(`${urls[0]}/readyz`)).ok);
  const client = createClient({ url: redis.url }).on('error', () => {});
  await client.connect();
  await client.sendCommand(['FLUSHALL']);
  client.destroy();
  // Before a retry everybody looks whether the store is as they know it.
  stack.model.trigger(keyOf('after_loss'));
  await until(() => isSeen(urls, /^dagain_store_losses_total\{how="emptied"\} [1-9]/m));
}
