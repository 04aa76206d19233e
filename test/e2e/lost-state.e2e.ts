import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createClient } from '@keyv/redis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { AirflowApi } from './airflow/api.ts';
import { type AlertReceiver, startAlertReceiver } from './alert-receiver.ts';
import type { Sidecar } from './sidecar.ts';
import { chosenVersions, OURS, type Stage, setStage } from './stage.ts';

const DAG_ID = 'fail_for_ever';

/** The cap is two: whatever the store forgets, and whenever, Airflow's audit log must never show a third clear of ours. */
describe.each(chosenVersions())('Airflow %s, and a store that forgets', (version) => {
  let stage: Stage;
  let api: AirflowApi;
  let alerts: AlertReceiver;
  let sidecar: Sidecar;

  const start = (store: 'redis' | 'sqlite') =>
    stage.startSidecar(`sidecar-${store}`, {
      DAGAIN_RETRY_DELAY: '3s',
      DAGAIN_SWEEP_INTERVAL: '3s',
      DAGAIN_ALERT_WEBHOOK_URL: alerts.url,
      ...(store === 'redis'
        ? { DAGAIN_REDIS_URL: inject('redisUrl'), DAGAIN_NAMESPACE: `lost-${version.replaceAll('.', '-')}` }
        : { DAGAIN_DATA_DIR: join(stage.folder, 'data') }),
    });

  beforeAll(async () => {
    stage = await setStage(version, [DAG_ID]);
    ({ api } = stage.airflow);
    alerts = await startAlertReceiver();
  });

  afterAll(async () => {
    await alerts?.close();
    await stage?.close();
  });

  /** The second attempt has begun: one retry is spent, one is left. */
  async function untilFirstRetry(runId: string): Promise<void> {
    await api.trigger(DAG_ID, runId);
    await sidecar.waitFor(DAG_ID, runId, (view) => view?.phase === 'watching');
  }

  async function expectCapHeld(runId: string): Promise<void> {
    const view = await sidecar.waitFor(DAG_ID, runId, (now) => now?.phase === 'gave_up');
    expect(view).toMatchObject({ reason: 'max_retries_reached', attempt: 3, retries_used: 2, max_retries: 2 });
    expect(await stage.clearers(DAG_ID, runId)).toEqual([OURS, OURS]);
    expect((await api.run(DAG_ID, runId))?.state).toBe('failed');
    expect(alerts.accepted.filter(({ dag_run_id: id }) => id === runId)).toHaveLength(1);
  }

  test('Redis is emptied under the running service, mid-retry: the count goes on', async () => {
    sidecar = await start('redis');
    const runId = 'emptied__2026-11-21T06:00:00+00:00';
    await untilFirstRetry(runId);
    const redis = createClient({ url: inject('redisUrl') });
    await redis.connect();
    await redis.flushAll();
    await redis.close();
    await expectCapHeld(runId);
    expect(await sidecar.stop()).toBe(0);
  });

  test('the SQLite file is deleted while nobody runs, mid-retry: the count goes on', async () => {
    sidecar = await start('sqlite');
    const runId = 'deleted__2026-11-21T06:00:00+00:00';
    await untilFirstRetry(runId);
    await sidecar.kill();
    await rm(join(stage.folder, 'data'), { recursive: true });
    sidecar = await start('sqlite');
    await expectCapHeld(runId);
    expect(await sidecar.stop()).toBe(0);
  });

  test('the SQLite file is deleted and the audit log cleaned, mid-retry: nobody can count, so nothing is cleared', async () => {
    sidecar = await start('sqlite');
    const runId = 'cleaned__2026-11-21T06:00:00+00:00';
    await untilFirstRetry(runId);
    await sidecar.kill();
    await rm(join(stage.folder, 'data'), { recursive: true });
    const database = new DatabaseSync(join(stage.airflow.home, 'airflow.db'), { timeout: 30_000 });
    // What `airflow db clean` does, whatever the age.
    database.exec('DELETE FROM log');
    database.close();
    sidecar = await start('sqlite');
    const view = await sidecar.waitFor(DAG_ID, runId, (now) => now?.phase === 'gave_up');
    expect(view).toMatchObject({ reason: 'state_lost', retries_used: 0 });
    expect(await api.tries(DAG_ID, runId, 'work')).toHaveLength(2);
    expect(await api.run(DAG_ID, runId)).toMatchObject({ state: 'failed' });
    expect(alerts.accepted).toContainEqual(expect.objectContaining({ dag_run_id: runId, reason: 'state_lost' }));
    expect(await sidecar.stop()).toBe(0);
  });
});
