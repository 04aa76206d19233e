import { describe, expect, test } from 'vitest';
import { isoOffset, isoZulu } from '../support/airflow/model/times.ts';
import { createApiScenario, createFailedRun } from './api-scenario.ts';
import { FAILS_ONCE, KEY } from './scenario.ts';

test('a run of Airflow 3, field by field', async () => {
  const { call, runPath } = await createFailedRun();
  expect((await call('GET', runPath)).body).toMatchObject({
    dag_run_id: KEY.dagRunId,
    dag_id: 'etl',
    logical_date: null,
    queued_at: '2026-01-01T00:00:00Z',
    start_date: '2026-01-01T00:00:01Z',
    end_date: expect.stringMatching(/^2026-01-01T00:00:\d\d(\.\d{6})?Z$/),
    duration: expect.any(Number),
    run_after: '2026-01-01T00:00:00Z',
    run_type: 'manual',
    state: 'failed',
    triggered_by: 'rest_api',
    conf: {},
    note: null,
    dag_versions: [{ dag_id: 'etl', version_number: 1 }],
  });
});

test('a run of Airflow 2 has no queued_at, and its times have an offset', async () => {
  const { call, runPath } = await createFailedRun({ version: '2.11' });
  const { body } = await call('GET', runPath);
  expect(body).toMatchObject({ start_date: '2026-01-01T00:00:01+00:00', state: 'failed', external_trigger: true });
  expect(body).not.toHaveProperty('queued_at');
  expect(body).not.toHaveProperty('run_after');
});

test('times leave out a fraction of zero', () => {
  expect(isoZulu(Date.UTC(2026, 0, 1))).toBe('2026-01-01T00:00:00Z');
  expect(isoZulu(Date.UTC(2026, 0, 1, 0, 0, 0, 250))).toBe('2026-01-01T00:00:00.250000Z');
  expect(isoOffset(Date.UTC(2026, 0, 1, 0, 0, 0, 250))).toBe('2026-01-01T00:00:00.250000+00:00');
});

describe('ids in paths', () => {
  test.each(['2.11', '3.3'] as const)('are decoded once in Airflow %s', async (version) => {
    const { model, call, base } = createApiScenario({ version });
    for (const dagRunId of ['manual__2026-01-01T00:00:00+00:00', 'a.b~c-d', 'a%2Bb']) {
      model.trigger({ dagId: 'etl', dagRunId });
      const path = `${base}/dags/etl/dagRuns/${encodeURIComponent(dagRunId)}`;
      expect(await call('GET', path)).toMatchObject({ status: 200, body: { dag_run_id: dagRunId } });
    }
    const raw = `${base}/dags/etl/dagRuns/manual__2026-01-01T00:00:00+00:00`;
    expect(await call('GET', raw)).toMatchObject({ status: 200 });
    const twice = encodeURIComponent(encodeURIComponent('manual__2026-01-01T00:00:00+00:00'));
    expect(await call('GET', `${base}/dags/etl/dagRuns/${twice}`)).toMatchObject({ status: 404 });
  });

  test('with a slash are no route: 404 when read, 405 when cleared', async () => {
    const { model, call, base } = createApiScenario();
    model.trigger({ dagId: 'etl', dagRunId: 'a/b' });
    const path = `${base}/dags/etl/dagRuns/a%2Fb`;
    expect(await call('GET', path)).toMatchObject({ status: 404, body: { error: 'API route not found' } });
    expect(await call('POST', `${path}/clear`, { dry_run: false })).toMatchObject({ status: 405 });
  });
});

test('the other base path is not there', async () => {
  const three = createApiScenario();
  expect(await three.call('GET', '/api/v1/version')).toMatchObject({
    status: 404,
    body: { error: '/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead.' },
  });
  const two = createApiScenario({ version: '2.11' });
  const answer = await two.call('GET', '/api/v2/version');
  expect(answer.status).toBe(404);
  expect(answer.headers['content-type']).toContain('text/html');
});

test('Airflow 3 serves its web page under every other path, with status 200', async () => {
  const { call } = createApiScenario();
  const answer = await call('GET', '/version');
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toContain('text/html');
});

test('Airflow can be behind a path prefix', async () => {
  const { call } = createApiScenario({ basePath: '/airflow' });
  expect(await call('GET', '/airflow/api/v2/version')).toMatchObject({ body: { version: '3.3.2' } });
});

