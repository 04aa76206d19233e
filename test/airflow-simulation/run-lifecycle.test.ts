import { describe, expect, test } from 'vitest';
import { fail, killed, lost, succeed } from '../support/airflow/model/dag-definition.ts';
import { AIRFLOW_VERSIONS } from '../support/airflow/model/versions.ts';
import { createScenario, FAILS_ONCE, KEY } from './scenario.ts';

describe.each(AIRFLOW_VERSIONS)('a failing run of Airflow %s', (version) => {
  test('calls back while task and run are running, records FAILED later, and fails the run later still', async () => {
    const { model, task, untilCallback, untilTask, untilRun, timers, callbacks } = createScenario({ version });
    model.trigger(KEY);
    await untilCallback('task-failed');
    expect(task('load').state).toBe('running');
    expect(model.stateOf(KEY)).toBe('running');
    const calledAtMs = timers.nowMs();

    await untilTask('load', 'failed');
    expect(model.stateOf(KEY)).toBe('running');
    expect(timers.nowMs()).toBeGreaterThan(calledAtMs);

    await untilTask('publish', 'upstream_failed');
    expect(model.stateOf(KEY)).toBe('running');

    await untilRun('failed');
    expect(callbacks.map((callback) => callback.type)).toEqual(['task-failed']);
    const endedAtMs = timers.nowMs();
    await untilCallback('run-failed');
    expect(timers.nowMs()).toBeGreaterThan(endedAtMs);
    await timers.advanceUntilIdle();
    expect(callbacks).toHaveLength(2);
  });
});

test('the callback names the try by a UUID in Airflow 3 only', async () => {
  const three = createScenario({ version: '3.3' });
  const two = createScenario({ version: '2.11' });
  for (const scenario of [three, two]) {
    scenario.model.trigger(KEY);
    await scenario.untilCallback('task-failed');
  }
  const common = {
    dag_id: 'etl',
    dag_run_id: KEY.dagRunId,
    task_id: 'load',
    map_index: -1,
    try_number: 1,
    max_tries: 0,
    operator: 'PythonOperator',
    exception: { type: 'ValueError', message: 'boom' },
    dag_run: { start_date: '2026-01-01T00:00:01+00:00', clear_number: 0, run_type: 'manual' },
  };
  expect(three.callbacks[0]?.body).toMatchObject({ ...common, task_instance_id: three.task('load').id });
  expect(two.callbacks[0]?.body).toMatchObject(common);
  expect(two.callbacks[0]?.body).not.toHaveProperty('task_instance_id');
});

test('3.0.2 passes no exception to the task callback and no run to that of the Dag', async () => {
  const { model, callbacks, timers } = createScenario({ version: '3.0' });
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  expect(callbacks.map(({ type }) => type)).toEqual(['task-failed', 'run-failed']);
  expect(callbacks[0]?.body).not.toHaveProperty('exception');
  expect(callbacks[1]?.body).not.toHaveProperty('dag_run');
});

test('a task that still has retries calls nothing back before the last one has failed', async () => {
  const tasks = [{ taskId: 'load', retries: 2, retryDelayMs: 60_000, script: [fail()] as const }];
  const { model, task, callbacks, timers, untilTask } = createScenario({ dags: [{ dagId: 'etl', tasks }] });
  model.trigger(KEY);
  await untilTask('load', 'up_for_retry');
  expect(model.stateOf(KEY)).toBe('running');
  await timers.advanceUntilIdle();
  expect(task('load')).toMatchObject({ state: 'failed', tryNumber: 3, maxTries: 2 });
  expect(callbacks.map((callback) => callback.type)).toEqual(['task-failed', 'run-failed']);
});

test('a failed task need not fail the run: only the last tasks decide', async () => {
  const tasks = [
    { taskId: 'load', script: [fail()] as const },
    { taskId: 'report', upstream: ['load'], triggerRule: 'all_done' as const },
  ];
  const { model, task, callbacks, timers } = createScenario({ dags: [{ dagId: 'etl', tasks }] });
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  expect(task('load').state).toBe('failed');
  expect(model.stateOf(KEY)).toBe('success');
  expect(callbacks.map((callback) => callback.type)).toEqual(['task-failed', 'run-succeeded']);
});

test('parallel failures each call back, and mapped ones with their index', async () => {
  const tasks = [{ taskId: 'load', mapped: 3, script: [fail()] as const }];
  const { model, callbacksOf, timers } = createScenario({ dags: [{ dagId: 'etl', tasks }] });
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  expect(callbacksOf('task-failed').map(({ body }) => body)).toMatchObject([
    { map_index: 0 },
    { map_index: 1 },
    { map_index: 2 },
  ]);
});

test('a task killed outright calls nothing back in Airflow 3, where the run still fails within seconds', async () => {
  const tasks = [{ taskId: 'load', script: [killed()] as const }];
  const { model, callbacks, timers } = createScenario({ dags: [{ dagId: 'etl', tasks }] });
  model.trigger(KEY);
  await timers.advanceBy(10_000);
  expect(model.stateOf(KEY)).toBe('failed');
  expect(callbacks.map((callback) => callback.type)).toEqual(['run-failed']);
});

