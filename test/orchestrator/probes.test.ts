import { HttpResponse, http, type RequestHandler } from 'msw';
import { afterEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/core/finding.ts';
import type { Credentials } from '../../src/orchestrator/airflow/auth.ts';
import { type AirflowProbes, createAirflowProbes } from '../../src/orchestrator/airflow/probes.ts';
import { useNetwork } from '../support/network.ts';
import { BASE, createClock, KEY, on, PASSWORD, RUN_PATH, type Sent, versionHandlers } from './fixtures.ts';

const network = useNetwork();
const opened: AirflowProbes[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((probes) => probes.close()));
});

const TOKEN: Credentials = { type: 'token', read: async () => 'hunter2-token' };
const run = { dag_id: KEY.dagId, dag_run_id: KEY.dagRunId };

/** What every check finds; `handlers` win over an Airflow of this version that allows everything. */
async function findings(
  handlers: RequestHandler[] = [],
  { version = '3.3.2', credentials = TOKEN, auditUser = 'dagain' as string | null, nowMs = Date.now() } = {},
): Promise<Record<string, Finding>> {
  const api = version.startsWith('2.') ? 'v1' : 'v2';
  network.use(
    ...handlers,
    ...versionHandlers(version),
    on('POST', '/auth/token', [], () => HttpResponse.json({ access_token: 'opaque' }, { status: 201 })),
    on('GET', `/api/${api}/dags`, [], () => HttpResponse.json({ dags: [], total_entries: 0 })),
    on('GET', `/api/${api}/eventLogs`, [], () => HttpResponse.json({ event_logs: [], total_entries: 0 })),
    on('GET', `/api/${api}/dags/~/dagRuns`, [], () => HttpResponse.json({ dag_runs: [run], total_entries: 1 })),
    on('POST', `/api/${api}/dags/:dag/dagRuns/:run/clear`, [], () => HttpResponse.json({ task_instances: [] })),
  );
  const named = auditUser === null ? {} : { auditUser };
  const probes = createAirflowProbes({ url: BASE, credentials, clock: createClock(nowMs), ...named });
  opened.push(probes);
  const found = await Promise.all(probes.checks.map(async (check) => [check.name, await check.run()] as const));
  return Object.fromEntries(found);
}

const answering = (method: 'GET' | 'POST', path: string, status: number, json: object = { detail: 'Forbidden' }) =>
  on(method, path, [], () => HttpResponse.json(json, { status }));
const resultsOf = (found: Record<string, Finding>) =>
  Object.fromEntries(Object.entries(found).map(([name, { result }]) => [name, result]));

const ALL_OK = {
  airflow: 'ok',
  credentials: 'ok',
  'read Dags': 'ok',
  'read runs': 'ok',
  'audit log': 'ok',
  'clear runs': 'ok',
};

describe('an Airflow that allows everything', () => {
  test.each(['3.3.2', '3.0.6', '2.11.2', '2.10.5+composer'])('%s: all is well', async (version) => {
    const found = await findings([], { version });
    expect(resultsOf(found)).toMatchObject(ALL_OK);
    expect(found['airflow']?.found).toContain(version);
  });

  test('is asked for a dry run alone, of a failed run first', async () => {
    const [clears, lists]: [Sent[], Sent[]] = [[], []];
    await findings([
      on('POST', '/api/v2/dags/:dag/dagRuns/:run/clear', clears, () => HttpResponse.json({ task_instances: [] })),
      on('GET', '/api/v2/dags/~/dagRuns', lists, () => HttpResponse.json({ dag_runs: [run] })),
    ]);
    expect(clears.map(({ path, body }) => [path, body])).toEqual([[`/api/v2${RUN_PATH}/clear`, { dry_run: true }]]);
    expect(lists.some(({ path }) => path.includes('state=failed'))).toBe(true);
    expect(lists.some(({ path }) => path.includes('state=success'))).toBe(false);
  });

  test('on Airflow 2, the dry run is said to be in the audit log', async () => {
    expect((await findings([], { version: '2.11.2' }))['clear runs']?.found).toContain(
      'noted the dry run in its audit log',
    );
    expect((await findings([]))['clear runs']?.found).not.toContain('audit log');
    // A refused one is not logged.
    const refused = answering('POST', '/api/v1/dags/:dag/dagRuns/:run/clear', 403);
    expect((await findings([refused], { version: '2.11.2' }))['clear runs']?.found).not.toContain('audit log');
  });
});

