import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { AirflowApi } from './airflow/api.ts';
import { DAG_IDS } from './airflow/dags-folder.ts';
import { type AlertReceiver, type Received, startAlertReceiver } from './alert-receiver.ts';
import type { Sidecar } from './sidecar.ts';
import { chosenVersions, OURS, type Stage, setStage } from './stage.ts';

describe.each(chosenVersions())('Airflow %s', (version) => {
  let stage: Stage;
  let api: AirflowApi;

  beforeAll(async () => {
    stage = await setStage(version, DAG_IDS);
    ({ api } = stage.airflow);
  });

  afterAll(async () => {
    await stage?.close();
  });

  describe.each(['redis', 'sqlite'] as const)('with %s', (store) => {
    // `+`, `:` and `.` are in the ids that Airflow makes itself.
    const runId = (name: string) => `e2e_${name}_${store}__2026-11-21T06:00:00.000+00:00`;
    let sidecar: Sidecar;
    let alerts: AlertReceiver;

    const start = () =>
      stage.startSidecar(`sidecar-${store}`, {
        DAGAIN_RETRY_DELAY: '2s',
        DAGAIN_SWEEP_INTERVAL: '5s',
        DAGAIN_ALERT_WEBHOOK_URL: alerts.url,
        ...(store === 'redis'
          ? { DAGAIN_REDIS_URL: inject('redisUrl'), DAGAIN_NAMESPACE: `e2e-${version.replaceAll('.', '-')}` }
          : { DAGAIN_DATA_DIR: join(stage.folder, 'data') }),
      });

    const finished = (dagId: string, id: string, state: 'success' | 'failed') =>
      api.waitForRun(dagId, id, (run) => run.state === state && run.endedAt !== null);

    beforeAll(async () => {
      alerts = await startAlertReceiver();
      sidecar = await start();
    });

    afterAll(async () => {
      expect(await sidecar?.stop()).toBe(0);
      await alerts?.close();
    });

    test('a run that fails twice is cleared twice, succeeds, and nothing is kept', async () => {
      const [dagId, id] = ['fail_twice_then_succeed', runId('recover')];
      await api.trigger(dagId, id);
      await sidecar.waitFor(dagId, id, (view) => view?.phase === 'watching' && view.attempt === 3);
      await finished(dagId, id, 'success');
      await sidecar.waitFor(dagId, id, (view) => view === null);
      expect(await stage.clearers(dagId, id)).toEqual([OURS, OURS]);
      const tries = await api.tries(dagId, id, 'work');
      expect(tries.map(({ tryNumber, state }) => [tryNumber, state])).toEqual([
        [1, 'failed'],
        [2, 'failed'],
        [3, 'success'],
      ]);
    });

    test('a run that always fails stops at its cap, and the alert is sent until it is accepted', async () => {
      const [dagId, id] = ['fail_for_ever', runId('cap')];
      await api.trigger(dagId, id);
      const view = await sidecar.waitFor(dagId, id, (now) => now?.phase === 'gave_up');
      expect(view).toMatchObject({ attempt: 3, retries_used: 2, max_retries: 2, reason: 'max_retries_reached' });
      // A second service with a store of its own also alerts of what the first one gave up: its store looks emptied.
      const ofThisRun = (all: readonly Received[]) => all.filter((alert) => alert.dag_run_id === id);
      expect(ofThisRun(alerts.refused)).toHaveLength(1);
      expect(ofThisRun(alerts.accepted)).toHaveLength(1);
      const [told] = ofThisRun(alerts.accepted);
      expect(told).toMatchObject({ type: 'gave_up', reason: 'max_retries_reached' });
      const runUrl = told?.run_url ?? '';
      expect(runUrl.startsWith(`${stage.airflow.url}/dags/${dagId}`)).toBe(true);
      // Long enough for a sweep, and for every late callback of Airflow's.
      await delay(12_000);
      expect(await stage.clearers(dagId, id)).toEqual([OURS, OURS]);
      expect((await api.run(dagId, id))?.state).toBe('failed');
      expect(ofThisRun(alerts.accepted)).toHaveLength(1);
    });

    test('eight tasks that fail at the same time make one clear', async () => {
      const [dagId, id] = ['eight_parallel_failures', runId('parallel')];
      await api.trigger(dagId, id);
      await finished(dagId, id, 'success');
      await sidecar.waitFor(dagId, id, (view) => view === null);
      expect(await stage.clearers(dagId, id)).toEqual([OURS]);
      const tries = (await api.taskInstances(dagId, id)).map((task) => task.tryNumber);
      expect(tries.length).toBeGreaterThanOrEqual(8);
      expect(new Set(tries)).toEqual(new Set([2]));
    });

    test('Airflow restarts and the service is killed while a retry is pending: it is made all the same, once', async () => {
      const [dagId, id] = ['fail_twice_then_succeed', runId('restarts')];
      await api.trigger(dagId, id);
      await sidecar.waitFor(dagId, id, (view) => view?.phase === 'waiting' || view?.phase === 'watching');
      await sidecar.kill();
      await stage.airflow.stop();
      sidecar = await start();
      // The service looks for a while at an Airflow that is not there.
      await delay(3_000);
      await stage.airflow.restart();
      await finished(dagId, id, 'success');
      await sidecar.waitFor(dagId, id, (view) => view === null);
      expect(await stage.clearers(dagId, id)).toEqual([OURS, OURS]);
      expect(await api.tries(dagId, id, 'work')).toHaveLength(3);
    });
  });
});
