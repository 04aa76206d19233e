import type { Pause } from '../core/pause.ts';
import { keyOf, type RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { Orchestrator } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import type { Pauses } from './pauses.ts';
import { beginOf, isBeyond, matchesFilter, type RunFilter } from './run-filter.ts';

/** What people see of a run besides its record. */
export interface RunSurroundings {
  /** A link to the run in the orchestrator, or null. */
  readonly linkTo: (key: RunKey) => string | null;
  /** The pause that holds for a Dag, or null. */
  readonly pauseOf: (dagId: string) => Pause | null;
  readonly isShadow: boolean;
}

/** Reads for people. @throws DagainError `store_unavailable` */
export interface Runs {
  find(key: RunKey): Promise<RunRecord | null>;
  /** Up to `limit` records that match, ordered by ids, after `after`; `next` is null at the end. */
  list(filter: RunFilter, limit: number, after: RunKey | null): Promise<{ runs: RunRecord[]; next: RunKey | null }>;
  surroundings(): Promise<RunSurroundings>;
}

export interface RunsDeps {
  readonly store: Pick<RunStore, 'load' | 'list'>;
  readonly orchestrator: Pick<Orchestrator, 'linkTo'>;
  readonly pauses: Pick<Pauses, 'ofDag'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly isShadow?: boolean;
}

const PAGE = 200;
/** A page of the answer reads at most this many records, so that a rare filter cannot hold the service up. */
const MAX_SCANNED = 10_000;

export function createRuns({ store, orchestrator, pauses, clock, isShadow = false }: RunsDeps): Runs {
  return {
    async find(key) {
      return (await store.load(key))?.value ?? null;
    },
    async list(filter, limit, after) {
      const nowMs = clock.nowMs();
      const runs: RunRecord[] = [];
      const begin = beginOf(filter);
      let from = begin === null || after?.dagId === begin.dagId ? after : begin;
      for (let scanned = 0; scanned < MAX_SCANNED; scanned += PAGE) {
        const page = await store.list(from, PAGE);
        for (const { value } of page.records) {
          if (isBeyond(value, filter)) return { runs, next: null };
          if (!matchesFilter(value, filter, nowMs)) continue;
          runs.push(value);
          if (runs.length === limit) return { runs, next: keyOf(value) };
        }
        if (page.next === null) return { runs, next: null };
        from = page.next;
      }
      return { runs, next: from };
    },
    async surroundings() {
      return { linkTo: (key) => orchestrator.linkTo(key), pauseOf: await pauses.ofDag(), isShadow };
    },
  };
}
