import type { Dispatcher } from 'undici';
import { type Credentials, createAuthenticator } from './auth.ts';
import { type ApiResult, type Client, createClient } from './client.ts';
import { createConnections } from './connections.ts';
import { createHttp } from './http.ts';
import { type AdapterLog, silentLog } from './log.ts';
import { parseRoot } from './paths.ts';
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

/** What calls to one Airflow share. */
export interface AirflowLink {
  readonly root: URL;
  readonly client: Client;
  readonly versions: Versions;
  /** The name under which the audit log knows us; null if that is not known. */
  readonly ourName: string | null;
  startLimit(): TimeLimit;
  close(): Promise<void>;
}

/** Opens no connection yet. @throws DagainError `configuration_invalid` for an address that cannot be Airflow's */
export function connectAirflow(options: AirflowOptions): AirflowLink {
  const { credentials, clock, log = silentLog, requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = options;
  const root = parseRoot(options.url);
  const connections = createConnections(options.dispatcher, requestTimeoutMs);
  const http = createHttp({ ...connections, clock });
  const auth = createAuthenticator({ credentials, root, http, clock, requestTimeoutMs, log });
  const client = createClient({ root, http, auth, requestTimeoutMs });
  const startLimit = () => createTimeLimit(clock, clearTimeLimitMs(requestTimeoutMs));
  const versions = createVersions({ ask: (api) => askVersion(client, api, startLimit()), clock, log });
  const ourName = options.auditUser ?? (credentials.type === 'password' ? credentials.username : null);
  return { root, client, versions, ourName, startLimit, close: () => connections.close() };
}

/** Both versions tell theirs to anybody, and how to log in depends on it; a given token goes along all the same. */
export function askVersion(client: Client, api: ApiVersion, limit: TimeLimit): Promise<ApiResult> {
  return client.call({ api, method: 'GET', segments: ['version'], withoutLogin: true }, limit);
}
