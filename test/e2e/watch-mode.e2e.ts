import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AirflowApi, createAirflowApi } from './airflow/api.ts';
import type { Shape } from './airflow/dags-folder.ts';
import { USERS } from './airflow/settings.ts';
import { type Gate, startGate } from './gate.ts';
import type { Sidecar } from './sidecar.ts';
import { chosenVersions, OURS, type Stage, setStage } from './stage.ts';

/** How a run of each shape ends, and who has cleared it by then. */
const ENDS = {
  succeeds: { state: 'success', clearers: [] },
  fails_once: { state: 'success', clearers: [OURS] },
  fails_for_ever: { state: 'failed', clearers: [OURS, OURS] },
  fails_in_parallel: { state: 'success', clearers: [OURS] },
  is_rescued: { state: 'success', clearers: [] },
  is_killed: { state: 'success', clearers: [OURS] },
  runs_out_of_time: { state: 'success', clearers: [OURS] },
  is_stopped_by_hand: { state: 'failed', clearers: [] },
} as const satisfies Partial<Record<Shape, object>>;
type Known = keyof typeof ENDS;
const KNOWN = Object.keys(ENDS) as Known[];
/** Off by policy, though it fails as well. */
const OFF = 'watch_has_task_retries';
const SEARCH_MS = 5_000;

const POLICY = `
defaults: { max_retries: 2, delay: 1s, backoff: none, jitter: none }
dags:
  - { match: "*_runs_out_of_time", delay: 6s }
  - { match: ${OFF}, max_retries: 0 }
`;

const dagOf = (shape: Known) => `watch_${shape}`;
const idOf = (name: string) => `${name}__2026-11-21T06:00:00.000+00:00`;

/** Dags that know nothing of dagain, in an Airflow that knows nothing of it either. */
async function fillDags(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const file of ['plain_dags.py', 'shapes.py']) {
    await copyFile(join(import.meta.dirname, 'dags/adoption', file), join(folder, file));
  }
  return folder;
}

describe.each(chosenVersions())('Airflow %s without a single callback', (version) => {
  let folder: string;
  let stage: Stage;
  let gate: Gate;
  let api: AirflowApi;
  let sidecar: Sidecar;

  const startSidecar = () =>
    stage.startSidecar(
      'sidecar',
      {
        DAGAIN_DATA_DIR: join(folder, 'data'),
        DAGAIN_POLICY_FILE: join(folder, 'policy.yaml'),
        DAGAIN_SWEEP_INTERVAL: '5s',
        DAGAIN_WATCH: 'on',
        DAGAIN_WATCH_INTERVAL: `${SEARCH_MS}ms`,
      },
      gate.url,
    );
  const ended = (dagId: string, runId: string, state: string) =>
    api.waitForRun(dagId, runId, (run) => run.state === state && run.endedAt !== null);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dagain-watch-'));
    await writeFile(join(folder, 'policy.yaml'), POLICY);
    const env = { AIRFLOW__CORE__PARALLELISM: '6' };
    stage = await setStage(version, [...KNOWN.map(dagOf), OFF], env, fillDags);
    gate = await startGate(stage.airflow.url);
    api = createAirflowApi({ version, url: gate.url, ...USERS[0] });
    await api.trigger(dagOf('fails_once'), idOf('history'));
    await ended(dagOf('fails_once'), idOf('history'), 'failed');
    sidecar = await startSidecar();
    await sidecar.waitForLog('failed runs are searched for from here on');
    for (const shape of KNOWN.toReversed()) await api.trigger(dagOf(shape), idOf('watched'));
    await api.trigger(OFF, idOf('watched'));
    await stopByHand(dagOf('is_stopped_by_hand'), idOf('watched'));
  });

  afterAll(async () => {
    if (sidecar !== undefined) expect(await sidecar.stop()).toBe(0);
    await gate?.close();
    await stage?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function stopByHand(dagId: string, runId: string): Promise<void> {
    while ((await api.taskInstances(dagId, runId))[0]?.state !== 'running') await delay(250);
    await api.setRunState(dagId, runId, 'failed');
  }

  test.each(KNOWN)('a run that %s', async (shape) => {
    const run = [dagOf(shape), idOf('watched')] as const;
    const { state, clearers } = ENDS[shape];
    if (shape === 'fails_for_ever') await sidecar.waitFor(...run, (view) => view?.phase === 'gave_up');
    await ended(...run, state);
    if (state === 'success') await sidecar.waitFor(...run, (view) => view === null);
    expect(await stage.clearers(...run)).toEqual(clearers);
  });

  test('what was set to failed by hand is told of and left alone', async () => {
    await sidecar.waitForLog('a person has set it to failed: not retried');
    expect(await sidecar.view(dagOf('is_stopped_by_hand'), idOf('watched'))).toBeNull();
  });

  test('what failed before the first start, and what the policy leaves out, is left alone', async () => {
    await ended(OFF, idOf('watched'), 'failed');
    await delay(10_000 + 3 * SEARCH_MS);
    const clearers = [
      await stage.clearers(dagOf('fails_once'), idOf('history')),
      await stage.clearers(OFF, idOf('watched')),
      await stage.clearers(dagOf('is_stopped_by_hand'), idOf('watched')),
      await stage.clearers(dagOf('fails_for_ever'), idOf('watched')),
    ];
    expect(clearers).toEqual([[], [], [], [OURS, OURS]]);
  });

  test('what fails while the service is down is found when it is back', async () => {
    await sidecar.kill();
    const run = [dagOf('fails_once'), idOf('unseen')] as const;
    await api.trigger(...run);
    await ended(...run, 'failed');
    sidecar = await startSidecar();
    await ended(...run, 'success');
    expect(await stage.clearers(...run)).toEqual([OURS]);
  });

  test('what fails while Airflow does not answer the service is found when it does', async () => {
    await sidecar.kill();
    const run = [dagOf('is_killed'), idOf('unheard')] as const;
    // Its only way to Airflow leads nowhere for a while.
    const closed = await startGate(stage.airflow.url);
    await closed.close();
    const env = { DAGAIN_DATA_DIR: join(folder, 'data'), DAGAIN_POLICY_FILE: join(folder, 'policy.yaml') };
    const watch = { DAGAIN_WATCH: 'on', DAGAIN_WATCH_INTERVAL: `${SEARCH_MS}ms` };
    sidecar = await stage.startSidecar('deaf', { ...env, ...watch }, closed.url);
    await api.trigger(...run);
    await ended(...run, 'failed');
    await sidecar.waitForLog('failed runs cannot be searched for now');
    await sidecar.stop();
    sidecar = await startSidecar();
    await ended(...run, 'success');
    expect(await stage.clearers(...run)).toEqual([OURS]);
  });

  test('its log holds no error', async () => {
    const log = await readFile(join(stage.folder, 'sidecar.log'), 'utf8');
    const errors = log.split('\n').filter((line) => line.includes('"level":"error"'));
    // The alert of the run that fails for ever has nowhere to go but here.
    expect(errors.filter((line) => !line.includes('gave up'))).toEqual([]);
  });
});
