import type { JournalType } from '../core/journal.ts';
import type { RunKey } from '../core/run-key.ts';
import type { KeptEntry, RunStore } from '../store/port.ts';
import { isGlob, isNamed } from './run-filter.ts';

/** Which entries of the journal are meant; null: no matter. All that is given must hold. */
export interface EventFilter {
  readonly types: readonly JournalType[] | null;
  /** Exact, or a glob where it holds `*` or `?`. */
  readonly dagId: string | null;
  readonly dagRunId: string | null;
  readonly actor: string | null;
  readonly sinceMs: number | null;
}

/** What happened, and what people did; the latter is the audit trail. */
export interface Events {
  /**
   * Up to `limit` entries that match, newest first, before the entry `before`; `next` is null at the end.
   * @throws DagainError `store_unavailable`, or `cursor_invalid` for a `before` that no page has given
   */
  list(
    filter: EventFilter,
    limit: number,
    before: string | null,
  ): Promise<{ events: KeptEntry[]; next: string | null }>;
}

const PAGE = 500;
/** A page of the answer reads at most this many entries, so that a rare filter cannot hold the service up. */
const MAX_SCANNED = 10_000;

export function createEvents(store: Pick<RunStore, 'readJournal'>): Events {
  return {
    async list(filter, limit, before) {
      const events: KeptEntry[] = [];
      const key = oneRun(filter);
      let from = before;
      for (let scanned = 0; scanned < MAX_SCANNED; scanned += PAGE) {
        const page = await store.readJournal({ before: from, limit: PAGE, ...(key === null ? {} : { key }) });
        for (const kept of page.entries) {
          if (filter.sinceMs !== null && kept.entry.atMs < filter.sinceMs - CLOCK_SLACK_MS)
            return { events, next: null };
          if (!matches(kept, filter)) continue;
          events.push(kept);
          if (events.length === limit) return { events, next: kept.id };
        }
        if (page.next === null) return { events, next: null };
        from = page.next;
      }
      return { events, next: from };
    },
  };
}

/** The journal is in the order of the store, its times are of the replicas' clocks: how far those may differ. */
const CLOCK_SLACK_MS = 60_000;

function matches({ entry }: KeptEntry, filter: EventFilter): boolean {
  if (filter.types !== null && !filter.types.includes(entry.type)) return false;
  if (filter.dagId !== null && (entry.dagId === null || !isNamed(entry.dagId, filter.dagId))) return false;
  if (filter.dagRunId !== null && entry.dagRunId !== filter.dagRunId) return false;
  if (filter.actor !== null && entry.actor !== filter.actor) return false;
  return filter.sinceMs === null || entry.atMs >= filter.sinceMs;
}

function oneRun({ dagId, dagRunId }: EventFilter): RunKey | null {
  return dagId === null || dagRunId === null || isGlob(dagId) ? null : { dagId, dagRunId };
}
