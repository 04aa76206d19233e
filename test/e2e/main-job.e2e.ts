import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { AIRFLOW_VERSIONS } from './airflow/settings.ts';
import { type Airflow, freePort, startAirflow } from './airflow/start.ts';
import { type AlertReceiver, startAlertReceiver } from './alert-receiver.ts';
import { type Sidecar, startSidecar } from './sidecar.ts';

const ROOT = join(import.meta.dirname, '../..');
const DAG_IDS = ['fail_twice_then_succeed', 'fail_for_ever', 'eight_parallel_failures'];
const OURS = 'dagain';

// `E2E_AIRFLOW=3.3.2` runs one version alone.
const only = process.env['E2E_AIRFLOW'];
const versions = AIRFLOW_VERSIONS.filter((version) => only === undefined || only.split(',').includes(version));
if (versions.length === 0) throw new Error(`E2E_AIRFLOW must name some of ${AIRFLOW_VERSIONS.join(', ')}, is ${only}`);

describe.each(versions)('Airflow %s', (version) => {
  let folder: string;
  let airflow: Airflow;
  let sidecarPort: number;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), `dagain-e2e-${version}-`));
    const dagsFolder = join(folder, 'dags');
    await mkdir(dagsFolder);
    await cp(join(ROOT, 'test/e2e/dags'), dagsFolder, { recursive: true });
    await cp(join(ROOT, 'deploy/airflow/dagain_airflow.py'), join(dagsFolder, 'dagain_airflow.py'));
    sidecarPort = await freePort();
    airflow = await startAirflow({
      version,
      home: join(folder, 'airflow'),
      dagsFolder,
      dagIds: DAG_IDS,
      env: { DAGAIN_URL: `http://127.0.0.1:${sidecarPort}`, DAGAIN_CALLBACK_TOKEN: 'callback-token' },
    });
    for (const dagId of DAG_IDS) await airflow.api.setPaused(dagId, false);
  });

  afterAll(async () => {
    await airflow?.stop();
    if (process.env['E2E_KEEP'] === undefined) await rm(folder, { recursive: true, force: true });
    else process.stderr.write(`kept ${folder}\n`);
  });

  describe.each(['redis', 'sqlite'] as const)('with %s', (store) => {
    // `+`, `:` and `.` are in the ids that Airflow makes itself.
    const runId = (name: string) => `e2e_${name}_${store}__2026-11-21T06:00:00.000+00:00`;
    let sidecar: Sidecar;
    let alerts: AlertReceiver;

    const start = () =>
      startSidecar({
        port: sidecarPort,
        airflowUrl: airflow.url,
        logFile: join(folder, `sidecar-${store}.log`),
        env: {
          DAGAIN_RETRY_DELAY: '2s',
          DAGAIN_SWEEP_INTERVAL: '5s',
          DAGAIN_CALLBACK_TOKEN: 'callback-token',
          DAGAIN_ALERT_WEBHOOK_URL: alerts.url,
          ...(store === 'redis'
            ? { DAGAIN_REDIS_URL: inject('redisUrl'), DAGAIN_NAMESPACE: `e2e-${version.replaceAll('.', '-')}` }
            : { DAGAIN_DATA_DIR: join(folder, 'data') }),
        },
      });

    /** Who cleared the run, as Airflow's audit log has it. */
    const clearers = async (dagId: string, id: string) =>
      (await airflow.api.clears(dagId, id)).map((clear) => clear.owner);
    const finished = (dagId: string, id: string, state: 'success' | 'failed') =>
      airflow.api.waitForRun(dagId, id, (run) => run.state === state && run.endedAt !== null, 200_000);

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
      await airflow.api.trigger(dagId, id);
      await sidecar.waitFor(dagId, id, (view) => view?.phase === 'watching' && view.attempt === 3);
      await finished(dagId, id, 'success');
      await sidecar.waitFor(dagId, id, (view) => view === null);
      expect(await clearers(dagId, id)).toEqual([OURS, OURS]);
      const tries = await airflow.api.tries(dagId, id, 'work');
      expect(tries.map(({ tryNumber, state }) => [tryNumber, state])).toEqual([
        [1, 'failed'],
        [2, 'failed'],
        [3, 'success'],
      ]);
    });

    test('a run that always fails stops at its cap, and the alert is sent until it is accepted', async () => {
      const [dagId, id] = ['fail_for_ever', runId('cap')];
      await airflow.api.trigger(dagId, id);
      const view = await sidecar.waitFor(dagId, id, (now) => now?.phase === 'gave_up');
      expect(view).toMatchObject({ attempt: 3, retries_used: 2, max_retries: 2, reason: 'max_retries_reached' });
      expect(alerts.refused).toHaveLength(1);
      expect(alerts.accepted).toHaveLength(1);
      expect(alerts.accepted[0]).toMatchObject({ dag_run_id: id, type: 'gave_up', reason: 'max_retries_reached' });
      const runUrl = alerts.accepted[0]?.run_url ?? '';
      expect(runUrl.startsWith(`${airflow.url}/dags/${dagId}`)).toBe(true);
      // Long enough for a sweep, and for every late callback of Airflow's.
      await delay(12_000);
      expect(await clearers(dagId, id)).toEqual([OURS, OURS]);
      expect((await airflow.api.run(dagId, id))?.state).toBe('failed');
      expect(alerts.accepted).toHaveLength(1);
    });

    test('eight tasks that fail at the same time make one clear', async () => {
      const [dagId, id] = ['eight_parallel_failures', runId('parallel')];
      await airflow.api.trigger(dagId, id);
      await finished(dagId, id, 'success');
      await sidecar.waitFor(dagId, id, (view) => view === null);
      expect(await clearers(dagId, id)).toEqual([OURS]);
      const tries = (await airflow.api.taskInstances(dagId, id)).map((task) => task.tryNumber);
      expect(tries.length).toBeGreaterThanOrEqual(8);
      expect(new Set(tries)).toEqual(new Set([2]));
    });

    test('Airflow restarts and the service is killed while a retry is pending: it is made all the same, once', async () => {
      const [dagId, id] = ['fail_twice_then_succeed', runId('restarts')];
      await airflow.api.trigger(dagId, id);
      await sidecar.waitFor(dagId, id, (view) => view?.phase === 'waiting' || view?.phase === 'watching');
      await sidecar.kill();
      await airflow.stop();
      sidecar = await start();
      // The service looks for a while at an Airflow that is not there.
      await delay(3_000);
      await airflow.restart();
      await finished(dagId, id, 'success');
      await sidecar.waitFor(dagId, id, (view) => view === null);
      expect(await clearers(dagId, id)).toEqual([OURS, OURS]);
      expect(await airflow.api.tries(dagId, id, 'work')).toHaveLength(3);
    });
  });
});
