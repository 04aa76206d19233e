import { PHASES, type Phase, type RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';

const PAGE = 500;
/** Reading all records is not for every scrape. */
const LEAST_PAUSE_MS = 5_000;
/** How many times as long as a census takes there is none: with many records it gets older rather than costlier. */
const PAUSE_FACTOR = 20;

/** How the records of one Dag stand. */
export interface DagCensus {
  readonly phases: Readonly<Record<Phase, number>>;
  readonly held: number;
}

/** How the records stand. */
export interface Census extends DagCensus {
  /** By channel. */
  readonly pendingAlerts: Readonly<Record<string, number>>;
  readonly oldestAlertAtMs: number | null;
  /** By Dag id. */
  readonly dags: ReadonlyMap<string, DagCensus>;
}

export interface CensusDeps {
  readonly store: Pick<RunStore, 'list'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** How old a census may always be, in milliseconds. */
  readonly leastPauseMs?: number;
}

/**
 * Counts all records, page by page and now and then: at most `leastPauseMs` old (5 s), or twenty times what a count takes.
 * @throws DagainError `store_unavailable`
 */
export function createCensus({ store, clock, leastPauseMs = LEAST_PAUSE_MS }: CensusDeps): () => Promise<Census> {
  let known: { readonly census: Census; readonly freshUntilMs: number } | null = null;
  let counting: Promise<Census> | null = null;

  async function count(): Promise<Census> {
    const startedAtMs = clock.nowMs();
    const tally = createTally();
    let next: RunKey | null = null;
    do {
      const page = await store.list(next, PAGE);
      for (const { value } of page.records) tally.add(value);
      next = page.next;
    } while (next !== null);
    const nowMs = clock.nowMs();
    const pauseMs = Math.max(leastPauseMs, PAUSE_FACTOR * (nowMs - startedAtMs));
    known = { census: tally.census(), freshUntilMs: nowMs + pauseMs };
    return known.census;
  }

  return async () => {
    if (known !== null && clock.nowMs() < known.freshUntilMs) return known.census;
    counting ??= count().finally(() => {
      counting = null;
    });
    return counting;
  };
}

const noneInAnyPhase = () => Object.fromEntries(PHASES.map((phase) => [phase, 0])) as Record<Phase, number>;

function createTally() {
  const all = { phases: noneInAnyPhase(), held: 0 };
  const dags = new Map<string, { phases: Record<Phase, number>; held: number }>();
  const pendingAlerts: Record<string, number> = {};
  let oldestAlertAtMs: number | null = null;

  function ofDag(dagId: string) {
    const known = dags.get(dagId) ?? { phases: noneInAnyPhase(), held: 0 };
    dags.set(dagId, known);
    return known;
  }

  return {
    add(record: RunRecord): void {
      for (const counts of [all, ofDag(record.dagId)]) {
        counts.phases[record.phase] += 1;
        if (record.held !== null) counts.held += 1;
      }
      for (const { channel, createdAtMs } of record.outbox) {
        pendingAlerts[channel] = (pendingAlerts[channel] ?? 0) + 1;
        oldestAlertAtMs = Math.min(oldestAlertAtMs ?? createdAtMs, createdAtMs);
      }
    },
    census: (): Census => ({ ...all, dags, pendingAlerts, oldestAlertAtMs }),
  };
}
