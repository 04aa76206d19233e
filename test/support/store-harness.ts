import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createClient } from '@keyv/redis';
import { inject } from 'vitest';
import type { RunKey } from '../../src/core/run-key.ts';
import type { RunStore } from '../../src/store/port.ts';
import { memberOf, pauseKeys, pingKeys, shardKeys, shardOf } from '../../src/store/redis/layout.ts';
import { createRedisStore } from '../../src/store/redis.ts';
import { createSqliteStore } from '../../src/store/sqlite.ts';

/** Data of its own for one test, which any number of stores may share. */
export interface StoreData {
  /** Opens one more store on the same data. */
  open(): Promise<RunStore>;
  /** Replaces the stored JSON of an existing record behind the store's back; the version stays. */
  corrupt(key: RunKey, text: string): Promise<void>;
  /** Writes text into the journal as an entry of a run, behind the store's back. */
  note(key: RunKey, text: string): Promise<void>;
  /** Writes text as the pause of a scope, behind the store's back. */
  pauseRaw(scope: string, text: string): Promise<void>;
  /** Closes what was opened and removes the data. */
  dispose(): Promise<void>;
}

export interface RedisData extends StoreData {
  readonly namespace: string;
  /** Removes a record but not its place in the due index; in SQLite these are one row. */
  lose(key: RunKey): Promise<void>;
  /** Replaces all that is stored for a run, its version included. */
  overwrite(key: RunKey, value: string): Promise<void>;
}

export interface StoreHarness {
  readonly name: string;
  create(): Promise<StoreData>;
}

/** Every store that the service can run on. */
export const storeHarnesses: readonly StoreHarness[] = [
  { name: 'redis', create: () => redisData(inject('redisUrl')) },
  { name: 'sqlite', create: sqliteData },
];

/** A namespace of its own on the server at `url`. */
export async function redisData(url: string): Promise<RedisData> {
  const namespace = `test-${randomUUID()}`;
  const shards = shardKeys(namespace);
  const opened: RunStore[] = [];
  const recordsOf = (key: RunKey) => shards[shardOf(memberOf(key))]?.records ?? '';
  const client = createClient({ url });
  await client.connect();
  return {
    namespace,
    open: async () => remember(opened, await createRedisStore({ url, namespace })),
    async corrupt(key, text) {
      const value = await client.hGet(recordsOf(key), memberOf(key));
      await client.hSet(recordsOf(key), memberOf(key), `${value?.split(' ')[0]} ${text}`);
    },
    async note(key, text) {
      await client.xAdd(shards[shardOf(memberOf(key))]?.journal ?? '', '*', { e: text });
    },
    async pauseRaw(scope, text) {
      await client.hSet(pauseKeys(namespace).pauses, scope, text);
    },
    async overwrite(key, value) {
      await client.hSet(recordsOf(key), memberOf(key), value);
    },
    async lose(key) {
      await client.hDel(recordsOf(key), memberOf(key));
    },
    async dispose() {
      await Promise.all(opened.map((store) => store.close()));
      for (const keys of shards) await client.del(Object.values(keys));
      await client.del([pauseKeys(namespace).pauses, ...pingKeys(namespace)]);
      await client.close();
    },
  };
}

/** A directory of its own. */
export async function sqliteData(): Promise<StoreData> {
  const directory = mkdtempSync(join(tmpdir(), 'dagain-sqlite-'));
  const opened: RunStore[] = [];
  function run(sql: string, ...values: readonly string[]): void {
    const database = new DatabaseSync(join(directory, 'dagain.db'));
    database.prepare(sql).run(...values);
    database.close();
  }
  return {
    open: async () => remember(opened, await createSqliteStore({ directory })),
    async corrupt({ dagId, dagRunId }, text) {
      run('UPDATE runs SET record = ? WHERE dag_id = ? AND dag_run_id = ?', text, dagId, dagRunId);
    },
    async note({ dagId, dagRunId }, text) {
      run('INSERT INTO journal (at_ms, dag_id, dag_run_id, entry) VALUES (1e15, ?, ?, ?)', dagId, dagRunId, text);
    },
    async pauseRaw(scope, text) {
      run('INSERT INTO pauses (scope, pause) VALUES (?, ?)', scope, text);
    },
    async dispose() {
      await Promise.all(opened.map((store) => store.close()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function remember(opened: RunStore[], store: RunStore): RunStore {
  opened.push(store);
  return store;
}
