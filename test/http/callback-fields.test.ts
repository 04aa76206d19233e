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

async function reported(name: string, body: unknown) {
  const got = await http.post(`/v1/callbacks/${name}`, body);
  expect(got.text).toContain('"decision"');
  expect(got.status).toBe(202);
  return http.intake.reports.at(-1);
}

const taskFailed = (fields: object = {}) => reported('task-failed', { ...TASK_FAILED, ...fields });
const failureOf = async (fields: object) => (await taskFailed(fields))?.event;

describe('what describes a failure is cut rather than refused', () => {
  test.each([
    ['exception.message', { exception: { message: 'm'.repeat(5_000) } }, { message: `${'m'.repeat(999)}…` }],
    ['exception.type', { exception: { type: 't'.repeat(251) } }, { exceptionType: `${'t'.repeat(249)}…` }],
    ['operator', { operator: 'o'.repeat(251) }, { operator: `${'o'.repeat(249)}…` }],
    [
      'half a character',
      { exception: { message: `${'m'.repeat(998)}🚀🚀` } },
      { message: `${'m'.repeat(998)}\uFFFD…` },
    ],
    ['a lone surrogate', { exception: { message: 'a\uD800b' } }, { message: 'a\uFFFDb' }],
    ['control characters stay', { exception: { message: 'a\u0000\nb' } }, { message: 'a\u0000\nb' }],
  ])('%s', async (_what, fields, expected) => {
    expect(await failureOf(fields)).toMatchObject({ failure: expected });
  });

  test.each([
    'javascript:alert(1)',
    'data:text/html,x',
    '/dags/etl/grid',
    'http://',
    `http://airflow/${'x'.repeat(2_000)}`,
    '',
  ])('log_url %j is left out', async (log_url) => {
    expect(await failureOf({ log_url })).toMatchObject({ failure: { logUrl: null } });
  });
});

describe('times', () => {
  test.each([
    ['2026-01-01T11:00:00.123456+00:00', Date.UTC(2026, 0, 1, 11, 0, 0, 123)],
    ['2026-01-01T11:00:00.123999+00:00', Date.UTC(2026, 0, 1, 11, 0, 0, 123)],
    ['2026-01-01T11:00:00+00:00', Date.UTC(2026, 0, 1, 11)],
    ['2026-01-01T11:00:00Z', Date.UTC(2026, 0, 1, 11)],
    ['2026-01-01 11:00:00+00:00', Date.UTC(2026, 0, 1, 11)],
    ['2026-01-01T16:30:00+05:30', Date.UTC(2026, 0, 1, 11)],
    ['2025-12-31T23:00:00-12:00', Date.UTC(2026, 0, 1, 11)],
    ['1999-01-01T00:00:00Z', Date.UTC(1999, 0, 1)],
  ])('%s', async (failed_at, failedAtMs) => {
    expect(await failureOf({ failed_at })).toMatchObject({ failure: { failedAtMs } });
  });

  test('a failure in the future happened now: the worker has a fast clock', async () => {
    const event = await failureOf({
      failed_at: '2026-01-01T12:00:00.001Z',
      dag_run: { start_date: '2027-01-01T00:00:00Z' },
    });
    expect(event).toMatchObject({
      failure: { failedAtMs: NOW_MS },
      evidence: { startedAtMs: Date.UTC(2027, 0, 1) },
    });
  });
});

describe('failure classes', () => {
  test.each([
    [{ exception: { type: 'ValueError' } }, 'task_error'],
    [{ exception: { type: 'airflow.exceptions.AirflowSensorTimeout' } }, 'timeout'],
    [{ exception: { type: 'MemoryError' } }, 'infra'],
    [{ exception: { message: 'Detected zombie job' } }, 'infra'],
    [{ exception: { type: 'ValueError' }, failure_class: 'infra' }, 'infra'],
  ])('%j is %s', async (fields, failureClass) => {
    expect(await failureOf(fields)).toMatchObject({ failure: { failureClass } });
  });
});

describe('the policy layer of a callback', () => {
  test('is kept as it was written', async () => {
    const retry = {
      retries: [3, '30s', 90],
      delay: 12.5,
      retry_on: ['infra'],
      max_retries_by_class: { infra: 5 },
      never_on: ['ValueError'],
      run_on_latest_version: true,
    };
    expect(await failureOf({ retry })).toMatchObject({ override: retry });
  });

  test('that is empty is none', async () => {
    expect(await failureOf({ retry: {} })).toMatchObject({ override: null });
  });

  test('brings no prototype along', async () => {
    const body = JSON.stringify({ ...TASK_FAILED, retry: { max_retries_by_class: { infra: 1 } } }).replace(
      '"infra":1',
      '"infra":1,"__proto__":{"polluted":true}',
    );
    const report = await reported('task-failed', body);
    expect(JSON.stringify(report?.event)).toContain('"override":{"max_retries_by_class":{"infra":1}}');
    expect(Reflect.get({}, 'polluted')).toBeUndefined();
  });
});
