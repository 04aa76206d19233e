import { describe, expect, test } from 'vitest';
import { succeed } from '../support/airflow/model/dag-definition.ts';
import { AIRFLOW_VERSIONS, type AirflowVersion } from '../support/airflow/model/versions.ts';
import { createApiScenario, createFailedRun } from './api-scenario.ts';
import { KEY } from './scenario.ts';

describe.each(AIRFLOW_VERSIONS)('the clear endpoint of Airflow %s', (version) => {
  test('does nothing unless dry_run is false', async () => {
    const { model, call, runPath } = await createFailedRun({ version });
    const dry = await call('POST', `${runPath}/clear`, {});
    expect(dry.status).toBe(200);
    expect(dry.body).toMatchObject({
      task_instances: [{ task_id: 'extract' }, { task_id: 'load' }, { task_id: 'publish' }],
    });
    expect(model.stateOf(KEY)).toBe('failed');
    expect(model.clearsOf(KEY)).toEqual([]);

    const real = await call('POST', `${runPath}/clear`, { dry_run: false });
    expect(real).toMatchObject({ status: 200, body: { dag_run_id: KEY.dagRunId, state: 'queued', start_date: null } });
    expect(model.clearsOf(KEY)).toMatchObject([{ owner: 'admin', matched: 3 }]);
  });

  test('never says that it was too early', async () => {
    const { model, call, runPath, untilRun } = createApiScenario({ version });
    model.trigger(KEY);
    expect(await call('POST', `${runPath}/clear`, { dry_run: false })).toMatchObject({ status: 200 });
    await untilRun('running');
    expect(await call('POST', `${runPath}/clear`, { dry_run: false })).toMatchObject({
      status: 200,
      body: { state: 'running' },
    });
  });

  test('shows no clear_number', async () => {
    const { call, runPath } = await createFailedRun({ version });
    expect((await call('GET', runPath)).body).not.toHaveProperty('clear_number');
  });
});

const CLEAR_FIELDS: readonly [AirflowVersion, readonly string[]][] = [
  ['2.10', []],
  ['2.11', []],
  ['3.0', ['only_failed']],
  ['3.1', ['only_failed', 'run_on_latest_version']],
  ['3.2', ['only_failed', 'run_on_latest_version']],
  ['3.3', ['only_failed', 'run_on_latest_version', 'only_new', 'note']],
];

describe.each(CLEAR_FIELDS)('the body of a clear in Airflow %s', (version, known) => {
  test.each(['only_failed', 'run_on_latest_version', 'only_new', 'note', 'bogus'])('and its field %s', async (name) => {
    const { model, call, runPath } = await createFailedRun({ version });
    const answer = await call('POST', `${runPath}/clear`, {
      dry_run: false,
      [name]: name === 'note' ? 'by dagain' : false,
    });
    if (known.includes(name)) {
      expect(answer.status).toBe(200);
      return;
    }
    expect(model.clearsOf(KEY)).toEqual([]);
    if (version.startsWith('2.')) {
      expect(answer).toMatchObject({ status: 400, body: { detail: `{'${name}': ['Unknown field.']}` } });
    } else {
      const error = { type: 'extra_forbidden', loc: ['body', name], msg: 'Extra inputs are not permitted' };
      const input = name === 'note' ? 'by dagain' : false;
      expect(answer).toMatchObject({ status: 422, body: { detail: [{ ...error, input }] } });
    }
  });
});

test('run_on_latest_version may be null in 3.3 only', async () => {
  for (const [version, status] of [
    ['3.2', 422],
    ['3.3', 200],
  ] as const) {
    const { call, runPath } = await createFailedRun({ version });
    const answer = await call('POST', `${runPath}/clear`, { dry_run: false, run_on_latest_version: null });
    expect(answer.status).toBe(status);
  }
});

