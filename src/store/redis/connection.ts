import { createKeyv, type Keyv, type RedisClientType } from '@keyv/redis';
import { checkedNamespace } from './layout.ts';
import { Link, type RedisLog, START_TIMEOUT_MS } from './link.ts';

export type { RedisLog } from './link.ts';

export interface RedisConnectionOptions {
  /** `redis://` or `rediss://` (TLS), with user, password and database number where needed. */
  readonly url: string;
  /** Goes before every key: letters, digits, `.`, `_`, `-` and `:`, at most 100. */
  readonly namespace: string;
  readonly log?: RedisLog;
}

/** One connection to Redis, shared by the store and by caches; it comes back by itself. */
export interface RedisConnection {
  readonly client: RedisClientType;
  readonly namespace: string;
  /** Host and port, for people; holds no secret. */
  readonly address: string;
  /**
   * Sends one command, once. After `store_unavailable` it may or may not have run, now or later.
   * @throws `store_unavailable`, `store_corrupt` (a key of another type), `store_unsupported` (a cluster)
   */
  send(args: readonly string[]): Promise<unknown>;
  /** A cache for what may be lost; the same name gives the same cache. Outages reject. */
  keyv(name: string): Keyv;
  /** Waits for commands under way. Sending after it rejects; closing again does nothing. */
  close(): Promise<void>;
}

/**
 * Connects to Redis.
 * @throws `configuration_invalid`, `store_unavailable` (no connection after 3 s), `store_unsupported` (a cluster)
 */
export async function createRedisConnection(options: RedisConnectionOptions): Promise<RedisConnection> {
  const namespace = checkedNamespace(options.namespace);
  const link = new Link(options.url, options.log ?? { info: () => undefined, warn: () => undefined });
  await link.open();
  const caches = new Map<string, Keyv>();
  return {
    client: link.client,
    namespace,
    address: link.address,
    send: (args) => link.send(args),
    keyv(name) {
      const cache = caches.get(name) ?? createCache(link.client, `${namespace}:cache:${name}`);
      caches.set(name, cache);
      return cache;
    },
    close: () => link.close(),
  };
}

function createCache(client: RedisClientType, namespace: string): Keyv {
  // Without both flags an outage reads as "not cached" or hangs.
  return createKeyv(client, {
    namespace,
    throwOnErrors: true,
    throwOnConnectError: true,
    connectionTimeout: START_TIMEOUT_MS,
  });
}