test('tags and pause of a Dag', async () => {
  for (const version of ['2.11', '3.3'] as const) {
    const dags = [{ ...FAILS_ONCE, tags: ['dagain/max_retries=3', 'a'], isPaused: true }];
    const { call, base } = createApiScenario({ version, dags });
    const { body } = await call('GET', `${base}/dags/etl`);
    expect(body).toMatchObject({ is_paused: true, max_active_runs: 16 });
    expect(body).toMatchObject({
      tags: expect.arrayContaining([expect.objectContaining({ name: 'dagain/max_retries=3' })]),
    });
    expect((await call('GET', `${base}/dags/none`)).status).toBe(404);
  }
});

async function manyRuns(version: '2.11' | '3.3') {
  const scenario = createApiScenario({ version, dags: [FAILS_ONCE, { dagId: 'ok', tasks: [{ taskId: 'only' }] }] });
  for (let index = 0; index < 3; index += 1) {
    scenario.model.trigger({ dagId: 'etl', dagRunId: `run-${index}` });
    scenario.model.trigger({ dagId: 'ok', dagRunId: `run-${index}` });
    await scenario.timers.advanceUntilIdle();
    await scenario.timers.advanceBy(60_000);
  }
  const list = async (method: string, path: string, body?: unknown) => {
    const answer = await scenario.call(method, `${scenario.base}${path}`, body);
    return answer.body;
  };
  const named = (ids: string[]) => ids.map((dag_run_id) => expect.objectContaining({ dag_run_id }));
  return { ...scenario, list, named };
}

describe.each(['2.11', '3.3'] as const)('lists of runs in Airflow %s', (version) => {
  test('filter by state, over all Dags', async () => {
    const { list, named } = await manyRuns(version);
    expect(await list('GET', '/dags/~/dagRuns?state=failed')).toMatchObject({
      dag_runs: named(['run-0', 'run-1', 'run-2']),
      total_entries: 3,
    });
    expect(await list('POST', '/dags/~/dagRuns/list', { states: ['success'], dag_ids: ['etl'] })).toMatchObject({
      dag_runs: [],
    });
  });

  test('come in pages and in order', async () => {
    const { list, named } = await manyRuns(version);
    expect(await list('GET', '/dags/etl/dagRuns?order_by=-end_date&limit=1&offset=1')).toMatchObject({
      dag_runs: named(['run-1']),
      total_entries: 3,
    });
    expect(await list('POST', '/dags/~/dagRuns/list', { order_by: '-end_date', page_limit: 2 })).toMatchObject({
      dag_runs: [{ dag_run_id: 'run-2' }, { dag_run_id: 'run-2' }],
      total_entries: 6,
    });
    expect(await list('GET', '/dags/etl/dagRuns?order_by=nope')).toMatchObject({
      detail: "Ordering with 'nope' is disallowed or the attribute does not exist on the model",
    });
  });

  test('take times, of which updated_at changes with the run but not with its note', async () => {
    const { list, named, model, timers } = await manyRuns(version);
    const sinceMs = timers.nowMs();
    const run = model.run({ dagId: 'etl', dagRunId: 'run-0' });
    if (run === undefined) throw new Error('a run expected');
    model.setNote(run, 'hello');
    const path = `/dags/~/dagRuns?updated_at_gte=${encodeURIComponent(isoZulu(sinceMs))}`;
    expect(await list('GET', path)).toMatchObject({ total_entries: 0 });
    model.clearing.clearRun(run, { owner: 'dagain' });
    expect(await list('GET', path)).toMatchObject({ dag_runs: named(['run-0']) });
  });
});

test('the body of a list knows no updated_at in Airflow 3', async () => {
  const { call, base } = createApiScenario();
  expect(await call('POST', `${base}/dags/~/dagRuns/list`, { updated_at_gte: '2026-01-01T00:00:00Z' })).toMatchObject({
    status: 422,
    body: { detail: [{ type: 'extra_forbidden', loc: ['body', 'updated_at_gte'] }] },
  });
});

test('a plus sign that was not encoded spoils a time in Airflow 3, but not in Airflow 2', async () => {
  for (const [version, status] of [
    ['2.11', 200],
    ['3.3', 422],
  ] as const) {
    const { call, base } = createApiScenario({ version });
    const answer = await call('GET', `${base}/dags/~/dagRuns?updated_at_gte=2026-01-01T00:00:00+00:00`);
    expect(answer.status).toBe(status);
  }
});

