import { describe, expect, test } from 'vitest';
import { fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { AIRFLOW_VERSIONS } from '../support/airflow/model/versions.ts';
import { createScenario, FAILS_ONCE, KEY } from './scenario.ts';

const CLEAR = { owner: 'dagain' };

async function failedRun(options: Parameters<typeof createScenario>[0] = {}) {
  const scenario = createScenario(options);
  const run = scenario.model.trigger(KEY);
  await scenario.timers.advanceUntilIdle();
  await scenario.timers.advanceBy(60_000);
  return { ...scenario, run };
}

describe.each(AIRFLOW_VERSIONS)('clearing a failed run of Airflow %s', (version) => {
  test('queues it anew, and it runs again', async () => {
    const { model, run, timers, task, untilRun } = await failedRun({ version });
    const before = { ...run, taskInstanceId: task('load').id };
    const nowMs = timers.nowMs();
    model.clearing.clearRun(run, CLEAR);
    expect(run).toMatchObject({
      state: 'queued',
      queuedAtMs: nowMs,
      startedAtMs: null,
      endedAtMs: null,
      lastSchedulingDecisionMs: null,
      clearNumber: 1,
      runAfterMs: before.runAfterMs,
    });
    expect(task('load')).toMatchObject({ state: null, tryNumber: 1, maxTries: 1 });
    expect(task('publish')).toMatchObject({ state: null, tryNumber: 0, maxTries: 0 });
    if (version.startsWith('3.')) expect(task('load').id).not.toBe(before.taskInstanceId);

    await untilRun('success');
    expect(task('load')).toMatchObject({ state: 'success', tryNumber: 2, maxTries: 1 });
    expect(task('load').tries).toMatchObject([{ tryNumber: 1, state: 'failed', maxTries: 0 }]);
    expect(model.attemptsOf(KEY)).toMatchObject([
      { number: 1, startedBy: 'trigger', outcome: 'failed' },
      { number: 2, startedBy: 'dagain', outcome: 'success' },
    ]);
    expect(model.clearsOf(KEY)).toMatchObject([
      { owner: 'dagain', stateBefore: 'failed', matched: 3, restartedRunning: false },
    ]);
  });
});

test('only_failed leaves what has succeeded, and max_tries counts tries and retries', async () => {
  const tasks = [
    { taskId: 'extract' },
    {
      taskId: 'load',
      upstream: ['extract'],
      retries: 2,
      retryDelayMs: 1_000,
      script: [fail(), fail(), fail(), succeed()] as const,
    },
  ];
  const { model, run, task, untilRun } = await failedRun({ dags: [{ dagId: 'etl', tasks }] });
  expect(task('load')).toMatchObject({ state: 'failed', tryNumber: 3, maxTries: 2 });
  model.clearing.clearRun(run, { ...CLEAR, onlyFailed: true });
  expect(task('extract').state).toBe('success');
  expect(task('load')).toMatchObject({ state: null, tryNumber: 3, maxTries: 5 });
  await untilRun('success');
  expect(task('extract').tryNumber).toBe(1);
});

test('only_failed matches nothing after dagrun_timeout: the run stays failed', async () => {
  const dags = [
    { dagId: 'etl', dagrunTimeoutMs: 60_000, tasks: [{ taskId: 'load', script: [succeed(600_000)] as const }] },
  ];
  const { model, run, timers } = await failedRun({ dags });
  const { queuedAtMs } = run;
  expect(model.clearing.clearRun(run, { ...CLEAR, onlyFailed: true })).toEqual([]);
  await timers.advanceUntilIdle();
  expect(run).toMatchObject({ state: 'failed', queuedAtMs, clearNumber: 0 });
  expect(model.attemptsOf(KEY)).toHaveLength(1);
  model.clearing.clearRun(run, CLEAR);
  expect(run.state).toBe('queued');
});

test('a successful run is cleared like any other', async () => {
  const dags = [{ dagId: 'etl', tasks: [{ taskId: 'load' }] }];
  const { model, run, untilRun } = await failedRun({ dags });
  expect(run.state).toBe('success');
  model.clearing.clearRun(run, CLEAR);
  expect(run.state).toBe('queued');
  await untilRun('success');
  expect(model.attemptsOf(KEY)).toHaveLength(2);
});

test('a cleared run waits in queued while its Dag is paused', async () => {
  const { model, run, timers, untilRun } = await failedRun();
  model.person('alice').pause('etl');
  model.clearing.clearRun(run, CLEAR);
  await timers.advanceBy(3_600_000);
  expect(run.state).toBe('queued');
  model.person('alice').unpause('etl');
  await untilRun('success');
});

test('a cleared run waits in queued while max_active_runs others run', async () => {
  const { model, run, timers, untilRun } = await failedRun({ dags: [{ ...FAILS_ONCE, maxActiveRuns: 1 }] });
  const other = { dagId: 'etl', dagRunId: 'other' };
  model.trigger(other);
  await untilRun('running', other);
  model.clearing.clearRun(run, CLEAR);
  await timers.advanceBy(1_500);
  expect(run.state).toBe('queued');
  await untilRun('failed', other);
  await untilRun('success');
});

test('a run that is cleared again while still queued has lost an attempt that never began', async () => {
  const { model, run, timers, untilRun } = await failedRun({ version: '2.11' });
  model.clearing.clearRun(run, CLEAR);
  const { queuedAtMs } = run;
  await timers.advanceBy(500);
  model.clearing.clearRun(run, CLEAR);
  // Before 3.2, only the clear of a finished run counts.
  expect(run).toMatchObject({ state: 'queued', queuedAtMs, clearNumber: 1 });
  await untilRun('success');
  expect(model.attemptsOf(KEY)).toMatchObject([
    { outcome: 'failed' },
    { startedAtMs: null, outcome: 'superseded' },
    { outcome: 'success' },
  ]);
  expect(model.clearsOf(KEY)).toMatchObject([{ restartedRunning: false }, { restartedRunning: true }]);
});

test('clearTaskInstances takes single tasks and what is downstream of them', async () => {
  const { model, run, task, untilRun } = await failedRun();
  const options = { ...CLEAR, taskIds: ['load'], includeDownstream: true, onlyFailed: false };
  const cleared = model.clearing.clearTasks(run, options);
  expect(cleared?.map((instance) => instance.task.taskId)).toEqual(['load', 'publish']);
  expect(run.state).toBe('queued');
  await untilRun('success');
  expect(task('extract').tryNumber).toBe(1);
});

test('clearTaskInstances without reset_dag_runs leaves a failed run with tasks that nobody runs', async () => {
  const { model, run, task, timers } = await failedRun();
  model.clearing.clearTasks(run, { ...CLEAR, resetDagRuns: false });
  await timers.advanceUntilIdle();
  expect(run.state).toBe('failed');
  expect(task('load').state).toBeNull();
  expect(model.attemptsOf(KEY)).toHaveLength(1);
});
