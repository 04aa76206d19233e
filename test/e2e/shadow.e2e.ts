import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AirflowApi } from './airflow/api.ts';
import { AIRFLOW_VERSIONS } from './airflow/settings.ts';
import { type AlertReceiver, startAlertReceiver } from './alert-receiver.ts';
import type { Sidecar } from './sidecar.ts';
import { chosenVersions, OURS, type Stage, setStage } from './stage.ts';

const FAILS = 'fail_for_ever';
const FAILS_TWICE = 'fail_twice_then_succeed';

describe.each(chosenVersions())('in shadow mode on Airflow %s', (version) => {
  let stage: Stage;
  let api: AirflowApi;
  let alerts: AlertReceiver;
  let sidecar: Sidecar;

  beforeAll(async () => {
    expect(AIRFLOW_VERSIONS).toContain(version);
    stage = await setStage(version, [FAILS, FAILS_TWICE]);
    ({ api } = stage.airflow);
    alerts = await startAlertReceiver();
    sidecar = await stage.startSidecar('shadow', {
      DAGAIN_MODE: 'shadow',
      DAGAIN_RETRY_DELAY: '2s',
      DAGAIN_SWEEP_INTERVAL: '3s',
      DAGAIN_ALERT_WEBHOOK_URL: alerts.url,
      DAGAIN_DATA_DIR: join(stage.folder, 'data'),
    });
  });

  afterAll(async () => {
    await sidecar?.stop();
    await alerts?.close();
    await stage?.close();
  });

  /** The retry that was decided: where the dry run went through, nothing of it shows in Airflow. */
  async function rehearsed(dagId: string, runId: string, retries: number): Promise<void> {
    const isRehearsed = (view: Awaited<ReturnType<Sidecar['view']>>) =>
      view?.reason === 'would_have_retried' && view.retries_used === retries;
    await sidecar.waitFor(dagId, runId, isRehearsed);
    expect(await api.run(dagId, runId)).toMatchObject({ state: 'failed' });
    expect(await stage.clearers(dagId, runId)).not.toContain(OURS);
  }

  test('every retry is decided and none made; beside whoever makes them, the cap is reached and alerts', async () => {
    const runId = 'shadowed__2026-11-21T06:00:00+00:00';
    await api.trigger(FAILS, runId);
    await rehearsed(FAILS, runId, 1);
    // The recipe that is to be replaced goes on.
    await api.clear(FAILS, runId);
    await rehearsed(FAILS, runId, 2);
    await api.clear(FAILS, runId);
    await sidecar.waitFor(FAILS, runId, (view) => view?.reason === 'max_retries_reached');
    const isTold = () => alerts.accepted.some((one) => one.dag_run_id === runId);
    await expect.poll(isTold).toBe(true);
    expect(alerts.accepted).toMatchObject([
      { type: 'gave_up', mode: 'shadow', summary: expect.stringMatching(/^\[shadow\] /), retries_used: 2 },
    ]);
    expect(await stage.clearers(FAILS, runId)).toHaveLength(2);
    expect(await stage.clearers(FAILS, runId)).not.toContain(OURS);
    expect((await api.run(FAILS, runId))?.note ?? '').toBe('');
  });

  test('a run that others have brought to success leaves nothing behind', async () => {
    const runId = 'recovered__2026-11-21T06:00:00+00:00';
    await api.trigger(FAILS_TWICE, runId);
    await rehearsed(FAILS_TWICE, runId, 1);
    await api.clear(FAILS_TWICE, runId);
    await rehearsed(FAILS_TWICE, runId, 2);
    await api.clear(FAILS_TWICE, runId);
    await api.waitForRun(FAILS_TWICE, runId, ({ state }) => state === 'success');
    await sidecar.waitFor(FAILS_TWICE, runId, (view) => view === null);
    expect(alerts.accepted.filter((one) => one.dag_run_id === runId)).toEqual([]);
  });
});
