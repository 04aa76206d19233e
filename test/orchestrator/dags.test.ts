import { HttpResponse } from 'msw';
import { describe, expect, test } from 'vitest';
import type { Orchestrator } from '../../src/orchestrator/port.ts';
import { useNetwork } from '../support/network.ts';
import { htmlPage, KEY, NO_RUN, OLDER_NO_RUN, on, open, RUN_PATH, type Sent, versionHandlers } from './fixtures.ts';

const network = useNetwork();

type Reply = () => Response;
const DAG = '/dags/:dag';
const TASKS = '/dags/:dag/dagRuns/:run/taskInstances';
const apiOf = (version: string) => (version.startsWith('2.') ? '/api/v1' : '/api/v2');

/** Asks an Airflow that answers so. */
async function ask<T>(version: string, path: string, reply: Reply, question: (airflow: Orchestrator) => Promise<T>) {
  const sent: Sent[] = [];
  network.use(...versionHandlers(version), on('GET', `${apiOf(version)}${path}`, sent, reply));
  const airflow = open();
  const answer = await question(airflow);
  await airflow.close();
  return { answer, sent };
}

const describeDag = (version: string, reply: Reply, dagId = KEY.dagId) =>
  ask(version, DAG, reply, (airflow) => airflow.describeDag(dagId));
const failedTasks = (version: string, reply: Reply) =>
  ask(version, TASKS, reply, (airflow) => airflow.failedTasks(KEY));

const json = (body: object, status = 200, headers: Record<string, string> = {}) => {
  return () => HttpResponse.json(body, { status, headers });
};

/** The parts that matter of a Dag as Airflow 3.3.2 answers it, with some that do not. */
function dagJson(fields: object = {}): object {
  const tag = (name: string) => ({ name, dag_id: KEY.dagId, dag_display_name: KEY.dagId });
  return {
    dag_id: KEY.dagId,
    dag_display_name: KEY.dagId,
    is_paused: false,
    is_stale: false,
    tags: [tag('dagain/max_retries=3'), tag('x')],
    owners: ['airflow'],
    ...fields,
  };
}

/** As Airflow 2.11 answers it. */
function olderDagJson(fields: object = {}): object {
  return {
    dag_id: KEY.dagId,
    is_paused: true,
    is_active: true,
    tags: [{ name: 'x' }, { name: 'dagain/max_retries=3' }],
    ...fields,
  };
}

const NO_DAG = { detail: 'The Dag with ID: `etl` was not found' };
const OLDER_NO_DAG = {
  detail: 'The DAG with dag_id: etl was not found',
  status: 404,
  title: 'DAG not found',
  type: 'https://airflow.apache.org/docs/apache-airflow/2.11.2/stable-rest-api-ref.html#section/Errors/NotFound',
};
const REMOVED = { error: '/api/v1 has been removed in Airflow 3, please use /api/v2.' };

const RUN_IN_QUERY = `${RUN_PATH}/taskInstances?state=failed&limit=100`;
const taskJson = (fields: object = {}) => ({
  id: '01998a52-4f6a-7c1e-9f37-5b1f6f1d2c11',
  task_id: 'load',
  dag_id: KEY.dagId,
  dag_run_id: KEY.dagRunId,
  map_index: -1,
  state: 'failed',
  try_number: 2,
  max_tries: 1,
  operator: 'PythonOperator',
  operator_name: 'PythonOperator',
  ...fields,
});
const listOf = (...tasks: object[]) => ({ task_instances: tasks, total_entries: tasks.length });

