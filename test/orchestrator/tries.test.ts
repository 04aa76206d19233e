import { HttpResponse } from 'msw';
import { describe, expect, test } from 'vitest';
import { useNetwork } from '../support/network.ts';
import {
  htmlPage,
  KEY,
  NO_DAG,
  NO_RUN,
  OLDER_NO_RUN,
  on,
  open,
  RUN_PATH,
  type Sent,
  versionHandlers,
} from './fixtures.ts';

const network = useNetwork();

type Instance = readonly [taskId: string, maxTries: number | null];
type Reply = object | Response;

const NO_TASK = (id: string) => HttpResponse.json({ detail: `Task with id ${id} was not found` }, { status: 404 });
const NO_DAG_IN_3_0 = { detail: 'DAG with dag_id: `etl` was not found' };
const OLDER_NO_TASK = { detail: null, status: 404, title: 'Task not found', type: 'about:blank' };

/** What Airflow's answers come to, and which paths were asked for. `retries`: a number, or what is answered instead. */
async function read(
  instances: readonly Instance[] | Response,
  retries: Readonly<Record<string, number | null | Reply>>,
  version = '3.3.2',
) {
  const api = version.startsWith('2.') ? '/api/v1' : '/api/v2';
  const sent: Sent[] = [];
  const listed = () =>
    instances instanceof Response
      ? instances
      : HttpResponse.json({
          task_instances: instances.map(([task_id, max_tries]) => ({ task_id, max_tries, map_index: -1 })),
          total_entries: instances.length,
        });
  const replyFor = (id: string) => {
    const one = retries[id];
    if (one instanceof Response) return one;
    return HttpResponse.json(one !== null && typeof one === 'object' ? one : { task_id: id, retries: one });
  };
  network.use(
    ...versionHandlers(version),
    on('GET', `${api}/dags/:dag/dagRuns/:run/taskInstances`, sent, listed),
    ...Object.keys(retries).map((id) => on('GET', `${api}/dags/:dag/tasks/${id}`, sent, () => replyFor(id))),
  );
  const airflow = open();
  const least = await airflow.leastClears(KEY);
  await airflow.close();
  return { least, paths: sent.map(({ path }) => path) };
}

const found = (clears: number) => ({ type: 'found', clears });

describe('how often a run was cleared at least', () => {
  test.each<[string, number, number, number]>([
    ['no clear, no retries', 0, 0, 0],
    ['no clear, three retries', 3, 3, 0],
    ['one clear, no retries', 1, 0, 1],
    ['one clear after one of three tries', 3, 2, 1],
    ['one clear after three of three tries', 5, 2, 1],
    ['two clears, each after three of three tries', 8, 2, 2],
    ['two clears, no retries', 2, 0, 2],
    ['fewer retries once than now', 1, 4, 0],
  ])('%s: max_tries %d, retries %d', async (_name, maxTries, retries, clears) => {
    expect((await read([['load', maxTries]], { load: retries })).least).toEqual(found(clears));
    expect((await read([['load', maxTries]], { load: retries }, '2.11.2')).least).toEqual(found(clears));
  });

  test('the task that tells of most counts, whichever has failed; the tries of a mapped task are those of its instances', async () => {
    const instances = [
      ['extract', 2],
      ['load', 0],
      ['load', 3],
      ['publish', 5],
    ] as const;
    expect((await read(instances, { extract: 1, load: 0, publish: 5 })).least).toEqual(found(3));
  });

  test('asks for no more than three tasks, and for none that cannot tell', async () => {
    const many = Array.from({ length: 9 }, (_, index) => [`t${index}`, index] as const);
    const { least, paths } = await read([...many, ['gone', null]], { t8: 8, t7: 5, t6: 6 });
    expect(least).toEqual(found(1));
    expect(paths).toEqual([
      `/api/v2${RUN_PATH}/taskInstances?limit=100`,
      ...['t8', 't7', 't6'].map((id) => `/api/v2/dags/etl/tasks/${id}`),
    ]);
    expect((await read([['load', 0]], {})).paths).toHaveLength(1);
  });

  test('a task that the Dag does not have any more tells nothing', async () => {
    const instances = [
      ['old', 9],
      ['load', 1],
    ] as const;
    expect((await read(instances, { old: NO_TASK('old'), load: 0 })).least).toEqual(found(1));
    const older = HttpResponse.json(OLDER_NO_TASK, { status: 404 });
    expect((await read(instances, { old: older, load: 0 }, '2.11.2')).least).toEqual(found(1));
  });

  test('a run or a Dag that is gone tells nothing, and holds nothing up', async () => {
    for (const body of [NO_RUN, NO_DAG, NO_DAG_IN_3_0]) {
      expect((await read(HttpResponse.json(body, { status: 404 }), {})).least).toEqual(found(0));
    }
    expect((await read(HttpResponse.json(OLDER_NO_RUN, { status: 404 }), {}, '2.11.2')).least).toEqual(found(0));
  });

  test('retries that are null are none', async () => {
    expect((await read([['load', 1]], { load: null })).least).toEqual(found(1));
  });

  test.each<[string, Response | Instance[], Reply, string]>([
    ['the tasks may not be read', HttpResponse.json({ detail: 'Forbidden' }, { status: 403 }), {}, 'forbidden'],
    ['the list is a page', htmlPage(200), {}, 'unexpected_answer'],
    ['a proxy does not know the run', htmlPage(404), {}, 'unexpected_answer'],
    ['a proxy forbids the list', htmlPage(403), {}, 'unexpected_answer'],
    ['the list is none', HttpResponse.json({ task_instances: {} }), {}, 'unexpected_answer'],
    ['the server fails', [['load', 1]], new HttpResponse(null, { status: 502 }), 'server_error'],
    ['a proxy does not know the task', [['load', 1]], htmlPage(404), 'unexpected_answer'],
    ['another task is missing', [['load', 1]], NO_TASK('publish'), 'unexpected_answer'],
    ['another task is answered', [['load', 1]], { task_id: 'publish', retries: 0 }, 'unexpected_answer'],
    ['the retries are no number', [['load', 1]], { task_id: 'load', retries: 'three' }, 'unexpected_answer'],
    ['the retries are below none', [['load', 1]], { task_id: 'load', retries: -1 }, 'unexpected_answer'],
  ])('is not known where %s', async (_name, instances, task, reason) => {
    expect((await read(instances, { load: task })).least).toMatchObject({ type: 'unavailable', reason });
  });
});
