import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import { RunPage } from '../../src/http/runs.ts';
import {
  confirmingRecord,
  FAILED_AT_MS,
  gaveUpRecord,
  givingUpRecord,
  recordsOfAllPhases,
  waitingRecord,
  watchingRecord,
} from '../support/records.ts';
import { problemIn } from './problem.ts';
import { runsOf, type Serving, serve } from './serve.ts';

const ODD = { dagId: 'größe daily+weekly', dagRunId: 'scheduled__2026-01-01T00:00:00+00:00' };
const RECORDS = [
  waitingRecord({ dagId: 'b', dagRunId: 'r2', held: { actor: 'ann', comment: 'looking', atMs: FAILED_AT_MS } }),
  watchingRecord({ dagId: 'b', dagRunId: 'r1' }),
  givingUpRecord({ dagId: 'a', dagRunId: 'r1' }),
  gaveUpRecord({ dagId: 'c', dagRunId: 'r1' }),
  confirmingRecord(ODD),
];

let http: Serving;
beforeAll(async () => {
  http = await serve({ runs: runsOf(RECORDS) });
});
afterAll(() => http.close());

async function page(query: string): Promise<RunPage> {
  const got = await http.get(`/v1/runs${query}`);
  expect(got.status).toBe(200);
  return RunPage.parse(JSON.parse(got.text));
}

const idsOf = ({ runs }: RunPage) => runs.map((run) => `${run.dag_id}/${run.dag_run_id}`);

describe('the list', () => {
  test('is ordered by ids', async () => {
    const all = await page('');
    expect(idsOf(all)).toEqual(['a/r1', 'b/r1', 'b/r2', 'c/r1', `${ODD.dagId}/${ODD.dagRunId}`]);
    expect(all.next_cursor).toBeNull();
  });

  test.each([
    ['?phase=watching', ['b/r1']],
    ['?phase=clearing', []],
    ['?dag_id=b', ['b/r1', 'b/r2']],
    ['?dag_id=b&phase=waiting', ['b/r2']],
    [`?dag_id=${encodeURIComponent(ODD.dagId)}`, [`${ODD.dagId}/${ODD.dagRunId}`]],
    [`?dag_id=${encodeURIComponent(ODD.dagId).replaceAll('%20', '+')}`, [`${ODD.dagId}/${ODD.dagRunId}`]],
    ['?limit=500', ['a/r1', 'b/r1', 'b/r2', 'c/r1', `${ODD.dagId}/${ODD.dagRunId}`]],
    ['?', ['a/r1', 'b/r1', 'b/r2', 'c/r1', `${ODD.dagId}/${ODD.dagRunId}`]],
  ])('%s', async (query, ids) => {
    expect(idsOf(await page(query))).toEqual(ids);
  });

  test('comes in pages that leave nothing out', async () => {
    const seen: string[] = [];
    let query = '?limit=2';
    for (let pages = 0; pages < 5; pages += 1) {
      const one = await page(query);
      expect(one.runs.length).toBeLessThanOrEqual(2);
      seen.push(...idsOf(one));
      if (one.next_cursor === null) break;
      query = `?limit=2&cursor=${one.next_cursor}`;
    }
    expect(seen).toEqual(['a/r1', 'b/r1', 'b/r2', 'c/r1', `${ODD.dagId}/${ODD.dagRunId}`]);
  });
});

describe('one run', () => {
  test('in full', async () => {
    const got = await http.get('/v1/runs/b/r2');
    expect(JSON.parse(got.text)).toEqual({
      dag_id: 'b',
      dag_run_id: 'r2',
      phase: 'waiting',
      attempt: 1,
      retries_used: 0,
      max_retries: 2,
      due_at: '2026-01-01T00:01:00.000Z',
      next_look_at: null,
      failure_class: 'task_error',
      held: { actor: 'ann', comment: 'looking', at: '2026-01-01T00:00:00.000Z' },
      paused: null,
      shadow: false,
      airflow_url: 'https://airflow.example/b/r2',
      first_failed_at: '2026-01-01T00:00:00.000Z',
      reason: null,
      failures: [
        {
          id: '01998a52-4f6a-7c1e-9f37-5b1f6f1d2c11',
          task_id: 'load',
          map_index: null,
          try_number: 1,
          operator: 'PythonOperator',
          exception: { type: 'ValueError', message: 'no rows' },
          failure_class: 'task_error',
          failed_at: '2026-01-01T00:00:00.000Z',
          log_url: null,
        },
      ],
      pending_alerts: 0,
      history: [
        {
          at: '2026-01-01T00:00:00.000Z',
          type: 'failure_reported',
          attempt: 1,
          reason: 'retry_scheduled',
          detail: null,
        },
      ],
    });
  });

  test.each([
    ['a/r1', { phase: 'giving_up', reason: 'max_retries', pending_alerts: 1, due_at: null }],
    ['c/r1', { phase: 'gave_up', reason: 'max_retries', due_at: null, held: null }],
    ['b/r1', { phase: 'watching', attempt: 2, retries_used: 1, due_at: null, failures: [] }],
  ])('%s', async (path, expected) => {
    expect(JSON.parse((await http.get(`/v1/runs/${path}`)).text)).toMatchObject(expected);
  });

  test.each([
    ['encoded', `${encodeURIComponent(ODD.dagId)}/${encodeURIComponent(ODD.dagRunId)}`],
    ['as little as can be', `${encodeURI(ODD.dagId)}/${ODD.dagRunId}`],
    ['with a query that means nothing', `${encodeURIComponent(ODD.dagId)}/${ODD.dagRunId}?x=1`],
  ])('whose ids hold blanks, plus signs and colons, %s', async (_how, path) => {
    const got = await http.get(`/v1/runs/${path}`);
    expect(got.status).toBe(200);
    expect(JSON.parse(got.text)).toMatchObject({ dag_id: ODD.dagId, dag_run_id: ODD.dagRunId });
  });

  test('in every phase, as the document says', async () => {
    const serving = await serve({
      runs: runsOf(recordsOfAllPhases().map((record, n) => ({ ...record, dagRunId: `r${n}` }))),
    });
    const got = await serving.get('/v1/runs');
    expect(RunPage.parse(JSON.parse(got.text)).runs).toHaveLength(6);
    await serving.close();
  });

  test('also when a stored time is beyond all calendars', async () => {
    const serving = await serve({ runs: runsOf([waitingRecord({ dagId: 'a', dagRunId: 'r', retryAtMs: 1e300 })]) });
    expect(JSON.parse((await serving.get('/v1/runs/a/r')).text)).toMatchObject({ due_at: null });
    await serving.close();
  });

  test('of which nothing is known', async () => {
    expect(problemIn(await http.get('/v1/runs/b/r3'))).toMatchObject({ status: 404, code: 'run_not_found' });
  });

  test('HEAD has the headers and no body', async () => {
    const got = await http.send({ method: 'HEAD', path: '/v1/runs/b/r2' });
    expect(got).toMatchObject({ status: 200, text: '' });
    expect(Number(got.headers['content-length'])).toBeGreaterThan(100);
  });
});

test('while the store is out', async () => {
  const out = async () => {
    throw new DagainError('store_unavailable', 'connect ECONNREFUSED 10.0.0.5:6379');
  };
  const serving = await serve({ runs: { find: out, list: out, surroundings: out } });
  for (const path of ['/v1/runs', '/v1/runs/a/r']) {
    expect(problemIn(await serving.get(path))).toMatchObject({ status: 503, code: 'store_unavailable' });
  }
  await serving.close();
});
