import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ANSWER, NOW_MS, type Serving, serve, TASK_FAILED } from './serve.ts';

let http: Serving;
beforeAll(async () => {
  http = await serve();
});
afterAll(() => http.close());
beforeEach(() => {
  http.intake.reports.length = 0;
  http.intake.answer = async () => ANSWER;
});

const RUN = { dagId: TASK_FAILED.dag_id, dagRunId: TASK_FAILED.dag_run_id };

async function reported(name: string, body: unknown) {
  const got = await http.post(`/v1/callbacks/${name}`, body);
  expect(got.text).toContain('"decision"');
  expect(got.status).toBe(202);
  return http.intake.reports.at(-1);
}

const taskFailed = (fields: object = {}) => reported('task-failed', { ...TASK_FAILED, ...fields });
const failureOf = async (fields: object) => (await taskFailed(fields))?.event;

describe('a failed task', () => {
  test('in its shortest form', async () => {
    expect(await taskFailed()).toEqual({
      key: RUN,
      event: {
        type: 'failure_reported',
        failure: {
          id: 'task:load|-1|0',
          taskId: 'load',
          mapIndex: null,
          tryNumber: null,
          operator: null,
          exceptionType: null,
          message: null,
          failureClass: 'task_error',
          failedAtMs: NOW_MS,
          logUrl: null,
          refused: false,
        },
        evidence: { startedAtMs: null, clearNumber: null, runType: null },
        override: null,
      },
    });
  });

  test('with everything that Airflow 3 can tell', async () => {
    const report = await taskFailed({
      map_index: 3,
      try_number: 2,
      max_tries: 2,
      task_instance_id: '01998a52-4f6a-7c1e-9f37-5b1f6f1d2c11',
      operator: 'PythonOperator',
      exception: { type: 'airflow.exceptions.AirflowTaskTimeout', message: 'Timeout, PID: 3489' },
      failed_at: '2026-01-01T11:59:58.123456+00:00',
      log_url: 'http://airflow:8080/dags/etl/runs/x/tasks/load?try_number=2',
      dag_run: { start_date: '2026-01-01T11:00:00.654321+00:00', clear_number: 1, run_type: 'scheduled', conf: {} },
      retry: { max_retries: 3, delay: '30s' },
      some_field_of_a_later_version: { a: 1 },
    });
    expect(report?.event).toEqual({
      type: 'failure_reported',
      failure: {
        id: 'ti:01998a52-4f6a-7c1e-9f37-5b1f6f1d2c11',
        taskId: 'load',
        mapIndex: 3,
        tryNumber: 2,
        operator: 'PythonOperator',
        exceptionType: 'airflow.exceptions.AirflowTaskTimeout',
        message: 'Timeout, PID: 3489',
        failureClass: 'timeout',
        failedAtMs: Date.UTC(2026, 0, 1, 11, 59, 58, 123),
        logUrl: 'http://airflow:8080/dags/etl/runs/x/tasks/load?try_number=2',
        refused: false,
      },
      evidence: { startedAtMs: Date.UTC(2026, 0, 1, 11, 0, 0, 654), clearNumber: 1, runType: 'scheduled' },
      override: { max_retries: 3, delay: '30s' },
    });
  });

  test('with null wherever that is allowed: Python sends None for what it does not know', async () => {
    const nothing = await taskFailed();
    const fields = {
      run_id: null,
      map_index: null,
      try_number: null,
      max_tries: null,
      task_instance_id: null,
      operator: null,
      failed_at: null,
      log_url: null,
      failure_class: null,
      retry: null,
    };
    expect(await taskFailed({ ...fields, exception: null, dag_run: null })).toEqual(nothing);
    const empty = {
      exception: { type: null, message: null },
      dag_run: { start_date: null, clear_number: null, run_type: null },
    };
    expect(await taskFailed({ ...fields, ...empty })).toEqual(nothing);
  });

  test.each([
    ['dag_run_id', { dag_run_id: 'r1' }],
    ['run_id', { run_id: 'r1' }],
    ['both, the same', { dag_run_id: 'r1', run_id: 'r1' }],
    ['run_id beside null', { dag_run_id: null, run_id: 'r1' }],
    ['dag_run_id beside null', { dag_run_id: 'r1', run_id: null }],
  ])('named by %s', async (_how, names) => {
    const report = await reported('task-failed', { dag_id: 'etl', task_id: 'load', ...names });
    expect(report?.key).toEqual({ dagId: 'etl', dagRunId: 'r1' });
  });

  test.each([
    [{ map_index: 7, try_number: 2 }, 'task:load|7|2'],
    [{ map_index: -1, try_number: 0 }, 'task:load|-1|0'],
    [{ task_instance_id: 'abc', try_number: 2 }, 'ti:abc'],
  ])('%j is known again as %s', async (fields, id) => {
    expect(await failureOf(fields)).toMatchObject({ failure: { id } });
  });

  test('lists the same keys in any order and the last of two equal ones', async () => {
    const body = '{"task_id":"x","dag_id":"etl","run_id":"r1","task_id":"load"}';
    expect(await reported('task-failed', body)).toMatchObject({ event: { failure: { taskId: 'load' } } });
  });

  test('with brackets that only look like depth', async () => {
    const message = `\\" ${'[{'.repeat(100)}`;
    expect(await taskFailed({ exception: { message } })).toMatchObject({ event: { failure: { message } } });
    await taskFailed({ conf: Array.from({ length: 100 }, () => [{ a: [1] }]) });
  });

  test('in UTF-8, escaped or not, with a byte order mark', async () => {
    expect(await taskFailed({ task_id: 'größe-日本-🚀' })).toMatchObject({
      event: { failure: { taskId: 'größe-日本-🚀' } },
    });
    const escaped = '\uFEFF{"dag_id":"etl","run_id":"r1","task_id":"\\ud83d\\ude80"}';
    expect(await reported('task-failed', escaped)).toMatchObject({ event: { failure: { taskId: '🚀' } } });
  });
});

