import type { RunStore } from '../../src/store/port.ts';
import { createRedisStore } from '../../src/store/redis.ts';
import { createSqliteStore } from '../../src/store/sqlite.ts';

const HOUR_MS = 3_600_000;

/** Where a service keeps its state, by its settings. */
export interface StoreSettings {
  readonly DAGAIN_REDIS_URL?: string;
  readonly DAGAIN_NAMESPACE?: string;
  readonly DAGAIN_DATA_DIR?: string;
}

/** Makes a new store one that has been in use for an hour: a service on a new one waits before its first clear. */
export async function growStore(settings: StoreSettings, nowMs = Date.now()): Promise<void> {
  const store = await openStore(settings);
  await store.advanceMark('memory_begins', nowMs - HOUR_MS);
  await store.advanceMark('accounted_for', nowMs);
  await store.close();
}

function openStore(settings: StoreSettings): Promise<RunStore> {
  const { DAGAIN_REDIS_URL: url, DAGAIN_NAMESPACE: namespace = 'dagain', DAGAIN_DATA_DIR: directory = '' } = settings;
  return url === undefined ? createSqliteStore({ directory }) : createRedisStore({ url, namespace });
}
