import { HttpResponse, http } from 'msw';
import { describe, expect, test } from 'vitest';
import { useNetwork } from '../support/network.ts';
import { BASE, htmlPage, KEY, open, RUN_PATH, versionHandlers } from './fixtures.ts';

const network = useNetwork();
const BEGAN_MS = Date.parse('2026-11-21T01:00:00.500Z');

type Row = readonly [second: number, event: string, task?: string, mapIndex?: number, more?: object];

const whenOf = (second: number) => new Date(Date.parse('2026-11-21T01:00:00.500Z') + second * 1_000).toISOString();

/** The tasks that were stopped, with this log and these failed tasks, and how many requests it took. */
async function stoppedIn(rows: readonly Row[], failed: readonly (readonly [string, number?])[], reply?: Response) {
  let requests = 0;
  const event_logs = rows
    .toSorted((a, b) => b[0] - a[0])
    .map(([second, event, task_id = 'load', map_index = -1, more]) => ({
      ...{ when: whenOf(second), event, dag_id: KEY.dagId, run_id: KEY.dagRunId, task_id, map_index },
      ...{ owner: 'airflow', extra: '{"host_name": "vm"}' },
      ...more,
    }));
  const task_instances = failed.map(([task_id, map_index = -1]) => ({
    ...{ task_id, map_index, state: 'failed', try_number: 1, operator: 'Bash' },
  }));
  network.use(
    ...versionHandlers('3.3.2'),
    http.get(`${BASE}/api/v2/eventLogs`, () => {
      requests += 1;
      return reply ?? HttpResponse.json({ event_logs, total_entries: event_logs.length });
    }),
    http.get(`${BASE}/api/v2${RUN_PATH}/taskInstances`, () => {
      requests += 1;
      return HttpResponse.json({ task_instances, total_entries: task_instances.length });
    }),
  );
  const airflow = open();
  const stopped = await airflow.stoppedTasks(KEY, BEGAN_MS);
  await airflow.close();
  if (stopped.type !== 'found') return { stopped: stopped.reason, requests };
  return { stopped: stopped.tasks.map(({ taskId, mapIndex }) => [taskId, mapIndex]), requests };
}

describe('a failed task that nobody is known to have stopped', () => {
  test('was stopped if it had begun and never failed by itself', async () => {
    expect((await stoppedIn([[1, 'running']], [['load']])).stopped).toEqual([['load', -1]]);
  });

  test.each<[string, Row[]]>([
    [
      'it failed',
      [
        [1, 'running'],
        [2, 'failed'],
      ],
    ],
    [
      'it was lost',
      [
        [1, 'running'],
        [2, 'heartbeat timeout'],
      ],
    ],
    [
      'another one ended it',
      [
        [1, 'running'],
        [2, 'fail task'],
      ],
    ],
    ['it never began', [[2, 'task launch failure']]],
    ['nothing is written of tasks (3.0)', []],
    ['it began in an earlier attempt', [[-60, 'running']]],
    ['the entry is of another run', [[1, 'running', 'load', -1, { run_id: 'another' }]]],
    ['the entry is of another Dag', [[1, 'running', 'load', -1, { dag_id: 'another' }]]],
  ])('was not: %s', async (_name, rows) => {
    // One request tells, as for every run that fails in the ordinary way.
    expect(await stoppedIn(rows, [['load']])).toEqual({ stopped: [], requests: 1 });
  });

  test('was stopped in a later try than the one that failed', async () => {
    const rows: Row[] = [
      [1, 'running'],
      [2, 'failed'],
      [3, 'running'],
    ];
    expect((await stoppedIn(rows, [['load']])).stopped).toEqual([['load', -1]]);
  });

  test('was not, if it has not failed: the run ran out of time, or a clean-up still runs', async () => {
    expect(
      (
        await stoppedIn(
          [
            [1, 'running'],
            [1, 'running', 'clean_up'],
          ],
          [],
        )
      ).stopped,
    ).toEqual([]);
  });

  test('is told from others of its name by its map index', async () => {
    const rows: Row[] = [
      [1, 'running', 'load', 0],
      [2, 'failed', 'load', 0],
      [1, 'running', 'load', 1],
    ];
    const failed = [
      ['load', 0],
      ['load', 1],
    ] as const;
    expect((await stoppedIn(rows, failed)).stopped).toEqual([['load', 1]]);
  });

  test('cannot be told where the log cannot be read', async () => {
    const forbidden = HttpResponse.json({ detail: 'Forbidden' }, { status: 403 });
    expect(await stoppedIn([], [], forbidden)).toEqual({ stopped: 'forbidden', requests: 1 });
    expect((await stoppedIn([], [], htmlPage(500))).stopped).toBe('server_error');
  });
});
