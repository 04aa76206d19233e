import { describe, expect, test } from 'vitest';
import { fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { createScenario, FAILS_ONCE, KEY } from './scenario.ts';

const LONG = [
  {
    dagId: 'etl',
    tasks: [
      { taskId: 'load', script: [succeed(60_000)] as const },
      { taskId: 'publish', upstream: ['load'] },
    ],
  },
];

describe.each(['success', 'failed'] as const)('a run that a person marks as %s', (state) => {
  test('ends without any callback, and its processes are killed', async () => {
    const { model, task, callbacks, timers, untilTask } = createScenario({ dags: LONG });
    model.trigger(KEY);
    await untilTask('load', 'running');
    const alice = model.person('alice');
    expect(state === 'success' ? alice.markSuccess(KEY) : alice.markFailed(KEY)).toBe(true);
    expect(model.run(KEY)).toMatchObject({ state, endedAtMs: timers.nowMs() });
    expect(task('load').state).toBe(state);
    expect(task('publish').state).toBe('skipped');
    await timers.advanceUntilIdle();
    expect(callbacks).toEqual([]);
    expect(model.history(KEY).at(-1)).toMatchObject({ type: 'process_killed', detail: 'load' });
  });
});

test('a task that fails after a person has marked its run still calls back in Airflow 3', async () => {
  const tasks = [{ taskId: 'load', script: [fail({ durationMs: 10_000 })] as const }];
  const { model, callbacks, timers, untilTask } = createScenario({ dags: [{ dagId: 'etl', tasks }] });
  model.trigger(KEY);
  await untilTask('load', 'running');
  await timers.advanceBy(5_000);
  model.person('alice').markFailed(KEY);
  await timers.advanceUntilIdle();
  expect(callbacks.map(({ type }) => type)).toEqual(['task-failed']);
  expect(model.stateOf(KEY)).toBe('failed');
});

test('the end of a run of Airflow 2 moves when a process that was left over ends', async () => {
  for (const [version, moves] of [
    ['2.11', true],
    ['3.3', false],
  ] as const) {
    const { model, timers, untilTask } = createScenario({ version, dags: LONG });
    const run = model.trigger(KEY);
    await untilTask('load', 'running');
    model.person('alice').markFailed(KEY);
    const { startedAtMs, endedAtMs } = run;
    await timers.advanceUntilIdle();
    expect(run.endedAtMs !== endedAtMs).toBe(moves);
    expect(run.startedAtMs).toBe(startedAtMs);
  }
});

test('a person clears a run, and the log tells who it was', async () => {
  for (const [version, event] of [
    ['3.3', 'clear_dag_run'],
    ['2.11', 'dagrun_clear'],
  ] as const) {
    const { model, timers, untilRun } = createScenario({ version });
    model.trigger(KEY);
    await timers.advanceUntilIdle();
    expect(model.person('alice').clear(KEY)).toBe(true);
    await untilRun('success');
    expect(model.audit.entries()).toContainEqual(expect.objectContaining({ event, owner: 'alice', ...KEY }));
    expect(model.clearsOf(KEY)).toMatchObject([{ owner: 'alice' }]);
  }
});

test('a person clears one task, which the log shows under another event', async () => {
  const { model, timers, untilRun } = createScenario();
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  model.person('alice').clearTask(KEY, 'load');
  await untilRun('success');
  expect(model.audit.entries().filter(({ owner }) => owner === 'alice')).toMatchObject([
    { event: 'post_clear_task_instances', dagRunId: KEY.dagRunId },
  ]);
});

test('what a person does to a run that is not there is false, and logged all the same', () => {
  const { model } = createScenario();
  expect(model.person('alice').clear(KEY)).toBe(false);
  expect(model.audit.entries()).toHaveLength(1);
});

test('a deleted run is gone at once, though its last callback may still come', async () => {
  const tasks = [{ taskId: 'load', script: [fail({ durationMs: 8_000 })] as const }];
  const { model, callbacks, timers, untilTask } = createScenario({ dags: [{ dagId: 'etl', tasks }] });
  model.trigger(KEY);
  await untilTask('load', 'running');
  model.person('alice').deleteRun(KEY);
  expect(model.run(KEY)).toBeUndefined();
  expect(model.runs()).toEqual([]);
  await timers.advanceUntilIdle();
  expect(callbacks.map(({ type }) => type)).toEqual(['task-failed']);
  expect(model.attemptsOf(KEY)).toHaveLength(1);
});

test('a deleted Dag takes its runs along', async () => {
  const { model, timers } = createScenario();
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  model.person('alice').deleteDag('etl');
  expect(model.dag('etl')).toBeUndefined();
  expect(model.runs()).toEqual([]);
  expect(() => model.trigger({ dagId: 'etl', dagRunId: 'next' })).toThrow('there is no Dag etl');
});

test('the run of a paused Dag ends late, and starts no further task', async () => {
  const { model, task, timers, untilTask, untilRun } = createScenario();
  model.trigger(KEY);
  await untilTask('extract', 'running');
  model.person('alice').pause('etl');
  await timers.advanceBy(600_000);
  expect(task('extract').state).toBe('success');
  expect(task('load').state).toBeNull();
  expect(model.stateOf(KEY)).toBe('running');
  model.person('alice').unpause('etl');
  await untilTask('load', 'running');
  model.person('alice').pause('etl');
  await untilTask('load', 'failed');
  const failedAtMs = timers.nowMs();
  await untilRun('failed');
  expect(timers.nowMs() - failedAtMs).toBeGreaterThan(60_000);
});

test('Airflow 2 rewrites failed tasks when a run is marked as a success', async () => {
  for (const [version, state] of [
    ['2.11', 'success'],
    ['3.3', 'failed'],
  ] as const) {
    const { model, task, timers } = createScenario({ version, dags: [FAILS_ONCE] });
    model.trigger(KEY);
    await timers.advanceUntilIdle();
    model.person('alice').markSuccess(KEY);
    expect(task('load').state).toBe(state);
    expect(model.stateOf(KEY)).toBe('success');
  }
});
