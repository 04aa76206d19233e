import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REAL_CLOCK } from '../../src/app.ts';
import { createAirflow } from '../../src/orchestrator/airflow/airflow.ts';
import type { Orchestrator } from '../../src/orchestrator/port.ts';
import { type AirflowApi, createAirflowApi } from './airflow/api.ts';
import {
  ADOPTIONS,
  type Adoption,
  makeAdoptionFolder,
  makePluginsFolder,
  SHAPES,
  type Shape,
} from './airflow/dags-folder.ts';
import { USERS } from './airflow/settings.ts';
import { type Gate, startGate } from './gate.ts';
import type { Sidecar } from './sidecar.ts';
import { chosenVersions, OURS, type Stage, setStage } from './stage.ts';

/** How a run of each shape ends, and who has cleared it by then: nobody but the service, once for each attempt. */
const ENDS: Record<Shape, { state: 'success' | 'failed'; clearers: string[]; isKept?: true }> = {
  succeeds: { state: 'success', clearers: [] },
  fails_once: { state: 'success', clearers: [OURS] },
  fails_for_ever: { state: 'failed', clearers: [OURS, OURS], isKept: true },
  fails_in_parallel: { state: 'success', clearers: [OURS] },
  has_task_retries: { state: 'success', clearers: [OURS] },
  is_mapped: { state: 'success', clearers: [OURS] },
  is_rescued: { state: 'success', clearers: [] },
  is_killed: { state: 'success', clearers: [OURS] },
  runs_out_of_time: { state: 'success', clearers: [OURS] },
  is_stopped_by_hand: { state: 'failed', clearers: [] },
  is_stopped_by_hand_and_complains: { state: 'failed', clearers: [] },
};
const BY_HAND = ['is_stopped_by_hand', 'is_stopped_by_hand_and_complains'] as const;

/** What is left of an attempt that ran out of time must be gone before the next one. */
const POLICY = `
defaults: { max_retries: 2, delay: 1s, backoff: none, jitter: none }
dags: [{ match: "*_runs_out_of_time", delay: 6s }]
`;

type Run = readonly [dagId: string, runId: string];
const runOf = (adoption: Adoption, shape: Shape): Run => [
  `${adoption}_${shape}`,
  'e2e_adoption__2026-11-21T06:00:00.000+00:00',
];
const DAG_IDS = ADOPTIONS.flatMap((adoption) => SHAPES.map((shape) => runOf(adoption, shape)[0]));

/** Those of a group go on at the same time. Only the second has a service that looks for failed runs by itself. */
const GROUPS: { adoptions: Adoption[]; soFar: Adoption[]; settings: Record<string, string> }[] = [
  { adoptions: ['plugin', 'notifier'], soFar: ['plugin', 'notifier'], settings: {} },
  {
    adoptions: ['watch', 'all'],
    soFar: [...ADOPTIONS],
    settings: { DAGAIN_WATCH: 'on', DAGAIN_WATCH_INTERVAL: '5s' },
  },
];

describe.each(chosenVersions())('Airflow %s', (version) => {
  let folder: string;
  let stage: Stage;
  let gate: Gate;
  let api: AirflowApi;
  let airflow: Orchestrator;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dagain-adoption-'));
    const env = {
      AIRFLOW__CORE__PLUGINS_FOLDER: await makePluginsFolder(join(folder, 'plugins')),
      AIRFLOW__CORE__PARALLELISM: '6',
      DAGAIN_LISTENER: 'true',
      DAGAIN_LISTENER_DAGS: 'plugin_*, all_*',
    };
    stage = await setStage(version, DAG_IDS, env, makeAdoptionFolder);
    gate = await startGate(stage.airflow.url);
    api = createAirflowApi({ version, url: gate.url, ...USERS[0] });
    airflow = createAirflow({
      url: gate.url,
      credentials: { type: 'password', username: OURS, password: OURS },
      clock: REAL_CLOCK,
    });
    await writeFile(join(folder, 'policy.yaml'), POLICY);
  });

  afterAll(async () => {
    await airflow?.close();
    await gate?.close();
    await stage?.close();
    await rm(folder, { recursive: true, force: true });
  });

  describe.each(GROUPS)('with $adoptions', ({ adoptions, soFar, settings }) => {
    let sidecar: Sidecar;

    beforeAll(async () => {
      const env = {
        DAGAIN_DATA_DIR: join(folder, 'data'),
        DAGAIN_POLICY_FILE: join(folder, 'policy.yaml'),
        DAGAIN_SWEEP_INTERVAL: '5s',
        ...settings,
      };
      sidecar = await stage.startSidecar(`sidecar-${adoptions.join('-')}`, env, gate.url);
      if (settings['DAGAIN_WATCH'] === 'on') await sidecar.waitForLog('failed runs are searched for from here on');
      // All at once: each test then looks at its own run. The one that is short of time is first.
      for (const shape of SHAPES.toReversed()) {
        for (const adoption of adoptions) await api.trigger(...runOf(adoption, shape));
      }
      for (const shape of BY_HAND) await Promise.all(adoptions.map((adoption) => stopByHand(runOf(adoption, shape))));
    });

    afterAll(async () => {
      expect(await sidecar?.stop()).toBe(0);
    });

    /** As somebody does in Airflow's pages who sees that a run makes no sense. */
    async function stopByHand([dagId, runId]: Run): Promise<void> {
      for (;;) {
        const [work] = await api.taskInstances(dagId, runId);
        if (work?.state === 'running') break;
        await delay(250);
      }
      // The task's own code must have begun.
      await delay(2_000);
      await api.setRunState(dagId, runId, 'failed');
    }

    const casesOf = (some: Adoption[]) => some.flatMap((adoption) => SHAPES.map((shape) => [adoption, shape] as const));

    test.each(casesOf(adoptions))('%s: a run that %s', async (adoption, shape) => {
      const run = runOf(adoption, shape);
      const { state, clearers, isKept } = ENDS[shape];
      if (isKept) await sidecar.waitFor(...run, (view) => view?.phase === 'gave_up');
      await api.waitForRun(...run, (now) => now.state === state && now.endedAt !== null);
      if (!isKept && state === 'success') await sidecar.waitFor(...run, (view) => view === null);
      expect(await stage.clearers(...run)).toEqual(clearers);
      // One task at least ran in every attempt, so that its tries tell of each clear.
      const [dagId, dagRunId] = run;
      expect(await airflow.leastClears({ dagId, dagRunId })).toEqual({ type: 'found', clears: clearers.length });
    });

    test('late callbacks and the service looking again clear nothing more', async () => {
      await delay(12_000);
      const seen = casesOf(soFar).map(async ([adoption, shape]) => {
        const run = runOf(adoption, shape);
        return [...run, (await api.run(...run))?.state, ...(await stage.clearers(...run))];
      });
      const expected = casesOf(soFar).map(([adoption, shape]) => [
        ...runOf(adoption, shape),
        ENDS[shape].state,
        ...ENDS[shape].clearers,
      ]);
      expect(await Promise.all(seen)).toEqual(expected);
    });
  });
});