test('3.3 refuses only_new with only_failed, and a note of 1,001 characters', async () => {
  const { call, runPath } = await createFailedRun();
  const both = { dry_run: false, only_failed: true, only_new: true };
  expect(await call('POST', `${runPath}/clear`, both)).toMatchObject({
    status: 422,
    body: {
      detail: [
        { type: 'value_error', msg: 'Value error, only_new and only_failed are mutually exclusive', input: both },
      ],
    },
  });
  expect(await call('POST', `${runPath}/clear`, { note: 'x'.repeat(1_001) })).toMatchObject({
    status: 422,
    body: { detail: [{ type: 'string_too_long', ctx: { max_length: 1_000 } }] },
  });
});

test('what is no object, or no boolean, is answered as FastAPI does', async () => {
  const { call, runPath, api } = await createFailedRun();
  expect(await call('POST', `${runPath}/clear`)).toMatchObject({
    status: 422,
    body: { detail: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }] },
  });
  expect(await call('POST', `${runPath}/clear`, { dry_run: 'perhaps' })).toMatchObject({
    status: 422,
    body: { detail: [{ type: 'bool_parsing', loc: ['body', 'dry_run'], input: 'perhaps' }] },
  });
  expect(await call('POST', `${runPath}/clear`, [1])).toMatchObject({
    status: 422,
    body: { detail: [{ type: 'model_attributes_type' }] },
  });
  const headers = { authorization: `Bearer ${api.auth.login('admin', 'admin')}`, 'content-type': 'application/json' };
  const broken = await api.handle({ method: 'POST', path: `${runPath}/clear`, headers, body: '{bad' });
  expect(broken.status).toBe(422);
  expect(broken.body).toContain('json_invalid');
});

test('a run or a Dag that is not there is a 404, after the body was checked', async () => {
  const { call, base } = await createFailedRun();
  const path = `${base}/dags/etl/dagRuns/nope/clear`;
  const detail = 'The DagRun with dag_id: `etl` and run_id: `nope` was not found';
  expect(await call('POST', path, { dry_run: false })).toMatchObject({ status: 404, body: { detail } });
  expect(await call('POST', path, { bogus: 1 })).toMatchObject({ status: 422 });
  expect(await call('GET', `${base}/dags/none/dagRuns/nope`)).toMatchObject({
    status: 404,
    body: { detail: 'The DagRun with dag_id: `none` and run_id: `nope` was not found' },
  });
});

test('Airflow 2 answers with problem documents', async () => {
  const { call, base } = await createFailedRun({ version: '2.11' });
  const section = 'https://airflow.apache.org/docs/apache-airflow/2.11.2/stable-rest-api-ref.html#section/Errors';
  expect(await call('POST', `${base}/dags/etl/dagRuns/nope/clear`, { dry_run: false })).toMatchObject({
    status: 404,
    headers: { 'content-type': 'application/problem+json' },
    body: {
      detail: null,
      status: 404,
      title: 'Dag Run id nope not found in dag   etl',
      type: `${section}/NotFound`,
    },
  });
  expect(await call('GET', `${base}/dags/etl/dagRuns/nope`)).toMatchObject({
    status: 404,
    body: { title: 'DAGRun not found', detail: "DAGRun with DAG ID: 'etl' and DagRun ID: 'nope' not found" },
  });
});

test('a Dag that cannot be loaded makes the clear fail, not the read', async () => {
  const { model, call, runPath } = await createFailedRun();
  const dag = model.dag('etl');
  if (dag !== undefined) dag.isUnloadable = true;
  expect(await call('GET', runPath)).toMatchObject({ status: 200 });
  expect(await call('POST', `${runPath}/clear`, { dry_run: false })).toMatchObject({
    status: 404,
    body: { detail: 'Dag with id etl was not found' },
  });
});