describe('a Dag that is there', () => {
  test('is read from Airflow 3', async () => {
    const { answer, sent } = await describeDag('3.3.2', json(dagJson()));
    expect(answer).toEqual({ type: 'found', tags: ['dagain/max_retries=3', 'x'], isPaused: false });
    expect(sent).toEqual([{ method: 'GET', path: '/api/v2/dags/etl', authorization: null, body: null }]);
  });

  test('is read from Airflow 2', async () => {
    const { answer, sent } = await describeDag('2.11.2', json(olderDagJson()));
    expect(answer).toEqual({ type: 'found', tags: ['x', 'dagain/max_retries=3'], isPaused: true });
    expect(sent.map(({ path }) => path)).toEqual(['/api/v1/dags/etl']);
  });

  test.each([
    ['no tags', { tags: [] }],
    ['null for tags', { tags: null }],
    ['tags left out', { tags: undefined }],
  ])('has none with %s', async (_name, fields) => {
    const { answer } = await describeDag('3.3.2', json(dagJson({ ...fields, is_paused: null })));
    expect(answer).toEqual({ type: 'found', tags: [], isPaused: false });
  });

  test.each([
    ['another Dag', { dag_id: 'elt' }],
    ['no id', { dag_id: undefined }],
    ['tags that are texts', { tags: ['dagain/max_retries=3'] }],
    ['tags that are one text', { tags: 'dagain/max_retries=3' }],
    ['paused or not in words', { is_paused: 'no' }],
  ])('is not believed with %s', async (_name, fields) => {
    const { answer } = await describeDag('3.3.2', json(dagJson(fields)));
    expect(answer).toEqual({
      type: 'unavailable',
      reason: 'unexpected_answer',
      detail: 'GET /api/v2/dags/etl answered 200 with something else than this Dag',
      retryAfterMs: null,
    });
  });

  test('is named by its id encoded exactly once', async () => {
    const dagId = 'Käse b;c';
    const { answer, sent } = await describeDag('3.3.2', json(dagJson({ dag_id: dagId })), dagId);
    expect(answer).toMatchObject({ type: 'found' });
    expect(sent.map(({ path }) => path)).toEqual(['/api/v2/dags/K%C3%A4se%20b%3Bc']);
  });

  test.each(['..', '~', 'a/b', ''])('is never asked for by the id %j', async (dagId) => {
    network.use(...versionHandlers('3.3.2'));
    expect(await open().describeDag(dagId)).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
  });
});

describe('a Dag that Airflow does not know', () => {
  test.each([
    ['3.3.2', NO_DAG],
    ['2.11.2', OLDER_NO_DAG],
  ])('is missing in the words of %s', async (version, body) => {
    const { answer, sent } = await describeDag(version, json(body, 404));
    expect(answer).toEqual({ type: 'missing' });
    expect(sent).toHaveLength(1);
  });

  test.each([
    ['a page', () => htmlPage(404)],
    ['an unknown path', json({ error: 'API route not found' }, 404)],
    ['another Dag', json({ detail: 'The Dag with ID: `elt` was not found' }, 404)],
    ['the bare words of some other server', json({ detail: 'Not Found' }, 404)],
    ['a gateway', json({ message: 'no Route matched with those values' }, 404)],
    ['a list', json([], 404)],
    ['an empty body', () => new HttpResponse(null, { status: 404 })],
  ])('is not missing by a 404 that is %s', async (_name, reply) => {
    const { answer } = await describeDag('3.3.2', reply);
    expect(answer).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
  });
});

test('a Dag that our user may not read is told from a page that some proxy answers', async () => {
  const { answer } = await describeDag('3.3.2', json({ detail: 'Forbidden' }, 403));
  expect(answer).toMatchObject({ type: 'unavailable', reason: 'forbidden' });
});

const FAILURES = [
  [204, 'unexpected_answer'],
  [400, 'unexpected_answer'],
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [418, 'unexpected_answer'],
  [422, 'unexpected_answer'],
  [429, 'rate_limited'],
  [500, 'server_error'],
  [503, 'server_error'],
] as const;
const page = (status: number) => (status === 204 ? new HttpResponse(null, { status }) : htmlPage(status));

describe.each([
  ['a Dag', describeDag, '/api/v2/dags/etl'],
  ['failed tasks', failedTasks, `/api/v2${RUN_PATH}/taskInstances`],
] as const)('%s without a usable answer', (_name, question, path) => {
  test.each(FAILURES)('%i is %s, and no query is told', async (status, reason) => {
    const { answer, sent } = await question('3.3.2', () => page(status));
    // Retries without tags rest on what our user may read of a Dag, and only Airflow says that.
    const told = question === describeDag && status === 403 ? 'unexpected_answer' : reason;
    expect(answer).toMatchObject({ type: 'unavailable', reason: told, retryAfterMs: null });
    expect(answer).toHaveProperty('detail', expect.stringContaining(`GET ${path} answered ${status}`));
    expect(sent).toHaveLength(1);
  });

  test('a login page with 200 is none', async () => {
    const { answer } = await question('3.3.2', () => htmlPage(200));
    expect(answer).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
  });

  test('Retry-After is handed on', async () => {
    const { answer } = await question('3.3.2', json({}, 429, { 'retry-after': '30' }));
    expect(answer).toMatchObject({ type: 'unavailable', reason: 'rate_limited', retryAfterMs: 30_000 });
  });

  test('nothing is asked while the version cannot be found out', async () => {
    network.use(on('GET', '/api/v2/version', [], json({}, 502)));
    const airflow = open();
    const answers = [await airflow.describeDag(KEY.dagId), await airflow.failedTasks(KEY)];
    expect(answers).toMatchObject(answers.map(() => ({ type: 'unavailable', reason: 'server_error' })));
  });
});

