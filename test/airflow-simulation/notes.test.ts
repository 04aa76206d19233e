import { describe, expect, test } from 'vitest';
import { createAirflow } from '../../src/orchestrator/airflow/airflow.ts';
import { createAirflowApi } from '../support/airflow/api/api.ts';
import { createAirflowDispatcher } from '../support/airflow/dispatcher.ts';
import { createScenario, KEY } from './scenario.ts';

describe.each(['3.3', '2.11'] as const)('notes on Airflow %s', (version) => {
  async function setUp() {
    const { model, untilRun } = createScenario({ version });
    model.trigger(KEY);
    await untilRun('failed');
    const api = createAirflowApi({ model });
    const airflow = createAirflow({
      url: 'http://airflow.test',
      credentials: { type: 'password', username: 'admin', password: 'admin' },
      clock: { nowMs: model.timers.nowMs },
      dispatcher: createAirflowDispatcher(api),
    });
    const note = () => model.run(KEY)?.note ?? null;
    return { model, airflow, note };
  }

  test('are written, replaced and taken away, and a person’s text stays', async () => {
    const { model, airflow, note } = await setUp();
    expect(await airflow.annotate(KEY, 'retry 1 of 2')).toEqual({ type: 'accepted' });
    expect(note()).toMatch(/^dagain: retry 1 of 2 \[\w{4}\]$/);
    const run = model.run(KEY);
    if (run !== undefined) model.setNote(run, `${note()}\nmine`);
    await airflow.annotate(KEY, 'gave up');
    expect(note()).toMatch(/^mine\ndagain: gave up \[\w{4}\]$/);
    await airflow.annotate(KEY, null);
    expect(note()).toBe('mine');
  });

  test('do not change what tells one attempt from the next, and outlive a clear', async () => {
    const { airflow, note } = await setUp();
    const before = await airflow.observe(KEY);
    await airflow.annotate(KEY, 'retry 1 of 2');
    expect(await airflow.observe(KEY)).toEqual(before);
    await airflow.clear(KEY, { mode: 'all_tasks', runOnLatestVersion: false });
    expect(note()).toMatch(/^dagain: retry 1 of 2/);
  });

  test('active runs are listed', async () => {
    const { airflow } = await setUp();
    expect(await airflow.activeRuns([KEY.dagId], 0)).toMatchObject({ runs: [], total: 0 });
    await airflow.clear(KEY, { mode: 'all_tasks', runOnLatestVersion: false });
    expect(await airflow.activeRuns([KEY.dagId], 0)).toMatchObject({ runs: [{ key: KEY }], rows: 1, total: 1 });
  });
});
