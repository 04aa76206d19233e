import type { Operated } from '../core/event.ts';
import type { Decision, Reason } from '../core/reason.ts';
import { keyOf, type Phase, type RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import { transition } from '../core/transition.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { OperationAnswer, Operations } from './operations.ts';
import type { PolicySource } from './policy-source.ts';
import { beginOf, isBeyond, matchesFilter, type RunFilter } from './run-filter.ts';

/** Runs that one call acts on at most. */
export const MAX_BULK_RUNS = 10_000;
const PAGE = 500;
/** Swaps under way at a time: many wait for one write of the store together, and callbacks still get through. */
const CONCURRENCY = 16;
const SAMPLE = 20;

export interface BulkRequest {
  readonly filter: RunFilter;
  readonly event: Operated;
  /** Says what would happen, and changes nothing. */
  readonly isDryRun: boolean;
  /** Nothing is done where more match; null: as many as match. */
  readonly maxRuns: number | null;
}

/** A run that was acted on. `phase` is as it was before. */
export interface BulkOutcome {
  readonly key: RunKey;
  readonly phase: Phase;
  readonly decision: Decision;
  readonly reason: Reason;
}

export type BulkAnswer =
  | { readonly type: 'too_many'; readonly matched: number }
  | {
      readonly type: 'done';
      /** All of them, also those beyond what one call acts on. */
      readonly matched: number;
      readonly changed: number;
      readonly outcomes: readonly { readonly decision: Decision; readonly reason: Reason; readonly count: number }[];
      /** The first 20, ordered by ids. */
      readonly sample: readonly BulkOutcome[];
      /** False: there are more that match; ask again. */
      readonly isComplete: boolean;
    };

/** One action on all runs that a filter leaves in. */
export interface Bulk {
  /** @throws DagainError `store_unavailable` or `store_contention`: some may have been acted on; asking again is safe. */
  act(request: BulkRequest): Promise<BulkAnswer>;
}

export interface BulkDeps {
  readonly store: Pick<RunStore, 'list'>;
  readonly operations: Pick<Operations, 'actWhile'>;
  readonly policies: Pick<PolicySource, 'rulesFor'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
}

type Acted = Pick<OperationAnswer, 'decision' | 'reason' | 'isChanged'>;

export function createBulk({ store, operations, policies, clock, log }: BulkDeps): Bulk {
  /** Counts all that match, and keeps as many as one call acts on. */
  async function find(filter: RunFilter, nowMs: number): Promise<{ records: RunRecord[]; matched: number }> {
    const records: RunRecord[] = [];
    let matched = 0;
    let from = beginOf(filter);
    do {
      const page = await store.list(from, PAGE);
      for (const { value } of page.records) {
        if (isBeyond(value, filter)) return { records, matched };
        if (!matchesFilter(value, filter, nowMs)) continue;
        matched += 1;
        if (matched <= MAX_BULK_RUNS) records.push(value);
      }
      from = page.next;
    } while (from !== null);
    return { records, matched };
  }

  async function preview(record: RunRecord, event: Operated, nowMs: number): Promise<Acted> {
    const rules = await policies.rulesFor(record.dagId, record.override);
    const { next, decision, reason } = transition(keyOf(record), record, event, rules, nowMs);
    return { decision, reason, isChanged: next !== record };
  }

  return {
    async act({ filter, event, isDryRun, maxRuns }) {
      const nowMs = clock.nowMs();
      const { records, matched } = await find(filter, nowMs);
      if (maxRuns !== null && matched > maxRuns) return { type: 'too_many', matched };
      // What has changed so that it is not meant any more is left alone: it was not in what the person has seen.
      const isMeant = (record: RunRecord) => matchesFilter(record, filter, nowMs);
      const acted = await mapSome(records, async (record) =>
        isDryRun
          ? await preview(record, event, nowMs)
          : ((await operations.actWhile(keyOf(record), event, isMeant)) ?? LEFT_ALONE),
      );
      const changed = acted.filter(({ isChanged }) => isChanged).length;
      const { action, actor, comment } = event;
      if (!isDryRun) log.info({ action, actor, comment, matched, changed }, `operator: ${action} of many runs`);
      const sample = records.slice(0, SAMPLE).map((record, index) => {
        const { decision, reason } = acted[index] ?? LEFT_ALONE;
        return { key: keyOf(record), phase: record.phase, decision, reason };
      });
      return { type: 'done', matched, changed, outcomes: tally(acted), sample, isComplete: matched <= MAX_BULK_RUNS };
    },
  };
}

const LEFT_ALONE: Acted = { decision: 'stale', reason: 'superseded', isChanged: false };

function tally(acted: readonly Acted[]) {
  const groups = Map.groupBy(acted, ({ decision, reason }) => `${decision} ${reason}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined ? [] : [{ decision: first.decision, reason: first.reason, count: group.length }];
  });
}

/** As `Promise.all` over all items, some at a time; begins no further one after a failure. */
async function mapSome<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let at = 0;
  let hasFailed = false;
  async function run(): Promise<void> {
    while (at < items.length && !hasFailed) {
      const index = at;
      at += 1;
      try {
        results[index] = await work(items[index] as T);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, run));
  return results;
}
