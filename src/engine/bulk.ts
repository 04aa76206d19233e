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
import { createTurns } from './turns.ts';

/** Runs that one call acts on at most. */
export const MAX_BULK_RUNS = 10_000;
const PAGE = 500;
/** Swaps under way at a time: many wait for one write of the store together, and callbacks still get through. */
const CONCURRENCY = 16;
const SAMPLE = 20;
/** One call reads all runs and may change many: they take turns, and so many may wait. */
const MAX_WAITING = 8;

export interface BulkRequest {
  readonly filter: RunFilter;
  readonly event: Operated;
  /** Says what would happen, and changes nothing. */
  readonly isDryRun: boolean;
  /** Nothing is done where more match; null: as many as match. */
  readonly maxRuns: number | null;
  /** Asked when its turn comes: whoever has stopped waiting by then takes it for not done. */
  readonly isAwaited?: () => boolean;
}

/** A run that was acted on. `phase` is as it was before. */
export interface BulkOutcome {
  readonly key: RunKey;
  readonly phase: Phase;
  readonly decision: Decision;
  readonly reason: Reason;
}

export type BulkAnswer =
  /** Nothing was done: too many others wait already; or nobody waits for this one any more. */
  | { readonly type: 'busy' }
  | { readonly type: 'abandoned' }
  | { readonly type: 'too_many'; readonly matched: number }
  | BulkDone;

export interface BulkDone {
  readonly type: 'done';
  /** All of them, also those beyond what one call acts on. */
  readonly matched: number;
  readonly changed: number;
  readonly outcomes: readonly { readonly decision: Decision; readonly reason: Reason; readonly count: number }[];
  /** The first 20, ordered by ids. */
  readonly sample: readonly BulkOutcome[];
  /** False: there are more that match; ask again. */
  readonly isComplete: boolean;
}

/** One action on all runs that a filter leaves in; one call at a time, the others wait. */
export interface Bulk {
  /**
   * @throws DagainError `store_unavailable` or `store_contention`: some may have been acted on. Asking again is safe
   * where acting twice is, and for a `grant` where the filter is for given-up runs, which it takes out of these phases.
   */
  act(request: BulkRequest): Promise<BulkAnswer>;
}

export interface BulkDeps {
  readonly store: Pick<RunStore, 'list'>;
  readonly operations: Pick<Operations, 'actWhile'>;
  readonly policies: Pick<PolicySource, 'rulesFor'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
}

type Found = Pick<BulkOutcome, 'key' | 'phase'>;
type Acted = Pick<OperationAnswer, 'decision' | 'reason' | 'isChanged'>;

export function createBulk({ store, operations, policies, clock, log }: BulkDeps): Bulk {
  const turns = createTurns();

  /** Visits as many of those that match as one call acts on, page by page, and counts all. */
  async function visitMatching(
    filter: RunFilter,
    nowMs: number,
    visit: (records: readonly RunRecord[]) => Promise<void> | void,
  ): Promise<number> {
    let matched = 0;
    let from = beginOf(filter);
    do {
      const page = await store.list(from, PAGE);
      const records = page.records.map(({ value }) => value);
      const matching = records.filter((record) => matchesFilter(record, filter, nowMs));
      await visit(matching.slice(0, Math.max(0, MAX_BULK_RUNS - matched)));
      matched += matching.length;
      from = records.some((record) => isBeyond(record, filter)) ? null : page.next;
    } while (from !== null);
    return matched;
  }

  async function preview(record: RunRecord, event: Operated, nowMs: number): Promise<Acted> {
    const rules = await policies.rulesFor(record.dagId, record.override);
    const { next, decision, reason } = transition(keyOf(record), record, event, rules, nowMs);
    return { decision, reason, isChanged: next !== record };
  }

  async function previewAll({ filter, event, maxRuns }: BulkRequest): Promise<BulkAnswer> {
    const nowMs = clock.nowMs();
    const tally = createTally();
    const matched = await visitMatching(filter, nowMs, async (records) => {
      const acted = await mapSome(records, (record) => preview(record, event, nowMs));
      tally.add(records.map(foundIn), acted);
    });
    return isBeyondMost(matched, maxRuns) ? { type: 'too_many', matched } : tally.answer(matched);
  }

  async function actOnAll({ filter, event: asked, maxRuns }: BulkRequest): Promise<BulkAnswer> {
    const nowMs = clock.nowMs();
    const event = { ...asked, askedAtMs: nowMs };
    // Records may be long, and there may be ten thousand of them.
    const found: Found[] = [];
    const matched = await visitMatching(filter, nowMs, (records) => void found.push(...records.map(foundIn)));
    if (isBeyondMost(matched, maxRuns)) return { type: 'too_many', matched };
    // What has changed so that it is not meant any more is left alone: it was not in what the person has seen.
    const isMeant = (record: RunRecord) => matchesFilter(record, filter, nowMs);
    const acted = await mapSome(found, async ({ key }): Promise<Acted> => {
      const answer = await operations.actWhile(key, event, isMeant);
      if (answer === null) return LEFT_ALONE;
      const { decision, reason, isChanged } = answer;
      return { decision, reason, isChanged };
    });
    const tally = createTally();
    tally.add(found, acted);
    const answer = tally.answer(matched);
    const { action, actor, comment } = event;
    log.info({ action, actor, comment, matched, changed: answer.changed }, `operator: ${action} of many runs`);
    return answer;
  }

  return {
    async act(request) {
      if (turns.taken() > MAX_WAITING) return { type: 'busy' };
      const { isDryRun, isAwaited = () => true } = request;
      return await turns.take(async () => {
        if (!isAwaited()) return { type: 'abandoned' };
        return await (isDryRun ? previewAll(request) : actOnAll(request));
      });
    },
  };
}

const LEFT_ALONE: Acted = { decision: 'stale', reason: 'superseded', isChanged: false };

function foundIn(record: RunRecord): Found {
  return { key: keyOf(record), phase: record.phase };
}

function isBeyondMost(matched: number, maxRuns: number | null): boolean {
  return maxRuns !== null && matched > maxRuns;
}

/** Counts what became of runs, in the order of their ids. */
function createTally() {
  const outcomes = new Map<string, { decision: Decision; reason: Reason; count: number }>();
  const sample: BulkOutcome[] = [];
  let changed = 0;
  return {
    add(found: readonly Found[], acted: readonly Acted[]): void {
      for (const [index, { decision, reason, isChanged }] of acted.entries()) {
        const outcome = outcomes.get(`${decision} ${reason}`) ?? { decision, reason, count: 0 };
        outcome.count += 1;
        outcomes.set(`${decision} ${reason}`, outcome);
        if (isChanged) changed += 1;
        const run = found[index];
        if (run !== undefined && sample.length < SAMPLE) sample.push({ ...run, decision, reason });
      }
    },
    answer: (matched: number): BulkDone => ({
      ...{ type: 'done', matched, changed, outcomes: [...outcomes.values()], sample },
      isComplete: matched <= MAX_BULK_RUNS,
    }),
  };
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
  // Whoever is told of a failure may ask again at once: nothing of this call is then still under way.
  const ended = await Promise.allSettled(Array.from({ length: CONCURRENCY }, run));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  return results;
}
