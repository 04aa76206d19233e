import type { Phase, RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { RunStore } from '../store/port.ts';

export interface RunFilter {
  readonly phase: Phase | null;
  readonly dagId: string | null;
}

/** Reads for people. */
export interface Runs {
  find(key: RunKey): Promise<RunRecord | null>;
  /** Up to `limit` records that match, ordered by ids, after `after`; `next` is null at the end. */
  list(filter: RunFilter, limit: number, after: RunKey | null): Promise<{ runs: RunRecord[]; next: RunKey | null }>;
}

const PAGE = 200;
/** A page of the answer reads at most this many records, so that a rare filter cannot hold the service up. */
const MAX_SCANNED = 10_000;

export function createRuns(store: RunStore): Runs {
  return {
    async find(key) {
      return (await store.load(key))?.value ?? null;
    },
    async list(filter, limit, after) {
      const runs: RunRecord[] = [];
      let from = after;
      for (let scanned = 0; scanned < MAX_SCANNED; scanned += PAGE) {
        const page = await store.list(from, PAGE);
        for (const { value } of page.records) {
          if (!matches(value, filter)) continue;
          runs.push(value);
          if (runs.length === limit) return { runs, next: { dagId: value.dagId, dagRunId: value.dagRunId } };
        }
        if (page.next === null) return { runs, next: null };
        from = page.next;
      }
      return { runs, next: from };
    },
  };
}

function matches(record: RunRecord, filter: RunFilter): boolean {
  if (filter.phase !== null && record.phase !== filter.phase) return false;
  return filter.dagId === null || record.dagId === filter.dagId;
}
