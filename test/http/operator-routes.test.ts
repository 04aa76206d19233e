import { get } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import type { BulkRequest } from '../../src/engine/bulk.ts';
import { BulkView } from '../../src/http/bulk.ts';
import { DagPage, PauseAnswer, PauseList } from '../../src/http/dags.ts';
import { EventPage } from '../../src/http/events.ts';
import { ExplainView } from '../../src/http/explain-view.ts';
import { operatorRoutes } from '../../src/http/operator-routes.ts';
import { RunSummaryPage } from '../../src/http/runs.ts';
import { StatsView } from '../../src/http/stats.ts';
import { StatusView } from '../../src/http/status.ts';
import { createHarness, gate, type Harness } from '../engine/harness.ts';
import { FAILED_AT_MS, recordsOfAllPhases } from '../support/records.ts';
import { problemIn } from './problem.ts';
import { type Serving, serve } from './serve.ts';

const WHO = { actor: 'ann', comment: 'night shift' };
const OPERATOR = { authorization: 'Bearer operator-token' };

let http: Serving;
let harness: Harness;
beforeEach(async () => {
  harness = createHarness();
  const { desk, timers, store } = harness;
  for (const [n, record] of recordsOfAllPhases().entries()) store.put({ ...record, dagId: 'etl', dagRunId: `r${n}` });
  const facts = {
    version: '1.2.3',
    mode: 'active',
    storeName: 'sqlite',
    startedAtMs: FAILED_AT_MS,
    publicUrl: null,
  } as const;
  const health = async () => ({ status: 'reachable', name: 'Airflow', version: '3.3.2' }) as const;
  http = await serve({
    runs: desk.runs,
    routes: operatorRoutes({ desk, clock: timers, facts, health }),
    auth: { callbackTokens: ['callback-token'], operatorTokens: ['operator-token'], webhookSecrets: [] },
  });
});
afterEach(async () => {
  harness.desk.changes.stop();
  await http.close();
});

const read = async (path: string) => {
  const got = await http.get(path, OPERATOR);
  expect([path, got.status]).toEqual([path, 200]);
  return JSON.parse(got.text);
};
const post = (path: string, body: unknown) => http.post(path, body, OPERATOR);

/** Whoever reads the list of runs waits until the gate is opened. */
function holdList() {
  const held = gate();
  const { list } = harness.store;
  harness.store.list = async (after, limit) => {
    await held.passed;
    return await list(after, limit);
  };
  return held;
}

describe('the list of runs', () => {
  test.each([
    ['phase=waiting,watching', ['r1', 'r3']],
    ['dag_id=e*&phase=clearing', ['r2']],
    ['dag_id=e%3Fl&phase=clearing', ['r2']],
    ['failure_class=task_error&held=false&phase=waiting', ['r1']],
    ['held=true', []],
    ['older_than=30s&phase=waiting', ['r1']],
    ['older_than=2h', []],
    ['newer_than=2h&phase=gave_up,giving_up', ['r4', 'r5']],
    ['reason=max_retries_reached', []],
  ])('%s', async (query, ids) => {
    const page = RunSummaryPage.parse(await read(`/v1/runs?view=summary&${query}`));
    expect(page.runs.map((run) => run.dag_run_id)).toEqual(ids);
  });

  test('in short: without timelines, with the last failure', async () => {
    const page = await read('/v1/runs?view=summary&phase=waiting');
    expect(page.runs[0]).toMatchObject({
      last_failure: { task_id: 'load', failure_class: 'task_error', exception_type: 'ValueError' },
      next_look_at: '2026-01-01T00:01:00.000Z',
      airflow_url: 'https://airflow.example/run',
    });
    expect(page.runs[0]).not.toHaveProperty('history');
  });

  test.each([
    'phase=waiting,',
    'phase=a',
    'held=yes',
    'view=long',
    'reason=bad',
    'older_than=-1s',
    'failure_class=x',
    'dag_id=a%2Fb',
    'cursor=x',
    'cursor=WyJhIiwiYiIsImMiXQ',
  ])('%s is refused, and named', async (query) => {
    const problem = problemIn(await http.get(`/v1/runs?${query}`, OPERATOR));
    expect(problem).toMatchObject({ status: 400, code: 'invalid_query' });
    expect(problem.errors?.[0]?.field).toBe(query.split('=')[0]);
  });
});

