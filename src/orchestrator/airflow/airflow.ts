import type { Dispatcher } from 'undici';
import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { Orchestrator, OrchestratorHealth } from '../port.ts';
import { toUnavailable, type Unavailable } from './answers.ts';
import { readAuditTrail, readOwnClears } from './audit.ts';
import { type Credentials, createAuthenticator } from './auth.ts';
import { clearRun } from './clear.ts';
import { type ApiResult, type Client, createClient } from './client.ts';
import { createConnections } from './connections.ts';
import { describeDag, readFailedTasks } from './dags.ts';
import { readFailedRuns } from './failed-runs.ts';
import { createHttp } from './http.ts';
import { type AdapterLog, silentLog } from './log.ts';
import { observeRun } from './observe.ts';
import { parseRoot, urlOf } from './paths.ts';
import { createTimeLimit, type TimeLimit } from './time-limit.ts';
import { type ApiVersion, createVersions, type Versions } from './versions.ts';

export interface AirflowOptions {
  /** Where Airflow's web interface is; a path prefix is kept, and an `/api/v1` or `/api/v2` at the end does no harm. */
  readonly url: string;
  readonly credentials: Credentials;
  /** The name under which Airflow's audit log knows these credentials; the user's name unless given. */
  readonly auditUser?: string;
  readonly clock: { nowMs(): number };
  /** For one request from connecting to the last byte, in milliseconds; 10 s unless given. */
  readonly requestTimeoutMs?: number;
  /** Instead of our own connections, e.g. through a proxy. It must not repeat POSTs; the caller closes it. */
  readonly dispatcher?: Dispatcher;
  readonly log?: AdapterLog;
}

const DEFAULT_REQUEST_TIMEOUT_MS = 10_000;

/**
 * How long after its call a clear can still be under way, in milliseconds: by then its request has been answered or
 * given up. Whoever reads a run to learn what became of a clear has to wait that long.
 */
export function clearTimeLimitMs(requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS): number {
  return 2 * requestTimeoutMs;
}

/**
 * Airflow 3 through API v2 and Airflow 2 (2.4 or later) through API v1; which of them is found out from the server.
 * @throws DagainError `configuration_invalid` for an address that cannot be Airflow's.
 */
export function createAirflow(options: AirflowOptions): Orchestrator {
  const { clock, log = silentLog, requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = options;
  const root = parseRoot(options.url);
  const connections = createConnections(options.dispatcher, requestTimeoutMs);
  const http = createHttp({ ...connections, clock });
  const auth = createAuthenticator({ credentials: options.credentials, root, http, clock, requestTimeoutMs, log });
  const client = createClient({ root, http, auth, requestTimeoutMs });
  const startLimit = () => createTimeLimit(clock, clearTimeLimitMs(requestTimeoutMs));
  const versions = createVersions({ ask: (api) => askVersion(client, api, startLimit()), clock, log });
  const deps = { client, versions };
  const audit = { ...deps, clock, ourName: options.auditUser ?? nameIn(options.credentials) };
  return {
    observe: (key) => observeRun(deps, key, startLimit()),
    clear: (key, request) => clearRun(deps, key, request, startLimit()),
    describeDag: (dagId) => describeDag(deps, dagId, startLimit()),
    failedTasks: (key) => readFailedTasks(deps, key, startLimit()),
    auditTrail: (key) => readAuditTrail(audit, key, startLimit()),
    ownClears: (sinceMs) => readOwnClears(audit, sinceMs, startLimit()),
    failedRuns: (from) => readFailedRuns(deps, from, startLimit()),
    health: () => checkHealth(client, versions, startLimit()),
    linkTo: (key) => linkTo(root, versions, key),
    close: () => connections.close(),
  };
}

function nameIn(credentials: Credentials): string | null {
  return credentials.type === 'password' ? credentials.username : null;
}

/** Both versions tell theirs to anybody, and how to log in depends on it; a given token goes along all the same. */
function askVersion(client: Client, api: ApiVersion, limit: TimeLimit): Promise<ApiResult> {
  return client.call({ api, method: 'GET', segments: ['version'], withoutLogin: true }, limit);
}

/** Reads one Dag, because a version says nothing about our credentials. */
async function checkHealth(client: Client, versions: Versions, limit: TimeLimit): Promise<OrchestratorHealth> {
  const version = await versions.current();
  if (version.type === 'unavailable') return withoutWait(version);
  const call = { api: version.api, method: 'GET', segments: ['dags'], query: { limit: '1' } } as const;
  const { name, result } = await client.call(call, limit);
  if (result.type === 'answer' && result.status === 200 && DagList.safeParse(result.json).success) {
    return { type: 'reachable', name: 'airflow', version: version.version };
  }
  if (result.type === 'answer' && result.status === 404) versions.doubt();
  return withoutWait(toUnavailable(name, result));
}

const DagList = z.object({ dags: z.array(z.unknown()) });

function withoutWait({ reason, detail }: Unavailable): OrchestratorHealth {
  return { type: 'unavailable', reason, detail };
}

/** Airflow's page of the run. Synchronous, and so null until the version has been found out once. */
function linkTo(root: URL, versions: Versions, { dagId, dagRunId }: RunKey): string | null {
  const api = versions.known()?.api;
  if (api === undefined) return null;
  const url =
    api === 'v1'
      ? urlOf(root, ['dags', dagId, 'grid'], { dag_run_id: dagRunId })
      : urlOf(root, ['dags', dagId, 'runs', dagRunId]);
  return url?.href ?? null;
}
