import { HttpResponse } from 'msw';
import { describe, expect, test } from 'vitest';
import type { RunKey } from '../../src/core/run-key.ts';
import { clearTimeLimitMs } from '../../src/orchestrator/airflow/airflow.ts';
import type { ClearRequest } from '../../src/orchestrator/port.ts';
import { useNetwork } from '../support/network.ts';
import {
  CLEARED,
  createClock,
  htmlPage,
  KEY,
  NO_DAG,
  NO_RUN,
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

const WHOLE: ClearRequest = { mode: 'all_tasks', runOnLatestVersion: false };
const LATEST: ClearRequest = { mode: 'all_tasks', runOnLatestVersion: true };
const FAILED: ClearRequest = { mode: 'from_failure', runOnLatestVersion: false };
const FAILED_LATEST: ClearRequest = { mode: 'from_failure', runOnLatestVersion: true };

interface Case {
  readonly version?: string;
  readonly request?: ClearRequest;
  readonly key?: RunKey;
  readonly answer?: () => Response;
}

/** Clears the run of an Airflow that answers every kind of clear with `answer`. */
async function clear({ version = '3.3.2', request = WHOLE, key = KEY, answer = cleared }: Case) {
  const sent: Sent[] = [];
  const dag = `/api/${version.startsWith('2.') ? 'v1' : 'v2'}/dags/:dag`;
  network.use(
    ...versionHandlers(version),
    on('POST', `${dag}/dagRuns/:run/clear`, sent, answer),
    on('POST', `${dag}/clearTaskInstances`, sent, answer),
  );
  const airflow = open();
  const outcome = await airflow.clear(key, request);
  await airflow.close();
  return { outcome, sent };
}

const cleared = () => HttpResponse.json(runJson(CLEARED));
const tasks = (count: number) => () =>
  HttpResponse.json({ task_instances: Array.from({ length: count }, (_, index) => ({ task_id: `t${index}` })) });

describe('what is sent', () => {
  const only = { dry_run: false };
  const failed = { dry_run: false, only_failed: true };
  const latest = { dry_run: false, run_on_latest_version: true };
  const both = { dry_run: false, only_failed: true, run_on_latest_version: true };
  test.each([
    ['2.10.5+composer', WHOLE, only],
    ['2.11.2', LATEST, only],
    ['3.0.6', WHOLE, only],
    ['3.0.6', LATEST, only],
    ['3.0.6', FAILED, failed],
    ['3.0.6', FAILED_LATEST, failed],
    ['3.1.0', LATEST, latest],
    ['3.2.1', FAILED_LATEST, both],
    ['3.3.2', WHOLE, only],
    ['3.3.2', FAILED_LATEST, both],
    ['3.10.0', LATEST, latest],
    ['4.0.0b1', FAILED_LATEST, both],
  ])('to %s for %j', async (version, request, body) => {
    const { sent, outcome } = await clear({ version, request });
    const path = `/api/${version.startsWith('2.') ? 'v1' : 'v2'}${RUN_PATH}/clear`;
    expect(sent).toEqual([{ method: 'POST', path, authorization: null, body }]);
    expect(outcome.type).toBe('accepted');
  });

  test.each([FAILED, FAILED_LATEST])('to Airflow 2 for failed tasks only', async (request) => {
    const { sent, outcome } = await clear({ version: '2.11.2', request, answer: tasks(2) });
    const body = { dry_run: false, dag_run_id: KEY.dagRunId, only_failed: true, reset_dag_runs: true };
    const path = '/api/v1/dags/etl/clearTaskInstances';
    expect(sent).toEqual([{ method: 'POST', path, authorization: null, body }]);
    expect(outcome).toEqual({ type: 'accepted', run: null });
  });

  test.each([
    [
      { dagId: 'a.b', dagRunId: 'manual__2026-01-01T00:00:00.5+02:00' },
      '/dags/a.b/dagRuns/manual__2026-01-01T00%3A00%3A00.5%2B02%3A00',
    ],
    [{ dagId: 'Käse', dagRunId: 'a b' }, '/dags/K%C3%A4se/dagRuns/a%20b'],
    [{ dagId: 'x;y=1', dagRunId: '...' }, '/dags/x%3By%3D1/dagRuns/...'],
    [{ dagId: "o'k!", dagRunId: '@(1)*&' }, "/dags/o'k!/dagRuns/%40(1)*%26"],
  ])('with ids encoded exactly once: %j', async (key, path) => {
    const { sent } = await clear({ key, answer: () => HttpResponse.json(runJson({ ...CLEARED, dag_id: key.dagId })) });
    expect(sent.map((request) => request.path)).toEqual([`/api/v2${path}/clear`]);
  });

  test.each([
    '.',
    '..',
    '~',
    'a/b',
    'a\\b',
    '%2e%2e',
    '..%2f',
    'a?b',
    'a#b',
    '',
    'a\nb',
    'a\u0000',
    '\ud800',
    ' a',
    'x'.repeat(251),
  ])('never with the id %j', async (id) => {
    for (const key of [
      { dagId: id, dagRunId: 'r' },
      { dagId: 'd', dagRunId: id },
    ]) {
      network.use(...versionHandlers('3.3.2'));
      const airflow = open();
      expect(await airflow.clear(key, WHOLE)).toMatchObject({ type: 'not_applied', reason: 'unexpected_answer' });
      expect(await airflow.observe(key)).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
      expect(airflow.linkTo(key)).toBeNull();
    }
  });
});

describe('what became of it', () => {
  test('accepted, with the run as it was answered', async () => {
    const { outcome } = await clear({});
    expect(outcome).toEqual({
      type: 'accepted',
      run: {
        type: 'found',
        state: 'queued',
        fingerprint: { queuedAtMs: Date.parse('2026-11-21T02:00:00Z'), startedAtMs: null, endedAtMs: null },
        runType: 'scheduled',
      },
    });
  });

  test('accepted by Airflow 2', async () => {
    const answer = () => HttpResponse.json(olderRunJson({ state: 'queued', start_date: null, end_date: null }));
    const { outcome } = await clear({ version: '2.11.2', answer });
    expect(outcome).toMatchObject({ type: 'accepted', run: { state: 'queued', fingerprint: { queuedAtMs: null } } });
  });

  test('accepted, though the run that was answered is not understood', async () => {
    const { outcome } = await clear({ answer: () => HttpResponse.json(runJson({ state: 'restarting' })) });
    expect(outcome).toEqual({ type: 'accepted', run: null });
  });

  test.each(['failed', 'success'])('accepted, with the run as it was if nothing in it matched: %s', async (state) => {
    const { outcome } = await clear({ request: FAILED, answer: () => HttpResponse.json(runJson({ state })) });
    expect(outcome).toMatchObject({ type: 'accepted', run: { state } });
    expect(outcome).toHaveProperty('run.fingerprint.endedAtMs', Date.parse('2026-11-21T01:45:00Z'));
  });

  test('accepted by Airflow 2, which says only that no task matched: the run is read', async () => {
    const reads: Sent[] = [];
    network.use(on('GET', '/api/v1/dags/:dag/dagRuns/:run', reads, () => HttpResponse.json(olderRunJson())));
    const { outcome } = await clear({ version: '2.11.2', request: FAILED, answer: tasks(0) });
    expect(outcome).toMatchObject({ type: 'accepted', run: { state: 'failed' } });
    expect(reads).toHaveLength(1);
    network.use(on('GET', '/api/v1/dags/:dag/dagRuns/:run', reads, () => htmlPage(502)));
    expect((await clear({ version: '2.11.2', request: FAILED, answer: tasks(0) })).outcome).toEqual({
      type: 'accepted',
      run: null,
    });
  });

  test.each([
    ['a login page', () => htmlPage(200)],
    ['nothing', () => new HttpResponse(null, { status: 204 })],
    ['a dry run', tasks(3)],
    ['another run', () => HttpResponse.json(runJson({ dag_run_id: 'manual__1' }))],
    ['broken JSON', () => new HttpResponse('{"dag_id', { headers: { 'content-type': 'application/json' } })],
  ])('unknown, if the answer is %s', async (_name, answer) => {
    const { outcome, sent } = await clear({ answer });
    expect(outcome).toMatchObject({ type: 'unknown', reason: 'unexpected_answer' });
    expect(sent).toHaveLength(1);
  });

  test.each([
    [301, 'unknown', 'unexpected_answer'],
    [303, 'unknown', 'unexpected_answer'],
    [307, 'unknown', 'unexpected_answer'],
    [400, 'refused', undefined],
    [401, 'not_applied', 'unauthorized'],
    [403, 'not_applied', 'forbidden'],
    [405, 'refused', undefined],
    [408, 'unknown', 'unexpected_answer'],
    [409, 'not_applied', 'unexpected_answer'],
    [422, 'refused', undefined],
    [425, 'unknown', 'unexpected_answer'],
    [429, 'not_applied', 'rate_limited'],
    [500, 'unknown', 'server_error'],
    [502, 'unknown', 'server_error'],
    [503, 'unknown', 'server_error'],
    [504, 'unknown', 'server_error'],
    [520, 'unknown', 'server_error'],
  ])('%i is %s, as JSON or as a page', async (status, type, reason) => {
    for (const answer of [() => HttpResponse.json({ detail: 'because' }, { status }), () => htmlPage(status)]) {
      const { outcome, sent } = await clear({ answer });
      expect(outcome).toMatchObject({ type, ...(reason === undefined ? {} : { reason }) });
      expect(outcome).toHaveProperty(
        'detail',
        expect.stringContaining(`POST /api/v2${RUN_PATH}/clear answered ${status}`),
      );
      expect(sent).toHaveLength(1);
    }
  });

  test.each([
    ['3.3.2', NO_RUN],
    ['2.11.2', OLDER_NO_RUN_TO_CLEAR],
  ])('missing, in the words of %s', async (version, body) => {
    const { outcome } = await clear({ version, answer: () => HttpResponse.json(body, { status: 404 }) });
    expect(outcome).toEqual({ type: 'missing' });
  });

  test.each([
    ['3.3.2', NO_DAG],
    ['3.3.2', { detail: 'The Dag with ID: `etl` was not found' }],
    ['2.11.2', { detail: null, status: 404, title: 'Dag id etl not found', type: 'about:blank' }],
    ['3.3.2', { error: 'API route not found' }],
  ])('not applied, if %s misses something else: %j', async (version, body) => {
    const { outcome } = await clear({ version, answer: () => HttpResponse.json(body, { status: 404 }) });
    expect(outcome).toMatchObject({ type: 'not_applied', reason: 'unexpected_answer', retryAfterMs: null });
  });

  test.each([() => htmlPage(404), () => HttpResponse.json({ detail: 'Not Found' }, { status: 404 })])(
    'unknown, by a 404 that Airflow did not make',
    async (answer) => {
      const { outcome } = await clear({ answer });
      expect(outcome).toMatchObject({ type: 'unknown', reason: 'unexpected_answer' });
    },
  );

  test('a short id is not found in a sentence by chance', async () => {
    const key = { dagId: 'etl', dagRunId: 'a' };
    const { outcome } = await clear({ key, answer: () => HttpResponse.json(NO_DAG, { status: 404 }) });
    expect(outcome.type).toBe('not_applied');
  });

  test('not applied, if two writes met in the database of Airflow 3.3', async () => {
    const detail = { reason: 'Unique constraint violation', statement: 'hidden', orig_error: 'hidden', message: 'met' };
    const { outcome, sent } = await clear({ answer: () => HttpResponse.json({ detail }, { status: 409 }) });
    expect(outcome).toMatchObject({ type: 'not_applied', reason: 'unexpected_answer', retryAfterMs: null });
    expect(outcome).toHaveProperty('detail', expect.stringContaining('Unique constraint violation'));
    expect(sent).toHaveLength(1);
  });

  test('Retry-After is handed on', async () => {
    const answer = () => HttpResponse.json({}, { status: 429, headers: { 'retry-after': '30' } });
    expect((await clear({ answer })).outcome).toMatchObject({ type: 'not_applied', retryAfterMs: 30_000 });
  });

  test('not applied, if the version could not be found out', async () => {
    network.use(on('GET', '/api/v2/version', [], () => HttpResponse.json({}, { status: 502 })));
    const outcome = await open().clear(KEY, WHOLE);
    expect(outcome).toMatchObject({ type: 'not_applied', reason: 'server_error' });
  });

  test('not applied and not sent, once its time is over', async () => {
    const clock = createClock();
    const sent: Sent[] = [];
    const slow = on('GET', '/api/v2/version', [], () => {
      clock.advance(clearTimeLimitMs());
      return HttpResponse.json({ version: '3.3.2' });
    });
    network.use(slow, on('POST', '/api/v2/dags/:dag/dagRuns/:run/clear', sent, cleared));
    const airflow = open({ clock });
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'not_applied', reason: 'timed_out' });
    expect(sent).toEqual([]);
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'accepted' });
  });
});
