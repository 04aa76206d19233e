import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AirflowApi } from './airflow/api.ts';
import { AIRFLOW_VERSIONS } from './airflow/settings.ts';
import type { Sidecar } from './sidecar.ts';
import { chosenVersions, OURS, type Stage, setStage } from './stage.ts';

const [FAILS_TWICE, FAILS] = ['fail_twice_then_succeed', 'fail_for_ever'] as const;

/** What people do from the command line, and what becomes of it in Airflow. */
describe.each(chosenVersions())('operators, on Airflow %s,', (version) => {
  let stage: Stage;
  let api: AirflowApi;
  let sidecar: Sidecar;

  /** The built command line, as JSON. */
  async function dagain(...args: string[]): Promise<Record<string, unknown>> {
    const { stdout } = await promisify(execFile)(process.execPath, ['dist/main.js', ...args, '-o', 'json'], {
      env: { PATH: process.env['PATH'], DAGAIN_URL: sidecar.url, DAGAIN_OPERATOR_TOKEN: 'operator-token' },
    });
    return JSON.parse(stdout);
  }

  beforeAll(async () => {
    expect(AIRFLOW_VERSIONS).toContain(version);
    stage = await setStage(version, [FAILS_TWICE, FAILS]);
    ({ api } = stage.airflow);
    sidecar = await stage.startSidecar('sidecar', {
      DAGAIN_RETRY_DELAY: '1s',
      DAGAIN_SWEEP_INTERVAL: '3s',
      DAGAIN_DATA_DIR: join(stage.folder, 'data'),
    });
  });

  afterAll(async () => {
    await sidecar?.stop();
    await stage?.close();
  });

  test('pause a Dag: its failed runs wait, unspent; once it is resumed they are retried', async () => {
    const runId = 'paused__2026-11-21T06:00:00+00:00';
    await dagain('dags', 'pause', FAILS_TWICE, '--comment', 'upgrade of the warehouse', '--actor', 'anna');
    await api.trigger(FAILS_TWICE, runId);
    await sidecar.waitFor(FAILS_TWICE, runId, (view) => view?.phase === 'waiting');
    await sidecar.waitForLog('paused_by_operator');
    const explained = await dagain('runs', 'explain', FAILS_TWICE, runId);
    expect(explained).toMatchObject({ verdict: 'paused', orchestrator: { status: 'found', state: 'failed' } });
    expect(JSON.stringify(explained['because'])).toContain('anna');
    expect(await stage.clearers(FAILS_TWICE, runId)).toEqual([]);
    await dagain('dags', 'resume', FAILS_TWICE, '--comment', 'done', '--actor', 'anna');
    await api.waitForRun(FAILS_TWICE, runId, ({ state }) => state === 'success');
    await sidecar.waitFor(FAILS_TWICE, runId, (view) => view === null);
    expect(await stage.clearers(FAILS_TWICE, runId)).toEqual([OURS, OURS]);
    // Of a run that is over the journal and Airflow's audit log tell.
    expect(await dagain('runs', 'explain', FAILS_TWICE, runId)).toMatchObject({
      verdict: 'recovered',
      orchestrator: { state: 'success' },
      audit_log: { status: 'found', entries: [{ action: 'cleared', is_ours: true }, { action: 'cleared' }] },
    });
    expect(await dagain('events', '--type', 'operated')).toMatchObject({
      events: [
        { action: 'resume', actor: 'anna', dag_id: FAILS_TWICE, comment: 'done' },
        { action: 'pause', actor: 'anna', dag_id: FAILS_TWICE, comment: 'upgrade of the warehouse' },
      ],
    });
  });

  test('grant a given-up run one more retry, and it is made', async () => {
    const runId = 'granted__2026-11-21T06:00:00+00:00';
    await api.trigger(FAILS, runId);
    await sidecar.waitFor(FAILS, runId, (view) => view?.phase === 'gave_up');
    await dagain('runs', 'grant', FAILS, runId, '--retries', '1', '--comment', 'once more', '--actor', 'ben');
    await sidecar.waitFor(FAILS, runId, (view) => view?.phase === 'gave_up' && view.retries_used === 3);
    expect(await stage.clearers(FAILS, runId)).toEqual([OURS, OURS, OURS]);
    expect(await dagain('runs', 'explain', FAILS, runId)).toMatchObject({ verdict: 'gave_up' });
  });

  test('ask about a run that has never failed', async () => {
    await dagain('dags', 'pause', '--all', '--comment', 'quiet', '--actor', 'anna');
    expect(
      await dagain('runs', 'explain', FAILS, 'there_is_none').catch((error: { stdout: string }) =>
        JSON.parse(error.stdout),
      ),
    ).toMatchObject({ verdict: 'unknown_run' });
  });
});