describe('failed tasks', () => {
  test('are read from Airflow 3, those of mapped tasks one by one', async () => {
    const tasks = [taskJson(), taskJson({ task_id: 'shard', map_index: 3, operator: null })];
    const { answer, sent } = await failedTasks('3.3.2', json(listOf(...tasks)));
    expect(answer).toEqual({
      type: 'found',
      tasks: [
        { taskId: 'load', mapIndex: -1, tryNumber: 2, operator: 'PythonOperator' },
        { taskId: 'shard', mapIndex: 3, tryNumber: 2, operator: null },
      ],
    });
    expect(sent).toEqual([{ method: 'GET', path: `/api/v2${RUN_IN_QUERY}`, authorization: null, body: null }]);
  });

  test('are read from Airflow 2, where a task that never ran has the try number 0', async () => {
    const older = { task_id: 'load', map_index: -1, state: 'failed', try_number: 0, operator: 'BashOperator' };
    const { answer, sent } = await failedTasks('2.11.2', json(listOf(older)));
    expect(answer).toEqual({
      type: 'found',
      tasks: [{ taskId: 'load', mapIndex: -1, tryNumber: 0, operator: 'BashOperator' }],
    });
    expect(sent.map(({ path }) => path)).toEqual([`/api/v1${RUN_IN_QUERY}`]);
  });

  test('may be none: after a dagrun_timeout they are skipped', async () => {
    expect((await failedTasks('3.3.2', json(listOf()))).answer).toEqual({ type: 'found', tasks: [] });
  });

  test('are known by their id alone', async () => {
    const { answer } = await failedTasks('3.3.2', json({ task_instances: [{ task_id: 'load' }] }));
    expect(answer).toEqual({
      type: 'found',
      tasks: [{ taskId: 'load', mapIndex: -1, tryNumber: null, operator: null }],
    });
  });

  test('are only those that failed, though the filter went unheard', async () => {
    const states = ['success', 'upstream_failed', 'failed', 'skipped', 'running'];
    const tasks = states.map((state) => taskJson({ task_id: state, state }));
    const { answer } = await failedTasks('3.3.2', json(listOf(...tasks)));
    expect(answer).toMatchObject({ type: 'found', tasks: [{ taskId: 'failed' }] });
  });

  test('are the first hundred, though the limit went unheard', async () => {
    const tasks = Array.from({ length: 250 }, (_, index) => taskJson({ task_id: `t${index}` }));
    const { answer } = await failedTasks('3.3.2', json(listOf(...tasks)));
    expect(answer.type === 'found' && answer.tasks.length).toBe(100);
  });

  test.each([
    ['a run', { task_instances: undefined }],
    ['tasks without ids', { task_instances: [{ state: 'failed' }] }],
    ['a map index in words', { task_instances: [taskJson({ map_index: 'three' })] }],
    ['a list of texts', { task_instances: ['load'] }],
  ])('are not believed with %s', async (_name, body) => {
    const { answer } = await failedTasks('3.3.2', json(body));
    expect(answer).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
    expect(answer).toHaveProperty('detail', expect.stringContaining('answered 200 with something else than tasks'));
  });

  test.each([
    ['3.3.2', NO_RUN],
    ['2.11.2', OLDER_NO_RUN],
  ])('of a run that %s does not have cannot be read', async (version, body) => {
    const { answer } = await failedTasks(version, json(body, 404));
    expect(answer).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
  });
});

describe('an upgrade from Airflow 2 to 3 while it is believed to be 2', () => {
  async function upgrade(question: (airflow: Orchestrator) => Promise<unknown>): Promise<unknown> {
    network.use(
      ...versionHandlers('2.11.2'),
      on('GET', `/api/v1${DAG}`, [], json(olderDagJson())),
      on('GET', `/api/v1${TASKS}`, [], json(listOf())),
    );
    const airflow = open();
    await question(airflow);
    network.use(
      ...versionHandlers('3.3.2'),
      on('GET', `/api/v1${DAG}`, [], json(REMOVED, 404)),
      on('GET', `/api/v1${TASKS}`, [], json(REMOVED, 404)),
      on('GET', `/api/v2${DAG}`, [], json(dagJson())),
      on('GET', `/api/v2${TASKS}`, [], json(listOf(taskJson()))),
    );
    expect(await question(airflow)).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
    return question(airflow);
  }

  test('is noticed by reading a Dag: its tags are not taken for none', async () => {
    const answer = await upgrade((airflow) => airflow.describeDag(KEY.dagId));
    expect(answer).toMatchObject({ type: 'found', tags: ['dagain/max_retries=3', 'x'] });
  });

  test('is noticed by reading failed tasks', async () => {
    const answer = await upgrade((airflow) => airflow.failedTasks(KEY));
    expect(answer).toMatchObject({ type: 'found', tasks: [{ taskId: 'load' }] });
  });
});