test('only_failed with nothing failed answers 200 with the run as it was', async () => {
  const dags = [
    { dagId: 'etl', dagrunTimeoutMs: 60_000, tasks: [{ taskId: 'load', script: [succeed(600_000)] as const }] },
  ];
  const { call, runPath } = await createFailedRun({ dags });
  const before = await call('GET', runPath);
  const answer = await call('POST', `${runPath}/clear`, { dry_run: false, only_failed: true });
  expect(answer).toEqual(before);
});

test('prevent_running_task answers 409 from 3.2 on, and is unknown before', async () => {
  for (const [version, status] of [
    ['3.1', 422],
    ['3.2', 409],
  ] as const) {
    const { model, call, base, untilTask } = createApiScenario({ version });
    model.trigger(KEY);
    await untilTask('extract', 'running');
    const answer = await call('POST', `${base}/dags/etl/clearTaskInstances`, {
      dry_run: false,
      dag_run_id: KEY.dagRunId,
      only_failed: false,
      prevent_running_task: true,
    });
    expect(answer.status).toBe(status);
  }
});

test('clearTaskInstances resets the run by default in Airflow 3, but not in Airflow 2', async () => {
  for (const [version, state] of [
    ['2.11', 'failed'],
    ['3.3', 'queued'],
  ] as const) {
    const { model, call, base } = await createFailedRun({ version });
    const body = { dry_run: false, dag_run_id: KEY.dagRunId };
    const answer = await call('POST', `${base}/dags/etl/clearTaskInstances`, body);
    expect(answer).toMatchObject({
      status: 200,
      body: { task_instances: [{ task_id: 'load' }, { task_id: 'publish' }] },
    });
    expect(model.stateOf(KEY)).toBe(state);
  }
});

describe('the audit log', () => {
  test('of Airflow 3 has every clear that was tried, but no dry run', async () => {
    const { call, runPath, base } = await createFailedRun();
    await call('POST', `${runPath}/clear`, {});
    await call('POST', `${runPath}/clear`, { dry_run: false, bogus: 1 });
    await call('POST', `${runPath}/clear`, { dry_run: false });
    const run = encodeURIComponent(KEY.dagRunId);
    const { body } = await call('GET', `${base}/eventLogs?dag_id=etl&run_id=${run}&event=clear_dag_run`);
    expect(body).toMatchObject({
      total_entries: 2,
      event_logs: [
        { event: 'clear_dag_run', owner: 'admin', extra: '{"dry_run":false,"bogus":1,"method":"POST"}' },
        { event: 'clear_dag_run', owner: 'admin', run_id: KEY.dagRunId },
      ],
    });
  });

  test('of Airflow 2 names the event differently, and has dry runs, too', async () => {
    const { call, runPath, base } = await createFailedRun({ version: '2.11' });
    await call('POST', `${runPath}/clear`, {});
    await call('POST', `${runPath}/clear`, { dry_run: false });
    expect((await call('GET', `${base}/eventLogs?event=clear_dag_run`)).body).toMatchObject({ total_entries: 0 });
    expect((await call('GET', `${base}/eventLogs?event=api.clear_dag_run`)).body).toMatchObject({ total_entries: 2 });
  });

  test('shows the latest first when asked to, page by page', async () => {
    const { model, call, base } = await createFailedRun();
    for (let round = 0; round < 3; round += 1) model.person('alice').clear(KEY);
    const { body } = await call('GET', `${base}/eventLogs?owner=alice&order_by=-event_log_id&limit=2&offset=1`);
    const ids = model.audit.entries().filter(({ owner }) => owner === 'alice');
    expect(body).toMatchObject({
      total_entries: 3,
      event_logs: [{ event_log_id: ids[1]?.id }, { event_log_id: ids[0]?.id }],
    });
  });

  test('does not show what was tried on a Dag that is not there', async () => {
    const { call, base } = await createFailedRun();
    await call('POST', `${base}/dags/none/dagRuns/x/clear`, { dry_run: false });
    expect((await call('GET', `${base}/eventLogs?dag_id=none`)).body).toMatchObject({ total_entries: 0 });
  });
});
