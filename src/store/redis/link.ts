import { createClient, type RedisClientType } from '@keyv/redis';
import { DagainError } from '../../core/errors.ts';
import { withDeadline } from './deadline.ts';
import { clusterError, isFromReplica, isRefusal, redisError } from './errors.ts';

/** How long the first connection may take, retries included. */
export const START_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** How long an answer may take; after it the connection is replaced, and whether the command ran is unknown. */
const COMMAND_TIMEOUT_MS = 2_500;
/** With pings every second, a connection without any traffic for this long is dead. */
const SILENCE_TIMEOUT_MS = 5_000;
const PING_INTERVAL_MS = 1_000;
/** A connection that still answers wrongly is replaced at most this often. */
const REPLACE_INTERVAL_MS = 1_000;
const RECONNECT_MIN_MS = 50;
const RECONNECT_MAX_MS = 1_000;
/** Commands that may wait at once; beyond that they are refused, since Redis does not keep up. */
const MAX_QUEUED_COMMANDS = 10_000;

/** What the connection tells about its state; a pino logger fits. */
export interface RedisLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Keeps one client connected, and gives every command a deadline; comes back by itself, never sends a command twice. */
export class Link {
  readonly client: RedisClientType;
  readonly address: string;
  readonly #log: RedisLog;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;
  #lost = false;
  #replacedAtMs = Number.NEGATIVE_INFINITY;
  #lastError: unknown = new Error('no answer');

  constructor(url: string, log: RedisLog) {
    this.#log = log;
    this.address = addressOf(url);
    this.client = createClient({
      url,
      // A command is never kept for a later connection, hence never sent twice.
      disableOfflineQueue: true,
      commandsQueueMaxLength: MAX_QUEUED_COMMANDS,
      pingInterval: PING_INTERVAL_MS,
      maintNotifications: 'disabled',
      socket: {
        connectTimeout: CONNECT_TIMEOUT_MS,
        socketTimeout: SILENCE_TIMEOUT_MS,
        reconnectStrategy: (retries, cause) => (this.#closed ? cause : reconnectDelayMs(retries)),
      },
    });
    this.client.setMaxListeners(0);
    this.client.on('error', (error: unknown) => this.#onError(error));
    this.client.on('ready', () => this.#onReady());
  }

  async open(): Promise<void> {
    const late = () => redisError(this.address, this.#lastError);
    try {
      await withDeadline(this.client.connect(), START_TIMEOUT_MS, late);
      await this.#refuseCluster();
    } catch (error) {
      await this.close();
      throw redisError(this.address, error);
    }
  }

  async send(args: readonly string[]): Promise<unknown> {
    if (this.#closed) throw new DagainError('store_unavailable', 'The connection to Redis is closed');
    // Says why there is no connection, where the client would only say that there is none.
    if (!this.client.isReady) throw redisError(this.address, this.#lastError);
    const epoch = this.client.socketEpoch;
    const answer = withDeadline(this.client.sendCommand([...args]), COMMAND_TIMEOUT_MS, () => {
      const error = new Error(`no answer within ${COMMAND_TIMEOUT_MS} ms`);
      this.#replace(epoch, error);
      return error;
    });
    this.#underWay.add(answer);
    try {
      return await answer;
    } catch (error) {
      // After a failover the name leads to the new primary, but this connection to the old one lives on.
      if (isFromReplica(error)) this.#replace(epoch, error);
      throw redisError(this.address, error);
    } finally {
      this.#underWay.delete(answer);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    if (this.client.isReady) this.client.destroy();
    // While it connects it must not be destroyed, or its next socket stays open: see #onReady.
    else this.client.unref();
  }

  /**
   * Writing keeps the client's own time-out from firing, so that under load a frozen server would hold every command
   * for as long as commands are sent.
   */
  #replace(epoch: number, why: unknown): void {
    // While the client connects it must not be destroyed: see `close`.
    if (this.#closed || !this.client.isReady || this.client.socketEpoch !== epoch) return;
    if (performance.now() - this.#replacedAtMs < REPLACE_INTERVAL_MS) return;
    this.#replacedAtMs = performance.now();
    this.#onError(why);
    this.client.destroy();
    this.client.connect().catch(() => undefined);
  }

  #onError(error: unknown): void {
    this.#lastError = error;
    if (this.#lost || this.#closed) return;
    this.#lost = true;
    this.#log.warn({ err: error, redis: this.address }, 'Redis is out of reach; connecting again');
  }

  #onReady(): void {
    if (this.#closed) {
      this.client.destroy();
      return;
    }
    if (this.#lost) this.#log.info({ redis: this.address }, 'Redis is back');
    this.#lost = false;
  }

  /** A cluster of one node serves all slots; of several, only some of our shards would work. */
  async #refuseCluster(): Promise<void> {
    const info = await this.send(['CLUSTER', 'INFO']).catch((error: unknown) => {
      if (isRefusal(error)) return ''; // Cluster support is off, or this user may not ask.
      throw error;
    });
    const size = /^cluster_size:(\d+)/m.exec(String(info))?.[1];
    if (Number(size) > 1) throw clusterError(this.address);
  }
}

/** Grows with each failed try; a random half of it keeps replicas from coming back all at once. */
function reconnectDelayMs(retries: number): number {
  const ceilingMs = Math.min(RECONNECT_MIN_MS * 2 ** retries, RECONNECT_MAX_MS);
  return Math.round(ceilingMs * (0.5 + Math.random() / 2));
}

/** Host and port of `url`; never shows the URL itself, which may hold a password. */
function addressOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null || !isRedisUrl(parsed)) {
    throw new DagainError(
      'configuration_invalid',
      'The Redis URL must look like redis://user:password@host:6379/0, or rediss:// for TLS',
    );
  }
  return `${parsed.hostname}:${parsed.port || 6379}`;
}

function isRedisUrl(url: URL): boolean {
  try {
    decodeURIComponent(url.username + url.password);
  } catch {
    return false;
  }
  return /^rediss?:$/.test(url.protocol) && url.hostname !== '' && /^(\/\d*)?$/.test(url.pathname);
}
