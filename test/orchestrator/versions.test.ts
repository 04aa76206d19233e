import { HttpResponse } from 'msw';
import { describe, expect, test } from 'vitest';
import { createAirflow } from '../../src/orchestrator/airflow/airflow.ts';
import { useNetwork } from '../support/network.ts';
import {
  BASE,
  CLEARED,
  createClock,
  htmlPage,
  KEY,
  NO_CREDENTIALS,
  olderRunJson,
  on,
  open,
  RUN_PATH,
  runJson,
  type Sent,
  versionHandlers,
} from './fixtures.ts';

const network = useNetwork();
const READ = '/dags/:dag/dagRuns/:run';
const TEN_MINUTES = 600_000;
const WHOLE = { mode: 'all_tasks', runOnLatestVersion: false } as const;

const paths = (sent: readonly Sent[]) => sent.map(({ method, path }) => `${method} ${path}`);

describe('the address', () => {
  test.each([
    ['http://airflow.test', ''],
    ['http://airflow.test/', ''],
    ['http://airflow.test/api/v2', ''],
    ['http://airflow.test/api/v1/', ''],
    ['http://airflow.test/team/a', '/team/a'],
    ['http://airflow.test/team/a//', '/team/a'],
    ['http://airflow.test/team/a/api/v2/', '/team/a'],
  ])('%s', async (url, prefix) => {
    const sent: Sent[] = [];
    network.use(
      on('GET', `${prefix}/api/v2/version`, sent, () => HttpResponse.json({ version: '3.3.2' })),
      on('GET', `${prefix}/api/v2${READ}`, sent, () => HttpResponse.json(runJson())),
    );
    const airflow = open({ url });
    expect(airflow.linkTo(KEY)).toBeNull();
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'found' });
    expect(paths(sent)).toEqual([`GET ${prefix}/api/v2/version`, `GET ${prefix}/api/v2${RUN_PATH}`]);
    const run = 'scheduled__2026-11-20T00%3A00%3A00%2B00%3A00';
    expect(airflow.linkTo(KEY)).toBe(`${BASE}${prefix}/dags/etl/runs/${run}`);
  });

  test.each([
    'airflow',
    'ftp://airflow.test',
    'http://dagain:hunter2@airflow.test',
    'http://airflow.test/?x=hunter2',
    'http://airflow.test/#hunter2',
  ])('is refused: %s', (url) => {
    const create = () => createAirflow({ url, credentials: NO_CREDENTIALS, clock: createClock() });
    expect(create).toThrow(expect.objectContaining({ code: 'configuration_invalid' }));
    expect(create).not.toThrow(/hunter2/);
  });

  test('links to the grid of Airflow 2', async () => {
    network.use(
      ...versionHandlers('2.11.2'),
      on('GET', `/api/v1${READ}`, [], () => HttpResponse.json(olderRunJson())),
    );
    const airflow = open();
    await airflow.observe(KEY);
    const run = 'scheduled__2026-11-20T00%3A00%3A00%2B00%3A00';
    expect(airflow.linkTo(KEY)).toBe(`${BASE}/dags/etl/grid?dag_run_id=${run}`);
  });
});

