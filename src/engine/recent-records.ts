import type { RunRecord } from '../core/record.ts';
import { formatRunKey, type RunKey } from '../core/run-key.ts';
import type { Versioned } from '../store/port.ts';

/** As many as fail at the same time, and not more than a few megabytes. */
const MAX_RECORDS = 1_000;

/**
 * What this process last wrote, by run. The tasks of a failing run report one after the other, mostly to the same
 * replica: its next swap can then be tried without reading first. Only a swap that the store confirms may rest on it.
 */
export interface RecentRecords {
  find(key: RunKey): Versioned<RunRecord> | null;
  /** Null forgets the run. */
  remember(key: RunKey, written: Versioned<RunRecord> | null): void;
}

export function createRecentRecords(): RecentRecords {
  const recent = new Map<string, Versioned<RunRecord>>();
  return {
    find: (key) => recent.get(formatRunKey(key)) ?? null,
    remember(key, written) {
      const name = formatRunKey(key);
      recent.delete(name);
      if (written === null) return;
      recent.set(name, written);
      const [oldest] = recent.keys();
      if (recent.size > MAX_RECORDS && oldest !== undefined) recent.delete(oldest);
    },
  };
}
