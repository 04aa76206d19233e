import { HttpResponse } from 'msw';
import { describe, expect, test } from 'vitest';
import { useNetwork } from '../support/network.ts';
import {
  createClock,
  htmlPage,
  KEY,
  NO_DAG,
  NO_RUN,
  OLDER_NO_RUN,
  OLDER_NO_RUN_TO_CLEAR,
  olderRunJson,
  on,
  open,
  RUN_PATH,
  runJson,
  type Sent,
  versionHandlers,
} from './fixtures.ts';

const network = useNetwork();

/** Observes the run of an Airflow that answers the read, and a clear if one is sent, so. */
async function observe(version: string, read: () => Response, clear?: () => Response) {
  const sent: Sent[] = [];
  const api = version.startsWith('2.') ? '/api/v1' : '/api/v2';
  network.use(...versionHandlers(version), on('GET', `${api}/dags/:dag/dagRuns/:run`, sent, read));
  if (clear !== undefined) network.use(on('POST', `${api}/dags/:dag/dagRuns/:run/clear`, sent, clear));
  const airflow = open();
  const observation = await airflow.observe(KEY);
  await airflow.close();
  return { observation, sent };
}

describe('a run that is there', () => {
  test('is read from Airflow 3, with its times in milliseconds', async () => {
    const { observation, sent } = await observe('3.3.2', () => HttpResponse.json(runJson()));
    expect(observation).toEqual({
      type: 'found',
      state: 'failed',
      fingerprint: {
        queuedAtMs: Date.parse('2026-11-21T01:44:42.052Z'),
        startedAtMs: Date.parse('2026-11-21T01:44:43.500Z'),
        endedAtMs: Date.parse('2026-11-21T01:45:00Z'),
      },
      runType: 'scheduled',
    });
    expect(sent).toEqual([{ method: 'GET', path: `/api/v2${RUN_PATH}`, authorization: null, body: null }]);
  });

  test('is read from Airflow 2, which has no queued_at and writes offsets', async () => {
    const { observation, sent } = await observe('2.11.2', () => HttpResponse.json(olderRunJson()));
    expect(observation).toEqual({
      type: 'found',
      state: 'failed',
      fingerprint: {
        queuedAtMs: null,
        startedAtMs: Date.parse('2026-11-21T01:44:43.500Z'),
        endedAtMs: Date.parse('2026-11-21T01:45:00.250Z'),
      },
      runType: 'scheduled',
    });
    expect(sent[0]?.path).toBe(`/api/v1${RUN_PATH}`);
  });

  test.each(['queued', 'running', 'success', 'failed'])('can be %s', async (state) => {
    const { observation } = await observe('3.0.0', () => HttpResponse.json(runJson({ state, start_date: null })));
    expect(observation).toMatchObject({ type: 'found', state, fingerprint: { startedAtMs: null } });
  });

  test.each([
    ['an unheard state', { state: 'deferred' }],
    ['no state', { state: undefined }],
    ['a time without a zone', { start_date: '2026-11-21T01:44:43.500999' }],
    ['a time that is none', { end_date: 'yesterday' }],
    ['no start', { start_date: undefined }],
    ['another run', { dag_run_id: 'manual__1' }],
    ['another Dag', { dag_id: 'elt' }],
  ])('is not believed with %s', async (_name, fields) => {
    const { observation } = await observe('3.3.2', () => HttpResponse.json(runJson(fields)));
    expect(observation).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
  });
});

describe('a run that is not there', () => {
  const gone = (body: object) => () => HttpResponse.json(body, { status: 404 });

  test('is missing when a dry run of the clear says so too', async () => {
    const { observation, sent } = await observe('3.3.2', gone(NO_RUN), gone(NO_RUN));
    expect(observation).toEqual({ type: 'missing' });
    expect(sent.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['GET', `/api/v2${RUN_PATH}`, null],
      ['POST', `/api/v2${RUN_PATH}/clear`, { dry_run: true }],
    ]);
  });

  test('is missing in Airflow 2, in the words of its two endpoints', async () => {
    const { observation } = await observe('2.11.2', gone(OLDER_NO_RUN), gone(OLDER_NO_RUN_TO_CLEAR));
    expect(observation).toEqual({ type: 'missing' });
  });

  test('is not missing when only the read is hidden', async () => {
    const answer = () => HttpResponse.json({ task_instances: [], total_entries: 0 });
    const { observation } = await observe('3.3.2', gone(NO_RUN), answer);
    expect(observation).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
  });

  test.each([
    ['a Dag that is not loaded', gone(NO_DAG), 'unexpected_answer'],
    ['a page', () => htmlPage(404), 'unexpected_answer'],
    [
      'another run',
      gone({ detail: 'The DagRun with dag_id: `etl` and run_id: `x` was not found' }),
      'unexpected_answer',
    ],
    ['a refusal', gone403, 'forbidden'],
    ['an outage', () => HttpResponse.json({}, { status: 503 }), 'server_error'],
  ] as const)('is not missing when the dry run answers with %s', async (_name, clear, reason) => {
    const { observation } = await observe('3.3.2', gone(NO_RUN), clear);
    expect(observation).toMatchObject({ type: 'unavailable', reason });
  });

  test.each([
    ['a page', () => htmlPage(404)],
    ['an unknown path of Airflow 3', gone({ error: 'API route not found' })],
    [
      'an unknown path of Airflow 2',
      gone({
        title: 'Not Found',
        status: 404,
        type: 'about:blank',
        detail: 'The requested URL was not found on the server.',
      }),
    ],
    ['the bare words of some other server', gone({ detail: 'Not Found' })],
    ['a gateway', gone({ message: 'no Route matched with those values' })],
    ['an empty body', () => new HttpResponse(null, { status: 404 })],
    ['a list', gone([])],
  ])('is not missing by a 404 that is %s', async (_name, read) => {
    const { observation, sent } = await observe('3.3.2', read);
    expect(observation).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
    expect(sent).toHaveLength(1);
  });
});