describe('bulk', () => {
  const body = { action: 'pause', filter: { dag_id: 'e*', phase: ['waiting'] }, ...WHO, dry_run: true };

  test('a preview, then the act', async () => {
    const preview = BulkView.parse(JSON.parse((await post('/v1/runs/bulk', body)).text));
    expect(preview).toMatchObject({ dry_run: true, matched: 1, changed: 1, is_complete: true });
    expect(preview.sample).toEqual([
      { dag_id: 'etl', dag_run_id: 'r1', phase: 'waiting', decision: 'held', reason: 'held_by_operator' },
    ]);
    expect((await read('/v1/runs/etl/r1')).held).toBeNull();
    await post('/v1/runs/bulk', { ...body, dry_run: false });
    expect((await read('/v1/runs/etl/r1')).held).toMatchObject({ actor: 'ann' });
  });

  test('every run only with a number; more than that is a 409, and nothing is done', async () => {
    const everything = { action: 'cancel', filter: {}, ...WHO, dry_run: false };
    expect(problemIn(await post('/v1/runs/bulk', everything)).errors).toMatchObject([{ field: 'max_runs' }]);
    const refused = problemIn(await post('/v1/runs/bulk', { ...everything, max_runs: 5 }));
    expect(refused).toMatchObject({ status: 409, code: 'more_runs_than_expected' });
    expect(refused.detail).toContain('6 runs match');
    expect(harness.store.swaps).toBe(0);
    expect((await post('/v1/runs/bulk', { ...everything, max_runs: 6 })).status).toBe(200);
  });

  test('whoever hangs up before the turn comes has nothing done', async () => {
    const held = holdList();
    const { act } = harness.desk.bulk;
    const asked: BulkRequest[] = [];
    harness.desk.bulk.act = (request) => {
      asked.push(request);
      return act(request);
    };
    const first = post('/v1/runs/bulk', body);
    await expect.poll(() => asked.length).toBe(1);
    const caller = new AbortController();
    const hungUp = fetch(`http://127.0.0.1:${http.port}/v1/runs/bulk`, {
      method: 'POST',
      headers: { ...OPERATOR, 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, dry_run: false }),
      signal: caller.signal,
    }).catch((error: Error) => error.name);
    await expect.poll(() => asked.length).toBe(2);
    caller.abort();
    expect(await hungUp).toBe('AbortError');
    await expect.poll(() => asked[1]?.isAwaited?.()).toBe(false);
    held.open();
    expect((await first).status).toBe(200);
    const { changed } = BulkView.parse(JSON.parse((await post('/v1/runs/bulk', body)).text));
    expect(changed).toBe(BulkView.parse(JSON.parse((await first).text)).changed);
    expect(changed).toBeGreaterThan(0);
  });

  test('where enough others wait, nothing is done, and it is said when to ask again', async () => {
    const held = holdList();
    const answers = Array.from({ length: 10 }, () => post('/v1/runs/bulk', body));
    const first = await Promise.race(answers);
    expect(problemIn(first)).toMatchObject({ status: 429, code: 'too_many_bulk_calls' });
    expect(first.headers['retry-after']).toBe('5');
    held.open();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses.toSorted()).toEqual([...Array.from({ length: 9 }, () => 200), 429]);
  });

  test('grant takes retries, and nothing else does', async () => {
    const grant = { ...body, action: 'grant', filter: { dag_id: 'e*', phase: ['gave_up'] } };
    expect(problemIn(await post('/v1/runs/bulk', grant)).errors).toMatchObject([{ field: 'retries' }]);
    expect(problemIn(await post('/v1/runs/bulk', { ...body, retries: 1 })).errors).toMatchObject([
      { field: 'retries' },
    ]);
    expect((await post('/v1/runs/bulk', { ...grant, retries: 1, dry_run: false })).status).toBe(200);
    expect((await read('/v1/runs/etl/r5')).phase).toBe('confirming');
  });

  test.each([[{}], [{ dag_id: 'etl' }], [{ phase: ['gave_up', 'waiting'] }], [{ phase: ['watching'] }]])(
    'grant is only for runs that it takes out of the filter: %j is refused',
    async (filter) => {
      for (const dry_run of [true, false]) {
        const grant = { ...body, action: 'grant', retries: 1, max_runs: 100, filter, dry_run };
        expect(problemIn(await post('/v1/runs/bulk', grant)).errors).toMatchObject([{ field: 'filter.phase' }]);
      }
      expect(harness.store.swaps).toBe(0);
    },
  );

  test('a grant that failed in the middle and is asked for again grants each run once', async () => {
    const grant = { ...body, action: 'grant', retries: 1, filter: { phase: ['giving_up', 'gave_up'] }, dry_run: false };
    let left = 1;
    harness.store.beforeSwap = () => {
      left -= 1;
      if (left < 0) throw new DagainError('store_unavailable', 'out');
    };
    expect((await post('/v1/runs/bulk', grant)).status).toBe(503);
    harness.store.beforeSwap = () => {};
    expect((await post('/v1/runs/bulk', grant)).status).toBe(200);
    expect((await post('/v1/runs/bulk', grant)).status).toBe(200);
    const granted = ['r4', 'r5'].map((dagRunId) => harness.store.get({ dagId: 'etl', dagRunId })?.granted);
    expect(granted).toEqual([1, 1]);
  });

  test.each([
    ['dry_run', { ...body, dry_run: undefined }],
    ['actor', { ...body, actor: ' ' }],
    ['filter', { ...body, filter: undefined }],
    ['filter.dagid', { ...body, filter: { dagid: 'x' } }],
    ['filter.phase', { ...body, filter: { phase: [] } }],
    ['filter.older_than', { ...body, filter: { older_than: 'soon' } }],
    ['action', { ...body, action: 'retry_now' }],
  ])('without a good %s', async (field, bad) => {
    expect(problemIn(await post('/v1/runs/bulk', bad)).errors?.map((error) => error.field)).toContain(field);
    expect(harness.store.swaps).toBe(0);
  });
});

