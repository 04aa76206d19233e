import { z } from 'zod';
import { DagainError } from '../core/errors.ts';
import type { JournalEntry } from '../core/journal.ts';
import { dueAtOf, type RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { RunStore, Versioned } from './port.ts';
import { createRedisConnection, type RedisConnection, type RedisConnectionOptions } from './redis/connection.ts';
import { takeDue } from './redis/due.ts';
import { journalBegins, journalHead, readJournal, readJournalAfter } from './redis/journal.ts';
import { marksKey, memberOf, pauseKeys, pingKeys, type ShardKeys, shardKeys, shardOf } from './redis/layout.ts';
import { countRuns, listPage } from './redis/listing.ts';
import { advanceMark, advanceMarkFrom, readMark } from './redis/marks.ts';
import { readPauses, setPause } from './redis/pauses.ts';
import { PING, runScript, type Send, SWAP } from './redis/scripts.ts';
import { setupWarnings } from './redis/setup-warnings.ts';
import { readStoredValue } from './redis/stored-value.ts';
import { encodeEntry } from './stored-entry.ts';
import { encodeRecord } from './stored-record.ts';

export type { RedisConnection, RedisConnectionOptions, RedisLog } from './redis/connection.ts';
export { createRedisConnection } from './redis/connection.ts';

const PING_KEY_EXPIRES_MS = 60_000;

const Value = z.string().nullable();
const NewVersion = z.string().transform(Number).pipe(z.int().positive()).nullable();

/** Either a connection of its own, closed with the store, or one that is shared and outlives it. */
export type RedisStoreOptions =
  | RedisConnectionOptions
  | { readonly connection: RedisConnection; readonly namespace: string };

/**
 * Runs in Redis: 16 shards, each with its records, due index, member index and journal under one hash tag.
 * @throws as `createRedisConnection` does
 */
export async function createRedisStore(options: RedisStoreOptions): Promise<RunStore> {
  if ('connection' in options) return redisStore(options.connection, options.namespace, async () => undefined);
  const connection = await createRedisConnection(options);
  return redisStore(connection, options.namespace, () => connection.close());
}

function redisStore(connection: RedisConnection, namespace: string, release: () => Promise<void>): RunStore {
  const shards = shardKeys(namespace);
  const marks = marksKey(namespace);
  const pauses = pauseKeys(namespace);
  const probes = pingKeys(namespace);
  let closed = false;
  const send: Send = async (args) => {
    if (closed) throw new DagainError('store_unavailable', 'The Redis store is closed');
    return await connection.send(args);
  };
  return {
    load: (key) => loadRecord(send, shards, key),
    compareAndSwap: (key, expected, next, entries = []) => swap(send, shards, key, expected, next, entries),
    takeDue: (nowMs, limit, leaseMs) => takeDue(send, shards, nowMs, limit, leaseMs),
    list: (after, limit) => listPage(send, shards, after, limit),
    count: (nowMs) => countRuns(send, shards, nowMs),
    readMark: (name) => readMark(send, marks, name),
    advanceMark: (name, toMs) => advanceMark(send, marks, name, toMs),
    advanceMarkFrom: (name, fromMs, toMs) => advanceMarkFrom(send, marks, name, fromMs, toMs),
    readJournal: (query) => readJournal(send, shards, query),
    journalBegins: () => journalBegins(send, shards),
    journalHead: () => journalHead(send, shards),
    readJournalAfter: (head, limit) => readJournalAfter(send, shards, head, limit),
    pauses: () => readPauses(send, pauses),
    setPause: (scope, pause, entry) => setPause(send, pauses, scope, pause, entry),
    async ping() {
      await runScript(send, PING, probes, [String(PING_KEY_EXPIRES_MS)]);
    },
    warnings: () => setupWarnings(send),
    async close() {
      closed = true;
      await release();
    },
  };
}

async function loadRecord(send: Send, shards: readonly ShardKeys[], key: RunKey): Promise<Versioned<RunRecord> | null> {
  const member = memberOf(key);
  const value = Value.parse(await send(['HGET', shardFor(shards, member).records, member]));
  if (value === null) return null;
  const run = readStoredValue(key, value);
  if ('record' in run) return run.record;
  throw new DagainError('store_corrupt', run.detail);
}

async function swap(
  send: Send,
  shards: readonly ShardKeys[],
  key: RunKey,
  expected: number,
  next: RunRecord | null,
  entries: readonly JournalEntry[],
): Promise<number | null> {
  const member = memberOf(key);
  const { records, due, members, sequence, journal } = shardFor(shards, member);
  const text = next === null ? '' : encodeRecord(key, next);
  const dueMs = next === null ? null : dueAtOf(next);
  const args = [member, String(expected), text, dueMs === null ? '' : String(dueMs), ...entries.map(encodeEntry)];
  return NewVersion.parse(await runScript(send, SWAP, [records, due, members, sequence, journal], args));
}

function shardFor(shards: readonly ShardKeys[], member: string): ShardKeys {
  const shard = shards[shardOf(member)];
  if (shard === undefined) throw new RangeError(`There is no shard for ${JSON.stringify(member)}`);
  return shard;
}
