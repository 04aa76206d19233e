import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AirflowApi } from './airflow/api.ts';
import { AIRFLOW_VERSIONS } from './airflow/settings.ts';
import type { Sidecar } from './sidecar.ts';
import { chosenVersions, OURS, type Stage, setStage } from './stage.ts';

const [FAILS_TWICE, FAILS] = ['fail_twice_then_succeed', 'fail_for_ever'] as const;

describe.each(chosenVersions())('Airflow %s shows on the run', (version) => {
  let stage: Stage;
  let api: AirflowApi;
  let sidecar: Sidecar;

  const start = (notes: 'on' | 'off') =>
    stage.startSidecar(`sidecar-${notes}`, {
      DAGAIN_RETRY_DELAY: '4s',
      DAGAIN_SWEEP_INTERVAL: '3s',
      DAGAIN_NOTES: notes,
      DAGAIN_DATA_DIR: join(stage.folder, `data-${notes}`),
    });

  const noteOf = async (dagId: string, runId: string) => (await api.run(dagId, runId))?.note ?? '';
  const waitForNote = (dagId: string, runId: string, text: RegExp) =>
    api.waitForRun(dagId, runId, ({ note }) => text.test(note ?? ''));

  /** As the page of Airflow does it. */
  async function write(dagId: string, runId: string, note: string): Promise<void> {
    const run = `/dags/${dagId}/dagRuns/${encodeURIComponent(runId)}`;
    const isOld = version.startsWith('2.');
    const reply = await api.send('PATCH', isOld ? `${run}/setNote` : `${run}?update_mask=note`, { note });
    expect(reply.status).toBe(200);
  }

  beforeAll(async () => {
    expect(AIRFLOW_VERSIONS).toContain(version);
    stage = await setStage(version, [FAILS_TWICE, FAILS]);
    ({ api } = stage.airflow);
  });

  afterAll(async () => {
    await sidecar?.stop();
    await stage?.close();
  });

  test('which retry is due, which one runs, and how it ended; what a person wrote stays', async () => {
    sidecar = await start('on');
    const runId = 'noted__2026-11-21T06:00:00+00:00';
    await api.trigger(FAILS_TWICE, runId);
    await waitForNote(FAILS_TWICE, runId, /^dagain: retry 1 of 2 (at|running since) .*work/);
    await write(FAILS_TWICE, runId, `asked the source team\n${await noteOf(FAILS_TWICE, runId)}`);
    await waitForNote(FAILS_TWICE, runId, /^asked the source team\ndagain: retry 2 of 2 /);
    const { note } = await waitForNote(FAILS_TWICE, runId, /succeeded on attempt 3 after 2 retries/);
    expect(note).toMatch(/^asked the source team\ndagain: [^\n]+$/);
    // Writing on a run neither restarts it nor passes for a person's act.
    expect(await stage.clearers(FAILS_TWICE, runId)).toEqual([OURS, OURS]);
  });

  test('that it was given up, and why', async () => {
    const runId = 'given_up__2026-11-21T06:00:00+00:00';
    await api.trigger(FAILS, runId);
    const { note } = await waitForNote(FAILS, runId, /gave up at .* after 2 of 2 retries: max_retries_reached/);
    expect(note).not.toContain('\n');
    expect(await stage.clearers(FAILS, runId)).toEqual([OURS, OURS]);
  });

  test('nothing where notes are off', async () => {
    expect(await sidecar.stop()).toBe(0);
    sidecar = await start('off');
    const runId = 'off__2026-11-21T06:00:00+00:00';
    await api.trigger(FAILS_TWICE, runId);
    await api.waitForRun(FAILS_TWICE, runId, ({ state }) => state === 'success');
    await sidecar.waitFor(FAILS_TWICE, runId, (view) => view === null);
    expect(await noteOf(FAILS_TWICE, runId)).toBe('');
  });
});
