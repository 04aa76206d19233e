import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { AlertChannel } from '../alerts/port.ts';
import type { Environment } from '../config/environment.ts';
import { openPolicyFile } from '../config/live-policy-file.ts';
import { DagainError } from '../core/errors.ts';
import type { PolicyLayer } from '../core/policy-layer.ts';
import { BUILT_IN_TIMING, type Timing } from '../core/rules.ts';
import type { Clock } from '../engine/clock.ts';
import { createDagTags } from '../engine/dag-tags.ts';
import { createPolicies } from '../engine/policies.ts';
import type { PolicySource } from '../engine/policy-source.ts';
import type { SeenWebhookIds } from '../http/auth.ts';
import { type AirflowOptions, createAirflow } from '../orchestrator/airflow/airflow.ts';
import type { Credentials } from '../orchestrator/airflow/auth.ts';
import type { Orchestrator } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import { createRedisConnection, createRedisStore, type RedisConnection } from '../store/redis.ts';
import { createSqliteStore, type SqliteStore } from '../store/sqlite.ts';
import { warnOfUnconfigured } from './channels.ts';

const POLICY_POLL_INTERVAL_MS = 2_000;

/** Where state is kept. */
export interface State {
  readonly name: 'redis' | 'sqlite';
  readonly store: RunStore;
  readonly seenWebhookIds: SeenWebhookIds;
  /** The store's own clock, in epoch milliseconds; null where it has ours. */
  readonly readTime: (() => Promise<number>) | null;
  close(): Promise<void>;
}

/** Redis where a URL is set, the embedded store else. @throws DagainError `store_unavailable` and its kin. */
export async function openState(environment: Environment, clock: Clock, log: Logger): Promise<State> {
  const { DAGAIN_REDIS_URL: url, DAGAIN_NAMESPACE: namespace, DAGAIN_DATA_DIR: directory } = environment;
  if (url === undefined) {
    const store = await createSqliteStore({ directory });
    const seenWebhookIds = seenInSqlite(store, clock);
    return { name: 'sqlite', store, seenWebhookIds, readTime: null, close: () => store.close() };
  }
  const connection = await createRedisConnection({ url, namespace, log });
  const store = await createRedisStore({ connection, namespace });
  return {
    name: 'redis',
    store,
    seenWebhookIds: seenInRedis(connection, namespace),
    readTime: () => readRedisTime(connection),
    async close() {
      await store.close();
      await connection.close();
    },
  };
}

const RedisTime = z.tuple([z.coerce.number(), z.coerce.number()]);

async function readRedisTime(connection: RedisConnection): Promise<number> {
  const [seconds, micros] = RedisTime.parse(await connection.send(['TIME']));
  return seconds * 1_000 + micros / 1_000;
}

function seenInRedis(connection: RedisConnection, namespace: string): SeenWebhookIds {
  return {
    async claim(id, digest, ttlMs) {
      const key = `${namespace}:webhook:${id}`;
      const isNew = (await connection.send(['SET', key, digest, 'NX', 'PX', String(ttlMs)])) !== null;
      const kept = isNew ? digest : await connection.send(['GET', key]);
      return typeof kept === 'string' ? kept : digest;
    },
  };
}

function seenInSqlite(store: SqliteStore, clock: Clock): SeenWebhookIds {
  return { claim: (id, digest, ttlMs) => store.claimWebhookId(id, digest, clock.nowMs(), ttlMs) };
}

/** @throws DagainError `configuration_invalid` without an address */
export function createOrchestrator(environment: Environment, clock: Clock, log: Logger): Orchestrator {
  return createAirflow(airflowOptionsFrom(environment, clock, log));
}

/** @throws DagainError `configuration_invalid` without an address */
export function airflowOptionsFrom(environment: Environment, clock: Clock, log: Logger): AirflowOptions {
  const { DAGAIN_AIRFLOW_URL: url } = environment;
  if (url === undefined) {
    throw new DagainError('configuration_invalid', 'DAGAIN_AIRFLOW_URL must be set, for example http://airflow:8080');
  }
  const { DAGAIN_AIRFLOW_AUDIT_USER: auditUser } = environment;
  const named = auditUser === undefined ? {} : { auditUser };
  return { url, credentials: credentialsFrom(environment), ...named, clock, log };
}

