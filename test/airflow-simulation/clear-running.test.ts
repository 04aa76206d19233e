import { describe, expect, test } from 'vitest';
import { fail, succeed } from '../support/airflow/model/dag-definition.ts';
import type { AirflowVersion } from '../support/airflow/model/versions.ts';
import { createScenario, KEY } from './scenario.ts';

const CLEAR = { owner: 'dagain' };
const LONG = [{ dagId: 'etl', tasks: [{ taskId: 'load', script: [succeed(60_000)] as const }] }];

/** What the recipe does: the callback itself clears the run. */
function clearInCallback(version: AirflowVersion) {
  return createScenario({
    version,
    onCallback: (callback, model) => {
      const run = model.run(KEY);
      if (callback.type === 'task-failed' && run !== undefined && run.clears.length === 0) {
        model.clearing.clearRun(run, CLEAR);
      }
    },
  });
}

describe('clearing in the failure callback', () => {
  test.each(['2.10', '2.11'] as const)(
    'loses the retry in Airflow %s: FAILED overwrites the clear',
    async (version) => {
      const { model, task, timers } = clearInCallback(version);
      model.trigger(KEY);
      await timers.advanceUntilIdle();
      expect(task('load')).toMatchObject({ state: 'failed', tryNumber: 1 });
      // What had succeeded before was reset, and ran again for nothing.
      expect(task('extract').tryNumber).toBe(2);
      expect(model.stateOf(KEY)).toBe('failed');
      expect(model.run(KEY)?.clearNumber).toBe(0);
    },
  );

  test('leaves the task of Airflow 3.0 in RESTARTING', async () => {
    const { model, task, timers } = clearInCallback('3.0');
    model.trigger(KEY);
    await timers.advanceUntilIdle();
    expect(task('load').state).toBe('restarting');
    expect(model.stateOf(KEY)).toBe('running');
  });

  test.each(['3.1', '3.2', '3.3'] as const)(
    'makes the task of Airflow %s wait for its retry delay',
    async (version) => {
      const { model, task, timers, untilTask, untilRun } = clearInCallback(version);
      model.trigger(KEY);
      await untilTask('load', 'restarting');
      const startedAtMs = model.run(KEY)?.startedAtMs;
      await untilTask('load', 'up_for_retry');
      expect(task('load')).toMatchObject({ tryNumber: 1, maxTries: 0 });
      const waitsFromMs = timers.nowMs();
      await untilRun('success');
      expect(timers.nowMs() - waitsFromMs).toBeGreaterThan(300_000);
      expect(model.run(KEY)).toMatchObject({ startedAtMs, clearNumber: version === '3.1' ? 0 : 1 });
      expect(task('load').tryNumber).toBe(2);
    },
  );
});