describe('what is wrong, and what to do about it', () => {
  test.each([
    ['2.9.3', 'older than what is tested', 'Upgrade Airflow to 2.10'],
    ['3.4.0', 'newer than what is tested', 'newer dagain'],
    ['4.0.0', 'newer than what is tested', 'newer dagain'],
  ])('Airflow %s: %s', async (version, found, remedy) => {
    const { airflow } = await findings([], { version });
    expect(airflow).toMatchObject({ result: 'warn' });
    expect(airflow).toHaveProperty('found', expect.stringContaining(found));
    expect(airflow).toHaveProperty('remedy', expect.stringContaining(remedy));
  });

  test.each([
    ['GET', '/api/v2/dags', 'read Dags', 'fail', 'can read on DAGs'],
    ['GET', '/api/v2/dags/~/dagRuns', 'read runs', 'fail', 'can read on DAG Runs'],
    ['GET', '/api/v2/eventLogs', 'audit log', 'warn', 'can read on Audit Logs'],
    ['POST', '/api/v2/dags/:dag/dagRuns/:run/clear', 'clear runs', 'fail', 'can edit on DAG Runs'],
  ] as const)('403 to %s %s', async (method, path, name, result, remedy) => {
    const found = await findings([answering(method, path, 403)]);
    expect(found[name]).toMatchObject({ result, remedy: expect.stringContaining(remedy) });
    expect(found['credentials']).toMatchObject({ result: 'ok' });
  });

  test('one failing check does not hide the others', async () => {
    const found = await findings([answering('GET', '/api/v2/dags', 500, {})]);
    expect(resultsOf(found)).toMatchObject({ ...ALL_OK, credentials: 'fail', 'read Dags': 'fail' });
    expect(found['read Dags']).toHaveProperty('remedy', expect.stringContaining("log of Airflow's API server"));
  });

  test('a wrong password, on either version', async () => {
    const newer = await findings([answering('POST', '/auth/token', 401)], { credentials: PASSWORD });
    const older = await findings([answering('GET', '/api/v1/dags', 403)], { credentials: PASSWORD, version: '2.11.2' });
    for (const { credentials } of [newer, older]) {
      expect(credentials).toMatchObject({ result: 'fail', remedy: expect.stringContaining('DAGAIN_AIRFLOW_PASSWORD') });
    }
  });

  const kinds: [Credentials, string][] = [
    [TOKEN, 'DAGAIN_AIRFLOW_TOKEN'],
    [{ type: 'none' }, 'Set DAGAIN_AIRFLOW_USERNAME'],
    [{ type: 'client', clientId: 'c', clientSecret: 'hunter2' }, 'DAGAIN_OAUTH_TOKEN_URL'],
    [PASSWORD, 'auth_backends'],
  ];
  test.each(kinds)('refused credentials %#', async (credentials, remedy) => {
    const expired = [
      http.get(`${BASE}/api/v2/dags`, () => HttpResponse.json({ detail: 'Unauthorized' }, { status: 401 })),
    ];
    const { credentials: found } = await findings(expired, { credentials });
    expect(found).toMatchObject({ result: 'fail', remedy: expect.stringContaining(remedy) });
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });

  test('a refused login is said once', async () => {
    const found = await findings([answering('POST', '/auth/token', 401)], { credentials: PASSWORD });
    expect(resultsOf(found)).toMatchObject({ credentials: 'fail', 'read runs': 'warn', 'clear runs': 'warn' });
    expect(found['audit log']).toHaveProperty('remedy', 'Do first what is said about credentials.');
  });

  test('nobody has to log in', async () => {
    expect((await findings([], { credentials: { type: 'none' } }))['credentials']).toMatchObject({ result: 'warn' });
  });

  test('no run has ended yet', async () => {
    const none = answering('GET', '/api/v2/dags/~/dagRuns', 200, { dag_runs: [] });
    expect((await findings([none]))['clear runs']).toMatchObject({
      result: 'warn',
      found: expect.stringContaining('no finished run'),
      remedy: expect.stringContaining('can edit on DAG Runs'),
    });
  });

  test("the run's Dag is gone", async () => {
    const gone = answering('POST', '/api/v2/dags/:dag/dagRuns/:run/clear', 404, {
      detail: 'Dag with id etl was not found',
    });
    expect((await findings([gone]))['clear runs']).toMatchObject({
      result: 'warn',
      found: expect.stringMatching(/^not tried/),
    });
  });

  test('the audit log calls us by a name that nobody has told', async () => {
    expect((await findings([], { auditUser: null }))['audit log']).toMatchObject({
      result: 'warn',
      remedy: expect.stringContaining('DAGAIN_AIRFLOW_AUDIT_USER'),
    });
  });

  test('there is no Airflow: said once, and the rest is not tried', async () => {
    const login = http.all(
      `${BASE}/*`,
      () => new HttpResponse('<html>Sign in</html>', { headers: { 'content-type': 'text/html' } }),
    );
    const found = await findings([login]);
    expect(found['airflow']).toMatchObject({ result: 'fail', remedy: expect.stringContaining('DAGAIN_AIRFLOW_URL') });
    const { airflow, ...others } = found;
    expect(Object.values(others).map((one) => one.found)).toEqual(
      Object.values(others).map(() => 'not tried: Airflow was not found'),
    );
  });
});

describe("Airflow's clock", () => {
  const nowMs = Date.parse('2026-11-21T12:00:00Z');
  const telling = (atMs: number | null) =>
    http.get(`${BASE}/api/v2/version`, () =>
      HttpResponse.json({ version: '3.3.2' }, { headers: atMs === null ? {} : { date: new Date(atMs).toUTCString() } }),
    );

  test.each([
    [0, 'ok', 'agrees with ours'],
    [29_000, 'ok', 'agrees with ours'],
    [-31_000, 'ok', 'agrees with ours'],
    [60_000, 'warn', '60 s ahead of ours'],
    [-61_000, 'warn', '60 s behind ours'],
  ])('off by %i ms: %s', async (offMs, result, said) => {
    const { "airflow's clock": clock } = await findings([telling(nowMs + offMs)], { nowMs });
    expect(clock).toMatchObject({ result, found: said });
  });

  test('is not told', async () => {
    expect((await findings([telling(null)], { nowMs }))["airflow's clock"]).toMatchObject({ result: 'warn' });
  });
});
