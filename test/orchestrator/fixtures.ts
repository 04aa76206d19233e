import { HttpResponse, http, type RequestHandler } from 'msw';
import { type AirflowOptions, createAirflow } from '../../src/orchestrator/airflow/airflow.ts';
import type { Credentials } from '../../src/orchestrator/airflow/auth.ts';
import type { Orchestrator } from '../../src/orchestrator/port.ts';

export const BASE = 'http://airflow.test';
export const KEY = { dagId: 'etl', dagRunId: 'scheduled__2026-11-20T00:00:00+00:00' };
export const RUN_PATH = '/dags/etl/dagRuns/scheduled__2026-11-20T00%3A00%3A00%2B00%3A00';
export const NO_CREDENTIALS: Credentials = { type: 'none' };
export const PASSWORD: Credentials = { type: 'password', username: 'dagain', password: 'p4ss: wörd/"x"' };

export function createClock(startMs = Date.parse('2026-11-21T12:00:00Z')) {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    advance(byMs: number) {
      nowMs += byMs;
    },
  };
}

export function open(options: Partial<AirflowOptions> = {}): Orchestrator {
  return createAirflow({ url: BASE, credentials: NO_CREDENTIALS, clock: createClock(), ...options });
}

/** A run as Airflow 3.3.2 answers it. */
export function runJson(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    dag_run_id: KEY.dagRunId,
    dag_id: KEY.dagId,
    logical_date: null,
    queued_at: '2026-11-21T01:44:42.052240Z',
    start_date: '2026-11-21T01:44:43.500999Z',
    end_date: '2026-11-21T01:45:00Z',
    run_after: '2026-11-21T01:43:58.866900Z',
    run_type: 'scheduled',
    state: 'failed',
    conf: {},
    note: null,
    dag_versions: [],
    ...fields,
  };
}

export const CLEARED = { state: 'queued', queued_at: '2026-11-21T02:00:00.000001Z', start_date: null, end_date: null };

/** A run as Airflow 2.11 answers it: no `queued_at`, offsets instead of `Z`. */
export function olderRunJson(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    conf: {},
    dag_id: KEY.dagId,
    dag_run_id: KEY.dagRunId,
    end_date: '2026-11-21T01:45:00.250000+00:00',
    external_trigger: false,
    logical_date: '2026-11-20T00:00:00+00:00',
    run_type: 'scheduled',
    start_date: '2026-11-21T01:44:43.500999+00:00',
    state: 'failed',
    ...fields,
  };
}

export const NO_RUN = { detail: `The DagRun with dag_id: \`etl\` and run_id: \`${KEY.dagRunId}\` was not found` };
export const NO_DAG = { detail: 'Dag with id etl was not found' };
const OLDER_TYPE =
  'https://airflow.apache.org/docs/apache-airflow/2.11.2/stable-rest-api-ref.html#section/Errors/NotFound';
export const OLDER_NO_RUN = {
  detail: `DAGRun with DAG ID: 'etl' and DagRun ID: '${KEY.dagRunId}' not found`,
  status: 404,
  title: 'DAGRun not found',
  type: OLDER_TYPE,
};
/** Airflow 2's clear puts the sentence into `title`. */
export const OLDER_NO_RUN_TO_CLEAR = {
  detail: null,
  status: 404,
  title: `Dag Run id ${KEY.dagRunId} not found in dag   etl`,
  type: OLDER_TYPE,
};

export interface Sent {
  readonly method: string;
  /** Path and query as they went over the wire. */
  readonly path: string;
  readonly authorization: string | null;
  readonly body: unknown;
}

type Reply = (sent: Sent, nth: number) => Response | Promise<Response>;

/** A handler that notes what was sent before it answers; `path` may hold msw's parameters. */
export function on(method: 'GET' | 'POST' | 'PATCH', path: string, sent: Sent[], reply: Reply): RequestHandler {
  let count = 0;
  const handle = { GET: http.get, POST: http.post, PATCH: http.patch }[method];
  return handle(`${BASE}${path}`, async ({ request }) => {
    const url = new URL(request.url);
    const text = await request.text();
    const noted: Sent = {
      method,
      path: url.pathname + url.search,
      authorization: request.headers.get('authorization'),
      body: text === '' ? null : JSON.parse(text),
    };
    sent.push(noted);
    count += 1;
    return reply(noted, count);
  });
}

/** The version endpoints of one Airflow. */
export function versionHandlers(version: string, sent: Sent[] = []): RequestHandler[] {
  const isOlder = version.startsWith('2.');
  const told = () => HttpResponse.json({ version, git_version: '.release:0' });
  const gone = () =>
    isOlder
      ? new HttpResponse('<!DOCTYPE html><title>Airflow 404</title>', { status: 404, headers: HTML })
      : HttpResponse.json({ error: '/api/v1 has been removed in Airflow 3, please use /api/v2.' }, { status: 404 });
  return [
    on('GET', '/api/v2/version', sent, isOlder ? gone : told),
    on('GET', '/api/v1/version', sent, isOlder ? told : gone),
  ];
}

export const HTML = { 'content-type': 'text/html; charset=utf-8' };

export function htmlPage(status: number): Response {
  return new HttpResponse('<html><body>  Sign\n in </body></html>', { status, headers: HTML });
}

/** A token in the form of Airflow's, with these times in seconds. */
export function jwt(claims: { iat?: number; exp?: number; jti?: string }): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS512', typ: 'JWT' })}.${part({ sub: 'dagain', ...claims })}.c2lnbmF0dXJl`;
}