describe('pauses', () => {
  test('of a Dag, shown everywhere', async () => {
    const paused = PauseAnswer.parse(JSON.parse((await post('/v1/dags/etl/pause', WHO)).text));
    expect(paused).toMatchObject({ scope: 'etl', changed: true, paused: { actor: 'ann', comment: 'night shift' } });
    expect((await read('/v1/runs/etl/r1')).paused).toMatchObject({ scope: 'etl', actor: 'ann' });
    expect(DagPage.parse(await read('/v1/dags')).dags).toMatchObject([
      { dag_id: 'etl', phases: { waiting: 1, gave_up: 1 }, paused: { scope: 'etl' } },
    ]);
    expect(PauseList.parse(await read('/v1/pauses')).pauses).toHaveLength(1);
    const again = JSON.parse((await post('/v1/dags/etl/pause', WHO)).text);
    expect(again).toMatchObject({ changed: false });
    expect(JSON.parse((await post('/v1/dags/etl/resume', WHO)).text)).toEqual({
      scope: 'etl',
      paused: null,
      changed: true,
    });
  });

  test('of everything', async () => {
    expect(JSON.parse((await post('/v1/pause', WHO)).text)).toMatchObject({ scope: '*', changed: true });
    expect((await read('/v1/status')).pauses).toMatchObject([{ scope: '*' }]);
    expect((await post('/v1/resume', WHO)).status).toBe(200);
    expect((await read('/v1/pauses')).pauses).toEqual([]);
  });

  test.each(['*', 'etl_*'])('a Dag called %s pauses nothing', async (name) => {
    expect(problemIn(await post(`/v1/dags/${name}/pause`, WHO))).toMatchObject({ status: 400, code: 'invalid_path' });
    expect((await read('/v1/pauses')).pauses).toEqual([]);
  });

  test('needs an actor, and an operator', async () => {
    expect(problemIn(await post('/v1/pause', {})).errors).toMatchObject([{ field: 'actor' }]);
    for (const path of ['/v1/pause', '/v1/dags/etl/pause', '/v1/runs/bulk']) {
      expect((await http.post(path, WHO)).status).toBe(401);
      expect((await http.post(path, WHO, { authorization: 'Bearer callback-token' })).status).toBe(403);
    }
    expect((await read('/v1/pauses')).pauses).toEqual([]);
  });
});

describe('events and counts', () => {
  test('what people did, page by page', async () => {
    await post('/v1/runs/etl/r1/pause', WHO);
    await post('/v1/runs/etl/r1/resume', { ...WHO, actor: 'bob' });
    await post('/v1/dags/etl/pause', WHO);
    const first = EventPage.parse(await read('/v1/events?type=operated&limit=2'));
    expect(first.events.map(({ action, actor }) => [action, actor])).toEqual([
      ['pause', 'ann'],
      ['resume', 'bob'],
    ]);
    const rest = await read(`/v1/events?type=operated&limit=2&cursor=${first.next_cursor}`);
    expect(rest.events).toMatchObject([{ action: 'pause', dag_run_id: 'r1', comment: 'night shift' }]);
    expect((await read('/v1/events?actor=bob')).events).toHaveLength(1);
    expect((await read('/v1/events?dag_id=etl&dag_run_id=r1&since=2026-01-01T00:00:00Z')).events).toHaveLength(2);
    expect((await read('/v1/events?since=24h&type=failed,gave_up')).events).toEqual([]);
  });

  test.each([
    ['type=x', 'type'],
    ['since=soon', 'since'],
    ['limit=0', 'limit'],
    ['cursor=InhpIg', 'cursor'],
    ['dag=etl', 'dag'],
  ])('%s is refused, and named', async (query, field) => {
    const problem = problemIn(await http.get(`/v1/events?${query}`, OPERATOR));
    expect(problem).toMatchObject({ status: 400, code: 'invalid_query', errors: [{ field }] });
  });

  test('stats, of a window that can be drawn', async () => {
    await post('/v1/runs/etl/r1/pause', WHO);
    const stats = StatsView.parse(await read('/v1/stats?window=1h'));
    expect(stats).toMatchObject({
      window_seconds: 3_600,
      totals: { operated: 1 },
      current: { held: 1, pending_alerts: 1 },
    });
    expect(stats.buckets).toHaveLength(60);
    expect((await read('/v1/stats')).window_seconds).toBe(86_400);
    for (const window of ['59m', '31d', 'x', '']) {
      expect(problemIn(await http.get(`/v1/stats?window=${window}`, OPERATOR))).toMatchObject({ status: 400 });
    }
  });

  test('status', async () => {
    expect(StatusView.parse(await read('/v1/status'))).toEqual({
      ...{ version: '1.2.3', mode: 'active', store: 'sqlite', pauses: [], public_url: null },
      orchestrator: { status: 'reachable', name: 'Airflow', version: '3.3.2' },
      started_at: '2026-01-01T00:00:00.000Z',
    });
  });
});

