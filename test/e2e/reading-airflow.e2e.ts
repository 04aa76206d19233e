import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REAL_CLOCK } from '../../src/app.ts';
import type { RunKey } from '../../src/core/run-key.ts';
import { createAirflow } from '../../src/orchestrator/airflow/airflow.ts';
import type { AuditTrail, FailedRun, FailedRunsCursor, Orchestrator } from '../../src/orchestrator/port.ts';
import type { AirflowApi } from './airflow/api.ts';
import { chosenVersions, OURS, type Stage, setStage } from './stage.ts';
import { openWebPages } from './web-pages.ts';

const [FAILS, KILLED, IDLE] = ['fail_for_ever', 'killed', 'eight_parallel_failures'] as const;
const [OUT_OF_TIME, STOPPED] = ['out_of_time', 'runs_until_stopped'] as const;

describe.each(chosenVersions())('what is read of Airflow %s', (version) => {
  const isV1 = version.startsWith('2.');
  let stage: Stage;
  let api: AirflowApi;
  let airflow: Orchestrator;

  beforeAll(async () => {
    // Callbacks that reach nobody: only the log and the list of runs tell.
    stage = await setStage(version, [FAILS, KILLED, IDLE, OUT_OF_TIME, STOPPED], {
      AIRFLOW__API__MAXIMUM_PAGE_LIMIT: '10',
    });
    ({ api } = stage.airflow);
    await api.setPaused(IDLE, true);
    const credentials = { type: 'password', username: OURS, password: OURS } as const;
    airflow = createAirflow({ url: stage.airflow.url, credentials, clock: REAL_CLOCK });
  });

  afterAll(async () => {
    await airflow?.close();
    await stage?.close();
  });

  const keyOf = (dagId: string, name: string): RunKey => ({ dagId, dagRunId: `${name}__2026-11-21T06:00:00+00:00` });

  async function fail(key: RunKey): Promise<RunKey> {
    await api.trigger(key.dagId, key.dagRunId);
    await failed(key);
    return key;
  }

  async function failed({ dagId, dagRunId }: RunKey): Promise<void> {
    await api.waitForRun(dagId, dagRunId, (run) => run.state === 'failed' && run.endedAt !== null);
  }

  function told(trail: AuditTrail): string[] {
    if (trail.type !== 'found') return [JSON.stringify(trail)];
    expect(trail).toMatchObject({ isComplete: true, knowsUs: true });
    return trail.entries.map(({ action, owner, isOurs }) => `${isOurs ? 'our ' : ''}${action} by ${owner}`);
  }

  const trailOf = async (key: RunKey) => told(await airflow.auditTrail(key));

  async function stoppedOf(key: RunKey): Promise<string[]> {
    const run = await api.run(key.dagId, key.dagRunId);
    const stopped = await airflow.stoppedTasks(key, run?.startedAt?.getTime() ?? 0);
    return stopped.type === 'found' ? stopped.tasks.map(({ taskId }) => taskId) : [JSON.stringify(stopped)];
  }

  const path = ({ dagId, dagRunId }: RunKey) => `/dags/${dagId}/dagRuns/${encodeURIComponent(dagRunId)}`;

  test('a run that failed by itself has no history', async () => {
    const key = await fail(keyOf(FAILS, 'by_itself'));
    expect(await trailOf(key)).toEqual([]);
    expect(await stoppedOf(key)).toEqual([]);
    expect(await airflow.leastClears(key)).toEqual({ type: 'found', clears: 0 });
  });

  test('clears are told apart by who sent them, and dry ones are none', async () => {
    const key = await fail(keyOf(FAILS, 'cleared'));
    const sinceMs = Date.now();
    await api.send('POST', `${path(key)}/clear`, { dry_run: true });
    await api.send('POST', `${path(key)}/clear`, {});
    expect(await trailOf(key)).toEqual([]);
    await api.clear(key.dagId, key.dagRunId);
    await failed(key);
    await api.clear(key.dagId, key.dagRunId, { onlyFailed: true });
    await failed(key);
    for (const mode of ['all_tasks', 'from_failure'] as const) {
      expect(await airflow.clear(key, { mode, runOnLatestVersion: false })).toMatchObject({ type: 'accepted' });
      await failed(key);
    }
    const [person, we] = ['cleared by admin', `our cleared by ${OURS}`];
    expect(await trailOf(key)).toEqual([person, person, we, we]);
    expect(await airflow.leastClears(key)).toEqual({ type: 'found', clears: 4 });
    const ours = await airflow.ownClears(sinceMs);
    expect(ours).toMatchObject({ type: 'found', isComplete: true, clears: [{ key }, { key }] });
    expect(await airflow.ownClears(Date.now())).toMatchObject({ clears: [] });
  });

  test('what a person sets by the API is told with its state', async () => {
    const key = await fail(keyOf(FAILS, 'set_by_api'));
    await api.setRunState(key.dagId, key.dagRunId, 'success');
    await api.setRunState(key.dagId, key.dagRunId, 'failed');
    // By now its task has failed, or on 3.0 succeeded; what would change nothing is refused (409).
    const [now] = await api.taskInstances(key.dagId, key.dagRunId);
    const state = now?.state === 'failed' ? 'success' : 'failed';
    const dry = isV1 ? `${path(key)}/taskInstances/work` : `${path(key)}/taskInstances/work/dry_run`;
    expect((await api.send('PATCH', dry, { new_state: state })).status).toBe(200);
    const inEarnest = isV1 ? { dry_run: false } : {};
    const task = `${path(key)}/taskInstances/work`;
    expect((await api.send('PATCH', task, { ...inEarnest, new_state: state })).status).toBe(200);
    expect(await trailOf(key)).toEqual([
      'marked_success by admin',
      'marked_failed by admin',
      `marked_${state} by admin`,
    ]);
  });

  test.runIf(isV1)('what a person does on the pages of Airflow 2', async () => {
    const key = await fail(keyOf(FAILS, 'by_page'));
    const pages = await openWebPages(stage.airflow.url, 'admin', 'admin');
    const run = { dag_id: key.dagId, dag_run_id: key.dagRunId };
    for (const page of ['dagrun_clear', 'dagrun_success', 'dagrun_failed']) {
      await pages.post(`/${page}`, { ...run, confirmed: 'false' });
    }
    expect(await trailOf(key)).toEqual([]);
    await pages.post('/dagrun_success', { ...run, confirmed: 'true' });
    await pages.post('/success', { ...run, task_id: 'work', confirmed: 'true' });
    await pages.post('/failed', { ...run, task_id: 'work', confirmed: 'true' });
    await pages.post('/dagrun_failed', { ...run, confirmed: 'true' });
    await pages.post('/dagrun_clear', { ...run, confirmed: 'true' });
    await failed(key);
    const actions = ['marked_success', 'marked_success', 'marked_failed', 'marked_failed', 'cleared'];
    expect(await trailOf(key)).toEqual(actions.map((action) => `${action} by admin`));
  });

  test.runIf(version === '3.3.2')('what a person does to several runs of a Dag at the same time', async () => {
    const [one, other] = [await fail(keyOf(FAILS, 'bulk_one')), await fail(keyOf(FAILS, 'bulk_other'))];
    const name = ({ dagRunId }: RunKey) => ({ dag_run_id: dagRunId });
    const entities = [
      { ...name(one), state: 'failed' },
      { ...name(other), state: 'success' },
    ];
    const update = { actions: [{ action: 'update', entities }] };
    const clear = { dag_runs: [name(one)], only_failed: false };
    expect((await api.send('PATCH', `/dags/${FAILS}/dagRuns`, update)).status).toBe(200);
    for (const dryRun of [true, false]) {
      const answer = await api.send('POST', `/dags/${FAILS}/clearDagRuns`, { ...clear, dry_run: dryRun });
      expect(answer.status).toBe(200);
    }
    await failed(one);
    expect(await trailOf(one)).toEqual(['marked_failed by admin', 'cleared by admin']);
    expect(await trailOf(other)).toEqual(['marked_success by admin']);
  });

  test.runIf(version === '3.3.2')('what is done on the list of runs: only the tasks tell of it', async () => {
    const key = keyOf(STOPPED, 'listed');
    await api.trigger(key.dagId, key.dagRunId);
    const isRunning = async () => (await api.taskInstances(key.dagId, key.dagRunId))[0]?.state === 'running';
    await expect.poll(isRunning, { interval: 500 }).toBe(true);
    // The page sends this for `~`, and Airflow then shows the entry to nobody.
    const entities = [{ dag_id: key.dagId, dag_run_id: key.dagRunId, state: 'failed' }];
    expect((await api.send('PATCH', '/dags/~/dagRuns', { actions: [{ action: 'update', entities }] })).status).toBe(
      200,
    );
    await failed(key);
    await delay(5_000);
    expect(await trailOf(key)).toEqual([]);
    expect(await stoppedOf(key)).toEqual(['work']);
  });

  test('a task whose process was killed', async () => {
    const key = await fail(keyOf(KILLED, 'killed'));
    await api.clear(key.dagId, key.dagRunId);
    await failed(key);
    // Airflow 3's supervisor lives on and reports an ordinary failure; on Airflow 2 the scheduler finds out.
    const lost = isV1 ? ['task_lost by null'] : [];
    expect(await trailOf(key)).toEqual(['cleared by admin', ...lost]);
    expect(await stoppedOf(key)).toEqual([]);
  });

  test('a run that ran out of time was not stopped by anybody', async () => {
    const key = await fail(keyOf(OUT_OF_TIME, 'out_of_time'));
    expect(await trailOf(key)).toEqual([]);
    expect(await stoppedOf(key)).toEqual([]);
  });

  test('failed runs come in the order in which they ended, each of them, page by page', async () => {
    const fromMs = Date.now();
    const keys: RunKey[] = [];
    for (let number = 0; number < 25; number += 1) {
      const key = keyOf(IDLE, `page_${String(number).padStart(2, '0')}`);
      await api.trigger(key.dagId, key.dagRunId);
      await api.setRunState(key.dagId, key.dagRunId, 'failed');
      keys.push(key);
    }
    const found: FailedRun[] = [];
    let cursor: FailedRunsCursor | null = { endedAtMs: fromMs, skip: 0 };
    for (let pages = 0; cursor !== null && pages < 10; pages += 1) {
      const page = await airflow.failedRuns(cursor);
      if (page.type !== 'found') throw new Error(JSON.stringify(page));
      expect(page.unreadable).toBe(0);
      found.push(...page.runs);
      cursor = page.next;
    }
    expect(cursor).toBeNull();
    const names = [...new Set(found.map(({ key }) => key.dagRunId))];
    expect(names.filter((name) => name.startsWith('page_'))).toEqual(keys.map(({ dagRunId }) => dagRunId));
    expect(found.every(({ run }) => run.state === 'failed')).toBe(true);
    const [first] = found;
    if (first === undefined) throw new Error('nothing was found');
    expect(await airflow.observe(first.key)).toEqual(first.run);
    await delay(50);
    expect(await airflow.failedRuns({ endedAtMs: Date.now(), skip: 0 })).toMatchObject({ runs: [], next: null });
  });
});