describe('a failed run', () => {
  test.each([
    [{}, 'run:', 'task_error'],
    [{ reason: 'task_failure' }, 'run:', 'task_error'],
    [{ reason: 'timed_out', dag_run: { clear_number: 2 } }, 'run:2', 'timeout'],
    [{ reason: 'all_tasks_deadlocked' }, 'run:', 'deadlock'],
    [
      { reason: 'timed_out', dag_run: { start_date: '2026-01-01T00:00:00.000000+00:00', clear_number: 2 } },
      `run:${Date.UTC(2026, 0, 1)}`,
      'timeout',
    ],
  ])('%j', async (fields, id, failureClass) => {
    const report = await reported('run-failed', { dag_id: 'etl', run_id: 'r1', ...fields });
    expect(report).toMatchObject({
      key: { dagId: 'etl', dagRunId: 'r1' },
      event: { type: 'failure_reported', failure: { id, taskId: null, failureClass } },
    });
  });

  test('says nothing of a task: the one in the context of a Dag-level callback is whichever finished last', async () => {
    const body = { ...TASK_FAILED, task_id: 5, map_index: 3, try_number: 1, task_instance_id: 'abc', operator: 'Bash' };
    const report = await reported('run-failed', body);
    const nothing = { taskId: null, mapIndex: null, tryNumber: null, operator: null };
    expect(report).toMatchObject({ event: { failure: { id: 'run:', ...nothing } } });
  });
});

test('a run that succeeded', async () => {
  const report = await reported('run-succeeded', { dag_id: 'etl', run_id: 'r1', whatever: 1 });
  expect(report).toEqual({ key: { dagId: 'etl', dagRunId: 'r1' }, event: { type: 'success_reported' } });
});

describe('the answer', () => {
  test('has all fields', async () => {
    const got = await http.post('/v1/callbacks/task-failed', TASK_FAILED);
    expect(JSON.parse(got.text)).toEqual({
      decision: 'retry_scheduled',
      dag_id: 'etl',
      dag_run_id: 'manual__2026-01-01T00:00:00+00:00',
      next_attempt: 2,
      retries_used: 0,
      max_retries: 2,
      due_at: '2026-01-01T12:01:00.000Z',
      reason: 'failure_reported',
    });
    expect(got.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
    });
    expect(Object.keys(got.headers)).not.toContain('etag');
    expect(Object.keys(got.headers)).not.toContain('x-powered-by');
  });

  test('has null where nothing is pending', async () => {
    http.intake.answer = async () => ({
      decision: 'unknown_run',
      reason: 'no_record',
      nextAttempt: null,
      retriesUsed: 0,
      maxRetries: 0,
      retryAtMs: null,
    });
    const got = await http.post('/v1/callbacks/run-succeeded', { dag_id: 'etl', run_id: 'r1' });
    expect(got.status).toBe(202);
    expect(JSON.parse(got.text)).toEqual({
      decision: 'unknown_run',
      dag_id: 'etl',
      dag_run_id: 'r1',
      next_attempt: null,
      retries_used: 0,
      max_retries: 0,
      due_at: null,
      reason: 'no_record',
    });
  });
});

describe('a failing task that refuses another attempt', () => {
  test.each([
    ['by what it raised', { exception: { type: 'dagain_airflow.DoNotRetryDagRun' }, retry: { max_retries: 0 } }],
    ['by a never_on of its own', { retry: { never_on: ['*'] } }],
    [
      'by a never_on that names what it raised',
      { exception: { type: 'a.KeyError' }, retry: { never_on: ['KeyError'] } },
    ],
  ])('%s: the refusal is of this failure, and no layer of policy', async (_name, more) => {
    expect(await failureOf(more)).toMatchObject({ failure: { refused: true }, override: null });
  });

  test('a cap of 0 or another never_on alone is policy, not a refusal', async () => {
    const retry = { max_retries: 0, never_on: ['KeyError'] };
    expect(await failureOf({ retry })).toMatchObject({ failure: { refused: false }, override: retry });
  });
});