describe('explain', () => {
  test('of a run that is known, and of one that is not', async () => {
    const known = ExplainView.parse(await read('/v1/runs/etl/r5/explain'));
    expect(known).toMatchObject({ verdict: 'gave_up', run: { phase: 'gave_up' }, store: { status: 'found' } });
    const unknown = ExplainView.parse(await read('/v1/runs/etl/nobody/explain'));
    expect(unknown).toMatchObject({
      ...{ verdict: 'never_reported', run: null, policy: { max_retries: 2, tags_known: true } },
      orchestrator: { status: 'found', state: 'failed', ended_at: '2026-01-01T00:00:00.000Z' },
      audit_log: { status: 'found', entries: [] },
    });
  });

  test('the store being out is an answer, where everything else is a 503', async () => {
    harness.store.outage = new DagainError('store_unavailable', 'out');
    expect(await read('/v1/runs/etl/r5/explain')).toMatchObject({
      verdict: 'not_known',
      store: { status: 'unavailable' },
    });
    for (const path of ['/v1/runs', '/v1/runs/etl/r5', '/v1/dags', '/v1/pauses', '/v1/events', '/v1/stats']) {
      expect([path, (await http.get(path, OPERATOR)).status]).toEqual([path, 503]);
    }
    expect((await post('/v1/pause', WHO)).status).toBe(503);
    expect(
      (await post('/v1/runs/bulk', { action: 'pause', filter: { held: false }, ...WHO, dry_run: true })).status,
    ).toBe(503);
  });
});

describe('the stream', () => {
  interface Stream {
    readonly status: number;
    readonly type: string;
    text: string;
    readonly over: Promise<void>;
    close(): void;
  }

  const open = (headers: object = OPERATOR) =>
    new Promise<Stream>((resolve, reject) => {
      const request = get({ port: http.port, path: '/v1/events/stream', headers: { ...headers } }, (answer) => {
        const over = Promise.withResolvers<void>();
        const stream: Stream = {
          status: answer.statusCode ?? 0,
          type: answer.headers['content-type'] ?? '',
          text: '',
          over: over.promise,
          close: () => request.destroy(),
        };
        answer.on('data', (chunk: Buffer) => (stream.text += chunk.toString('utf8')));
        answer.on('error', () => over.resolve());
        answer.on('end', () => over.resolve());
        resolve(stream);
      });
      request.on('error', reject);
    });

  test('says hello, then what has changed, and ends when the service closes', async () => {
    const stream = await open();
    expect(stream).toMatchObject({ status: 200, type: 'text/event-stream' });
    await expect
      .poll(() => stream.text)
      .toBe('event: hello\ndata: {"version":"1.2.3","mode":"active","now":"2026-01-01T00:01:00.000Z"}\n\n');
    stream.text = '';
    await post('/v1/runs/etl/r1/pause', WHO);
    await harness.timers.advanceBy(500);
    await expect
      .poll(() => stream.text)
      .toBe('event: changed\ndata: {"runs":[{"dag_id":"etl","dag_run_id":"r1"}]}\n\n');
    stream.text = '';
    await harness.timers.advanceBy(15_000);
    await expect.poll(() => stream.text).toContain(': ping\n\n');
    harness.desk.changes.stop();
    await stream.over;
  });

  test('is for operators', async () => {
    expect((await open({})).status).toBe(401);
  });

  test('is served to a hundred at a time, and to others when some have gone', async () => {
    const streams = await Promise.all(Array.from({ length: 100 }, () => open()));
    expect(streams.every(({ status }) => status === 200)).toBe(true);
    expect((await open()).status).toBe(429);
    streams[0]?.close();
    await expect.poll(async () => (await open()).status).toBe(200);
    for (const stream of streams) stream.close();
  });
});