test('an unknown Dag has no runs in Airflow 2, and is a 404 in Airflow 3', async () => {
  for (const [version, status] of [
    ['2.11', 200],
    ['3.3', 404],
  ] as const) {
    const { call, base } = createApiScenario({ version });
    expect((await call('GET', `${base}/dags/none/dagRuns`)).status).toBe(status);
  }
});

test('Airflow 2 refuses query parameters that it does not know, Airflow 3 ignores them', async () => {
  for (const [version, status] of [
    ['2.11', 400],
    ['3.3', 200],
  ] as const) {
    const { call, base } = createApiScenario({ version });
    expect((await call('GET', `${base}/dags/~/dagRuns?run_after_gte=2026-01-01T00:00:00Z`)).status).toBe(status);
    expect((await call('GET', `${base}/dags?nonsense=1`)).status).toBe(status);
  }
});

test.each(['2.11', '3.3'] as const)('the Dags of Airflow %s', async (version) => {
  const { call, base } = createApiScenario({ version });
  expect(await call('GET', `${base}/dags?limit=1`)).toMatchObject({
    status: 200,
    body: { dags: [{ dag_id: 'etl' }], total_entries: 1 },
  });
});

test('no list is longer than 100', async () => {
  const { model, call, base } = createApiScenario({
    dags: [{ dagId: 'etl', isPaused: true, tasks: [{ taskId: 'a' }] }],
  });
  for (let index = 0; index < 120; index += 1) model.trigger({ dagId: 'etl', dagRunId: `run-${index}` });
  const { body } = await call('GET', `${base}/dags/~/dagRuns?limit=1000`);
  expect(body).toMatchObject({ total_entries: 120 });
  expect(body).toHaveProperty('dag_runs.length', 100);
});

test.each(['2.11', '3.3'] as const)('failed task instances of a run in Airflow %s', async (version) => {
  const { call, runPath } = await createFailedRun({ version });
  expect((await call('GET', `${runPath}/taskInstances?state=failed`)).body).toMatchObject({
    total_entries: 1,
    task_instances: [{ task_id: 'load', state: 'failed', try_number: 1, max_tries: 0, map_index: -1 }],
  });
});

test('notes are written over what was there, and have at most 1,000 characters', async () => {
  for (const [version, suffix] of [
    ['2.11', '/setNote'],
    ['3.3', '?update_mask=note'],
  ] as const) {
    const { call, runPath, model } = await createFailedRun({ version });
    for (const note of ['first', 'second']) {
      expect(await call('PATCH', `${runPath}${suffix}`, { note })).toMatchObject({ status: 200, body: { note } });
    }
    const tooLong = await call('PATCH', `${runPath}${suffix}`, { note: 'x'.repeat(1_001) });
    expect(tooLong.status).toBe(version === '2.11' ? 400 : 422);
    expect(model.run(KEY)?.note).toBe('second');
  }
});

test('a run is triggered once', async () => {
  for (const version of ['2.11', '3.3'] as const) {
    const { call, base } = createApiScenario({ version });
    const body = { dag_run_id: 'mine', ...(version === '3.3' ? { logical_date: null } : {}) };
    expect(await call('POST', `${base}/dags/etl/dagRuns`, body)).toMatchObject({
      status: 200,
      body: { state: 'queued' },
    });
    expect(await call('POST', `${base}/dags/etl/dagRuns`, body)).toMatchObject({ status: 409 });
  }
});

test('Airflow 2 takes `..` as an id, and breaks down over a slash', async () => {
  const { call, base } = createApiScenario({ version: '2.11' });
  expect(await call('POST', `${base}/dags/etl/dagRuns`, { dag_run_id: '..' })).toMatchObject({ status: 200 });
  const broken = await call('POST', `${base}/dags/etl/dagRuns`, { dag_run_id: 'a/b' });
  expect(broken.status).toBe(500);
  expect(broken.headers['content-type']).toContain('text/html');
});

test('Airflow 3 needs a logical date to trigger a run, and refuses ids that would change a path', async () => {
  const { call, base } = createApiScenario();
  expect(await call('POST', `${base}/dags/etl/dagRuns`, { dag_run_id: 'x' })).toMatchObject({
    status: 422,
    body: { detail: [{ type: 'missing', loc: ['body', 'logical_date'], input: { dag_run_id: 'x' } }] },
  });
  for (const [id, status] of [
    ['a/b', 400],
    ['a..b', 400],
    ['.', 200],
  ] as const) {
    expect(await call('POST', `${base}/dags/etl/dagRuns`, { dag_run_id: id, logical_date: null })).toMatchObject({
      status,
    });
  }
});