describe('clearing while a task runs', () => {
  test.each(['3.1', '3.2', '3.3'] as const)('kills it and runs it again in Airflow %s', async (version) => {
    const { model, task, timers, untilTask, untilRun } = createScenario({ version, dags: LONG });
    const run = model.trigger(KEY);
    await untilTask('load', 'running');
    const { queuedAtMs, startedAtMs } = run;
    await timers.advanceBy(10_000);
    model.clearing.clearRun(run, CLEAR);
    expect(task('load').state).toBe('restarting');
    expect(run).toMatchObject({ state: 'running', startedAtMs });
    expect(run.queuedAtMs === queuedAtMs).toBe(version === '3.1');
    expect(run.clearNumber).toBe(version === '3.1' ? 0 : 1);
    expect(model.clearsOf(KEY)).toMatchObject([{ stateBefore: 'running', restartedRunning: true }]);
    await untilRun('success');
    expect(task('load')).toMatchObject({ tryNumber: 2, maxTries: 1 });
    expect(model.attemptsOf(KEY)).toMatchObject([{ outcome: 'superseded' }, { outcome: 'success' }]);
  });

  test.each(['2.10', '2.11'] as const)(
    'kills it in Airflow %s and lets it wait for its retry delay',
    async (version) => {
      const { model, task, untilTask, untilRun } = createScenario({ version, dags: LONG });
      const run = model.trigger(KEY);
      await untilTask('load', 'running');
      model.clearing.clearRun(run, CLEAR);
      await untilTask('load', 'up_for_retry');
      expect(task('load').maxTries).toBe(0);
      await untilRun('success');
    },
  );

  test('leaves it in RESTARTING in Airflow 3.0, until it is cleared once more', async () => {
    const { model, task, timers, untilTask, untilRun } = createScenario({ version: '3.0', dags: LONG });
    const run = model.trigger(KEY);
    await untilTask('load', 'running');
    model.clearing.clearRun(run, CLEAR);
    await timers.advanceUntilIdle();
    expect(task('load').state).toBe('restarting');
    model.clearing.clearRun(run, CLEAR);
    expect(task('load').state).toBeNull();
    await untilRun('success');
  });

  test('a second clear starts the next try beside the old process', async () => {
    const { model, task, timers, untilTask, untilRun } = createScenario({ dags: LONG });
    const run = model.trigger(KEY);
    await untilTask('load', 'running');
    model.clearing.clearRun(run, CLEAR);
    model.clearing.clearRun(run, CLEAR);
    expect(task('load')).toMatchObject({ state: null, maxTries: 1 });
    await untilTask('load', 'running');
    const killed = () => model.history(KEY).some((entry) => entry.type === 'process_killed');
    expect(killed()).toBe(false);
    await timers.advanceUntil(killed);
    expect(task('load')).toMatchObject({ state: 'running', tryNumber: 2 });
    await untilRun('success');
    expect(model.clearsOf(KEY)).toMatchObject([{ restartedRunning: true }, { restartedRunning: true }]);
  });

  test('the killed try of Airflow 3 still sends its callback, under its old names', async () => {
    const tasks = [{ taskId: 'load', script: [fail({ durationMs: 14_000 }), succeed(60_000)] as const }];
    const { model, task, timers, callbacks, untilTask, untilRun } = createScenario({ dags: [{ dagId: 'etl', tasks }] });
    const run = model.trigger(KEY);
    await untilTask('load', 'running');
    const firstId = task('load').id;
    await timers.advanceBy(10_000);
    model.clearing.clearRun(run, CLEAR);
    model.clearing.clearRun(run, CLEAR);
    await untilTask('load', 'running');
    expect(callbacks).toEqual([]);
    await untilRun('success');
    expect(callbacks.map(({ type }) => type)).toEqual(['task-failed']);
    expect(callbacks[0]?.body).toMatchObject({
      task_instance_id: firstId,
      try_number: 1,
      dag_run: { clear_number: 0 },
    });
  });

  test('Airflow 2 calls nothing back for a task that was cleared before it failed', async () => {
    const tasks = [{ taskId: 'load', script: [fail({ durationMs: 12_000 }), succeed()] as const }];
    const dags = [{ dagId: 'etl', tasks }];
    const { model, timers, callbacks, untilTask, untilRun } = createScenario({ version: '2.11', dags });
    const run = model.trigger(KEY);
    await untilTask('load', 'running');
    await timers.advanceBy(10_000);
    model.clearing.clearRun(run, CLEAR);
    await untilTask('load', 'up_for_retry');
    expect(callbacks).toEqual([]);
    await untilRun('success');
  });

  test('a task of Airflow 2 that succeeds before it is killed writes that over the clear', async () => {
    const tasks = [{ taskId: 'load', script: [succeed(12_000)] as const }];
    const { model, task, timers, untilTask } = createScenario({ version: '2.11', dags: [{ dagId: 'etl', tasks }] });
    const run = model.trigger(KEY);
    await untilTask('load', 'running');
    await timers.advanceBy(10_000);
    model.clearing.clearRun(run, CLEAR);
    await timers.advanceUntilIdle();
    expect(task('load')).toMatchObject({ state: 'success', tryNumber: 1 });
    expect(model.stateOf(KEY)).toBe('success');
  });

  test('after a second clear, the old process of Airflow 2 writes its end into the row of the new try', async () => {
    const tasks = [{ taskId: 'load', script: [succeed(12_000), succeed(60_000)] as const }];
    const { model, task, timers, untilTask, untilRun } = createScenario({
      version: '2.11',
      dags: [{ dagId: 'etl', tasks }],
    });
    const run = model.trigger(KEY);
    await untilTask('load', 'running');
    await timers.advanceBy(10_000);
    model.clearing.clearRun(run, CLEAR);
    model.clearing.clearRun(run, CLEAR);
    await untilTask('load', 'running');
    expect(task('load').tryNumber).toBe(2);
    await untilRun('success');
    const endedAtMs = run.endedAtMs ?? 0;
    // The new try works on, and its end moves that of the run.
    await timers.advanceUntilIdle();
    expect(run.endedAtMs).toBeGreaterThan(endedAtMs + 30_000);
  });

  test('after a second clear, the old process of Airflow 2 calls back under the number of the new try', async () => {
    const tasks = [{ taskId: 'load', script: [fail({ durationMs: 12_000 }), succeed(60_000)] as const }];
    const dags = [{ dagId: 'etl', tasks }];
    const { model, callbacks, timers, untilTask, untilCallback } = createScenario({ version: '2.11', dags });
    const run = model.trigger(KEY);
    await untilTask('load', 'running');
    await timers.advanceBy(10_000);
    model.clearing.clearRun(run, CLEAR);
    model.clearing.clearRun(run, CLEAR);
    await untilCallback('task-failed');
    expect(callbacks[0]?.body).toMatchObject({ try_number: 2, max_tries: 1 });
  });

  test('a queued task is reset without having begun', async () => {
    const { model, task, untilTask, untilRun } = createScenario({ dags: LONG });
    const run = model.trigger(KEY);
    await untilTask('load', 'queued');
    model.clearing.clearRun(run, CLEAR);
    expect(task('load').state).toBeNull();
    await untilRun('success');
    expect(task('load').tryNumber).toBe(2);
    expect(model.history(KEY).filter((entry) => entry.type === 'task_running')).toHaveLength(1);
  });

  test('prevent_running_task refuses, and changes nothing', async () => {
    const { model, task, untilTask } = createScenario({ dags: LONG });
    const run = model.trigger(KEY);
    await untilTask('load', 'running');
    const options = { ...CLEAR, onlyFailed: false, preventRunningTask: true };
    expect(model.clearing.clearTasks(run, options)).toBeNull();
    expect(task('load').state).toBe('running');
    expect(model.clearsOf(KEY)).toEqual([]);
  });
});