function credentialsFrom(environment: Environment): Credentials {
  const { DAGAIN_AIRFLOW_USERNAME: username, DAGAIN_AIRFLOW_PASSWORD: password } = environment;
  const { DAGAIN_AIRFLOW_TOKEN: token, DAGAIN_AIRFLOW_TOKEN_FILE: tokenFile } = environment;
  if (tokenFile !== undefined) return { type: 'token', read: async () => (await readFile(tokenFile, 'utf8')).trim() };
  if (token !== undefined) return { type: 'token', read: async () => token };
  if (username !== undefined && password !== undefined) return { type: 'password', username, password };
  const { DAGAIN_AIRFLOW_CLIENT_ID: clientId, DAGAIN_AIRFLOW_CLIENT_SECRET: clientSecret } = environment;
  if (clientId !== undefined && clientSecret !== undefined) return clientFrom(environment, { clientId, clientSecret });
  if (environment.DAGAIN_GOOGLE_AUTH) return { type: 'google' };
  const { DAGAIN_MWAA_ENVIRONMENT: name, DAGAIN_MWAA_REGION: region, DAGAIN_MWAA_ENDPOINT: endpoint } = environment;
  if (name !== undefined && region !== undefined) return { type: 'mwaa', name, region, endpoint: endpoint ?? null };
  return { type: 'none' };
}

function clientFrom(
  environment: Environment,
  client: { readonly clientId: string; readonly clientSecret: string },
): Credentials {
  const { DAGAIN_OAUTH_TOKEN_URL: tokenUrl, DAGAIN_OAUTH_CLIENT_AUTH: clientAuth } = environment;
  if (tokenUrl === undefined) return { type: 'client', ...client };
  const { DAGAIN_OAUTH_SCOPE: scope = null, DAGAIN_OAUTH_AUDIENCE: audience = null } = environment;
  return { type: 'oauth', ...client, tokenUrl, clientAuth, scope, audience };
}

export interface PolicyParts {
  readonly environment: Environment;
  readonly orchestrator: Orchestrator;
  readonly channels: readonly AlertChannel[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly onReload?: (result: 'swapped' | 'refused' | 'restored') => void;
}

/** The environment's layer, the file's, and the Dag tags'. @throws DagainError `configuration_invalid` for a bad file */
export function createPolicySource(parts: PolicyParts): { source: PolicySource; reload(): void; close(): void } {
  const { environment, orchestrator, channels, clock, log, onReload = () => {} } = parts;
  const path = environment.DAGAIN_POLICY_FILE ?? null;
  const file = openPolicyFile({
    path,
    pollIntervalMs: POLICY_POLL_INTERVAL_MS,
    log,
    onReload(result) {
      if (result === 'swapped') warnOfUnconfigured(file.current(), channels, log);
      onReload(result);
    },
  });
  warnOfUnconfigured(file.current(), channels, log);
  const layer = environmentLayer(environment);
  let document = { environment: layer, file: file.current() };
  const source = createPolicies({
    current() {
      if (document.file !== file.current()) document = { environment: layer, file: file.current() };
      return document;
    },
    timing: timingFrom(environment),
    alertChannels: channels.map((channel) => channel.name),
    tags: createDagTags({ orchestrator, clock, log }),
    isShadow: environment.DAGAIN_MODE === 'shadow',
  });
  return { source, reload: () => void file.reload(), close: () => file.close() };
}

function environmentLayer(environment: Environment): PolicyLayer {
  const { DAGAIN_MAX_RETRIES: maxRetries, DAGAIN_RETRY_DELAY: delayMs } = environment;
  return {
    ...(maxRetries === undefined ? {} : { max_retries: maxRetries }),
    ...(delayMs === undefined ? {} : { delay: delayMs }),
  };
}

function timingFrom(environment: Environment): Timing {
  return {
    ...BUILT_IN_TIMING,
    sweepIntervalMs: environment.DAGAIN_SWEEP_INTERVAL,
    tombstoneMs: environment.DAGAIN_TOMBSTONE_TTL,
  };
}