test('the dag processor of Airflow 2 calls back for a killed task, with a text instead of an exception', async () => {
  const tasks = [{ taskId: 'load', script: [killed()] as const }];
  const { model, task, callbacks, untilCallback } = createScenario({
    version: '2.11',
    dags: [{ dagId: 'etl', tasks }],
  });
  model.trigger(KEY);
  await untilCallback('task-failed');
  expect(task('load').state).toBe('running');
  expect(callbacks[0]?.body).toMatchObject({
    exception: { message: expect.stringMatching(/^\{'DAG Id': 'etl', 'Task Id': 'load', /) },
    failure_class: 'infra',
  });
  expect(callbacks[0]?.body).not.toHaveProperty('exception.type');
});

test('a lost worker is noticed minutes later, and its callback comes twice, first while the task is running', async () => {
  const tasks = [{ taskId: 'load', script: [lost()] as const }];
  const { model, task, callbacks, timers, untilCallback } = createScenario({ dags: [{ dagId: 'etl', tasks }] });
  model.trigger(KEY);
  const startMs = timers.nowMs();
  await untilCallback('task-failed');
  expect(task('load').state).toBe('running');
  expect(timers.nowMs() - startMs).toBeGreaterThan(300_000);
  await timers.advanceUntilIdle();
  const bodies = callbacks.filter(({ type }) => type === 'task-failed').map(({ body }) => body);
  expect(bodies).toEqual([bodies[0], bodies[0]]);
  expect(bodies[0]).toMatchObject({ failure_class: 'infra', task_instance_id: task('load').id });
  expect(bodies[0]).not.toHaveProperty('exception');
});

test('AirflowFailException ends a task whatever retries it has left', async () => {
  const script = [fail({ type: 'airflow.exceptions.AirflowFailException' })] as const;
  const dags = [{ dagId: 'etl', tasks: [{ taskId: 'load', retries: 3, script }] }];
  const { model, task, timers, callbacksOf } = createScenario({ dags });
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  expect(task('load')).toMatchObject({ state: 'failed', tryNumber: 1 });
  expect(callbacksOf('task-failed')).toHaveLength(1);
});

test('a time-out is said to be one, and an exception may ask for other terms', async () => {
  const script = [fail({ type: 'airflow.exceptions.AirflowTaskTimeout', retry: { max_retries: 5 } })] as const;
  const dags = [{ dagId: 'etl', retry: { max_retries: 1, delay: '5m' }, tasks: [{ taskId: 'load', script }] }];
  const { model, callbacks, untilCallback } = createScenario({ dags });
  model.trigger(KEY);
  await untilCallback('task-failed');
  expect(callbacks[0]?.body).toMatchObject({ failure_class: 'timeout', retry: { max_retries: 5, delay: '5m' } });
});

test('a callback can be lost or come twice', async () => {
  for (const callbacks of [0, 2]) {
    const tasks = [{ taskId: 'load', script: [fail({ callbacks })] as const }];
    const scenario = createScenario({ dags: [{ dagId: 'etl', tasks }] });
    scenario.model.trigger(KEY);
    await scenario.timers.advanceUntilIdle();
    expect(scenario.callbacksOf('task-failed')).toHaveLength(callbacks);
    expect(scenario.model.stateOf(KEY)).toBe('failed');
  }
});

test('a webhook that does not answer delays FAILED, but for 20 seconds at most', async () => {
  const { model, timers, untilCallback, untilTask } = createScenario({ onCallback: () => new Promise(() => {}) });
  model.trigger(KEY);
  await untilCallback('task-failed');
  const calledAtMs = timers.nowMs();
  await untilTask('load', 'failed');
  expect(timers.nowMs() - calledAtMs).toBe(20_300);
});

test('a webhook that fails does not stop Airflow', async () => {
  const onCallback = () => Promise.reject(new Error('connection refused'));
  const { model, timers } = createScenario({ onCallback });
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  expect(model.stateOf(KEY)).toBe('failed');
  expect(model.history(KEY)).toContainEqual(
    expect.objectContaining({ type: 'callback_raised', detail: 'connection refused' }),
  );
});

test('a Dag without callbacks calls nothing back', async () => {
  const none = { taskFailed: false, runFailed: false, runSucceeded: false };
  const { model, timers, callbacks } = createScenario({ dags: [{ ...FAILS_ONCE, callbacks: none }] });
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  expect(model.stateOf(KEY)).toBe('failed');
  expect(callbacks).toEqual([]);
});

test('dagrun_timeout fails the run, skips what is unfinished, and gives its reason to the callback of the Dag only', async () => {
  const tasks = [{ taskId: 'load', script: [succeed(3_600_000)] as const }];
  const dags = [{ dagId: 'etl', dagrunTimeoutMs: 60_000, tasks }];
  const { model, task, callbacks, timers } = createScenario({ dags });
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  expect(model.stateOf(KEY)).toBe('failed');
  expect(task('load').state).toBe('skipped');
  expect(callbacks).toMatchObject([{ type: 'run-failed', body: { reason: 'timed_out' } }]);
});

test('the policy that a Dag sends comes with its failures', async () => {
  const { model, timers, callbacks } = createScenario({ dags: [{ ...FAILS_ONCE, retry: { max_retries: 1 } }] });
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  expect(callbacks.map(({ body }) => body)).toMatchObject([
    { retry: { max_retries: 1 } },
    { retry: { max_retries: 1 } },
  ]);
});

test('the same seed gives the same history', async () => {
  const histories = [];
  for (let round = 0; round < 2; round += 1) {
    const { model, timers } = createScenario({ latencies: { schedulerMs: [50, 1_000], recordMs: [100, 5_000] } });
    model.trigger(KEY);
    await timers.advanceUntilIdle();
    histories.push(model.history(KEY));
  }
  expect(histories[0]).toEqual(histories[1]);
});