function gone403(): Response {
  return HttpResponse.json({ detail: 'Forbidden' }, { status: 403 });
}

describe('an answer that is none', () => {
  test.each([
    [400, 'unexpected_answer'],
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [405, 'unexpected_answer'],
    [418, 'unexpected_answer'],
    [422, 'unexpected_answer'],
    [429, 'rate_limited'],
    [500, 'server_error'],
    [502, 'server_error'],
    [503, 'server_error'],
    [504, 'server_error'],
  ])('%i is %s, as JSON or as a page', async (status, reason) => {
    const json = await observe('3.3.2', () => HttpResponse.json({ detail: 'because' }, { status }));
    expect(json.observation).toEqual({
      type: 'unavailable',
      reason,
      detail: `GET /api/v2${RUN_PATH} answered ${status}: because`,
      retryAfterMs: null,
    });
    const page = await observe('3.3.2', () => htmlPage(status));
    expect(page.observation).toMatchObject({ type: 'unavailable', reason });
  });

  test('a login page with 200 is quoted in one line', async () => {
    const { observation } = await observe('3.3.2', () => htmlPage(200));
    expect(observation).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
    expect(observation).toHaveProperty('detail', expect.stringContaining('<body> Sign in </body>'));
  });

  test.each([204, 206])('%i is not a run', async (status) => {
    const { observation } = await observe('3.3.2', () => new HttpResponse(null, { status }));
    expect(observation).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
  });

  test.each([
    ['7', 7_000],
    ['Sat, 21 Nov 2026 12:01:30 GMT', 90_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
    ['999999999', 86_400_000],
    ['soon', null],
    ['2026-11-22', null],
  ])('Retry-After: %s is read', async (header, retryAfterMs) => {
    const busy = () => HttpResponse.json({}, { status: 503, headers: { 'retry-after': header } });
    const { observation } = await observe('3.3.2', busy);
    expect(observation).toMatchObject({ type: 'unavailable', reason: 'server_error', retryAfterMs });
  });
});

describe('health', () => {
  const list = '/api/v2/dags';

  test('is reachable when an authenticated read works', async () => {
    const sent: Sent[] = [];
    network.use(
      ...versionHandlers('3.3.2'),
      on('GET', list, sent, () => HttpResponse.json({ dags: [], total_entries: 0 })),
    );
    const airflow = open({ credentials: { type: 'token', read: async () => 'abc' } });
    expect(await airflow.health()).toEqual({ type: 'reachable', name: 'airflow', version: '3.3.2' });
    expect(sent).toEqual([{ method: 'GET', path: '/api/v2/dags?limit=1', authorization: 'Bearer abc', body: null }]);
  });

  test.each([
    [403, 'forbidden'],
    [401, 'unauthorized'],
    [500, 'server_error'],
    [404, 'unexpected_answer'],
  ])('is unavailable when the read answers %i', async (status, reason) => {
    network.use(
      ...versionHandlers('3.3.2'),
      on('GET', list, [], () => HttpResponse.json({}, { status })),
    );
    const health = await open().health();
    expect(health).toEqual({ type: 'unavailable', reason, detail: `GET /api/v2/dags answered ${status}: {}` });
  });

  test('is unavailable when there is no version', async () => {
    network.use(on('GET', '/api/:api/version', [], () => htmlPage(404)));
    expect(await open({ clock: createClock() }).health()).toMatchObject({
      type: 'unavailable',
      reason: 'unexpected_answer',
    });
  });
});