describe('the version', () => {
  test('is asked for once by many, and again after a while', async () => {
    const sent: Sent[] = [];
    const clock = createClock();
    network.use(
      ...versionHandlers('3.3.2', sent),
      on('GET', `/api/v2${READ}`, [], () => HttpResponse.json(runJson())),
    );
    const airflow = open({ clock });
    await Promise.all(Array.from({ length: 20 }, () => airflow.observe(KEY)));
    expect(paths(sent)).toEqual(['GET /api/v2/version']);
    clock.advance(TEN_MINUTES - 1);
    await airflow.observe(KEY);
    expect(sent).toHaveLength(1);
    clock.advance(1);
    await airflow.observe(KEY);
    expect(sent).toHaveLength(2);
  });

  test('is asked for in both APIs for Airflow 2', async () => {
    const sent: Sent[] = [];
    network.use(
      ...versionHandlers('2.11.2', sent),
      on('GET', `/api/v1${READ}`, [], () => HttpResponse.json(olderRunJson())),
    );
    expect(await open().observe(KEY)).toMatchObject({ type: 'found' });
    expect(paths(sent)).toEqual(['GET /api/v2/version', 'GET /api/v1/version']);
  });

  test.each([
    ['a 404 of a proxy', () => HttpResponse.json({ message: 'no' }, { status: 404 })],
    ['a login page', () => htmlPage(200)],
    ['a redirect to a login', () => HttpResponse.redirect(`${BASE}/login`, 302)],
    ['a refusal', () => HttpResponse.json({}, { status: 403 })],
  ])('is Airflow 2, whatever v2 answers: %s', async (_name, answer) => {
    network.use(...versionHandlers('2.11.2'));
    network.use(
      on('GET', '/api/v2/version', [], answer),
      on('GET', `/api/v1${READ}`, [], () => HttpResponse.json(olderRunJson())),
    );
    expect(await open().observe(KEY)).toMatchObject({ type: 'found' });
  });

  test.each([
    [404, 'unexpected_answer'],
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [429, 'rate_limited'],
    [500, 'server_error'],
    [503, 'server_error'],
  ])('stays unknown when everything answers %i, and is asked for again', async (status, reason) => {
    const sent: Sent[] = [];
    network.use(on('GET', '/api/:api/version', sent, () => htmlPage(status)));
    const airflow = open();
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'unavailable', reason });
    const asked = sent.length;
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'unavailable', reason });
    expect(sent.length).toBe(2 * asked);
    expect(airflow.linkTo(KEY)).toBeNull();
  });

  test('is unknown for want of permission, if Airflow 3 asks for it and Airflow 2 is not there', async () => {
    const answers = { v1: () => htmlPage(404), v2: () => htmlPage(401) };
    network.use(on('GET', '/api/v1/version', [], answers.v1), on('GET', '/api/v2/version', [], answers.v2));
    expect(await open().observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'unauthorized' });
  });

  test('serves on while only its endpoint is out', async () => {
    const clock = createClock();
    const sent: Sent[] = [];
    network.use(on('GET', `/api/v2${READ}`, [], () => HttpResponse.json(runJson())));
    network.use(
      on('GET', '/api/v2/version', sent, (_sent, nth) =>
        nth === 1 ? HttpResponse.json({ version: '3.3.2' }) : HttpResponse.json({}, { status: 502 }),
      ),
    );
    const airflow = open({ clock });
    for (let look = 0; look < 3; look += 1) {
      expect(await airflow.observe(KEY)).toMatchObject({ type: 'found' });
      clock.advance(TEN_MINUTES);
    }
    clock.advance(-TEN_MINUTES);
    await airflow.observe(KEY);
    expect(sent).toHaveLength(3);
  });

  test.each([{}, { version: 3 }, { version: 'three' }, []])('is not read from %j', async (body) => {
    network.use(on('GET', '/api/:api/version', [], () => HttpResponse.json(body)));
    expect(await open().observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
  });
});

describe('an upgrade', () => {
  const removed = () =>
    HttpResponse.json({ error: '/api/v1 has been removed in Airflow 3, please use …' }, { status: 404 });

  test('is noticed by the next read', async () => {
    network.use(
      ...versionHandlers('2.11.2'),
      on('GET', `/api/v1${READ}`, [], () => HttpResponse.json(olderRunJson())),
    );
    const airflow = open();
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'found' });
    network.use(
      ...versionHandlers('3.3.2'),
      on('GET', `/api/v1${READ}`, [], removed),
      on('GET', `/api/v2${READ}`, [], () => HttpResponse.json(runJson())),
    );
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
    expect(await airflow.observe(KEY)).toMatchObject({
      type: 'found',
      fingerprint: { queuedAtMs: expect.any(Number) },
    });
  });

  const refusals = [
    ['405', () => HttpResponse.json({ detail: 'Method Not Allowed' }, { status: 405 })],
    ['422', () => HttpResponse.json({ detail: 'no' }, { status: 422 })],
    ['404 of the route', removed],
  ] as const;

  test.each(refusals)('makes a clear that is refused with %s one that was not applied', async (_name, refuse) => {
    const { airflow, clears } = await upgraded(refuse, () => HttpResponse.json(runJson(CLEARED)));
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'not_applied', reason: 'unexpected_answer' });
    expect(clears).toHaveLength(1);
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'accepted' });
    expect(paths(clears)[1]).toBe(`POST /api/v2${RUN_PATH}/clear`);
  });

  test.each(refusals)('makes a rehearsal that is refused with %s one to repeat', async (_name, refuse) => {
    const { airflow, clears } = await upgraded(refuse, () => HttpResponse.json({ task_instances: [{}, {}] }));
    expect(await airflow.rehearse(KEY, WHOLE)).toMatchObject({ type: 'not_applied', reason: 'unexpected_answer' });
    expect(clears).toHaveLength(1);
    expect(await airflow.rehearse(KEY, WHOLE)).toEqual({ type: 'rehearsed', tasks: 2 });
    expect(paths(clears)[1]).toBe(`POST /api/v2${RUN_PATH}/clear`);
  });

  /** Believed to be Airflow 2, which it was when it was asked last; it is Airflow 3 by now. */
  async function upgraded(olderClear: () => Response, newerClear: () => Response) {
    const clears: Sent[] = [];
    network.use(
      ...versionHandlers('2.11.2'),
      on('GET', `/api/v1${READ}`, [], () => HttpResponse.json(olderRunJson())),
    );
    const airflow = open();
    await airflow.observe(KEY);
    network.use(
      ...versionHandlers('3.3.2'),
      on('POST', `/api/v1${READ}/clear`, clears, olderClear),
      on('POST', `/api/v2${READ}/clear`, clears, newerClear),
    );
    return { airflow, clears };
  }
});
