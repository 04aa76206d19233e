import { PHASES, type Phase, type RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';

const PAGE = 500;
/** Reading all records is not for every scrape. */
const LEAST_PAUSE_MS = 5_000;
/** How many times as long as a census takes there is none: with many records it gets older rather than costlier. */
const PAUSE_FACTOR = 20;

/** How the records stand. */
export interface Census {
  readonly phases: Readonly<Record<Phase, number>>;
  readonly held: number;
  /** By channel. */
  readonly pendingAlerts: Readonly<Record<string, number>>;
  readonly oldestAlertAtMs: number | null;
}

export interface CensusDeps {
  readonly store: Pick<RunStore, 'list'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/**
 * Counts all records, page by page and now and then: at most 5 s old, or twenty times what a count takes.
 * @throws DagainError `store_unavailable`
 */
export function createCensus({ store, clock }: CensusDeps): () => Promise<Census> {
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
    const pauseMs = Math.max(LEAST_PAUSE_MS, PAUSE_FACTOR * (nowMs - startedAtMs));
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

function createTally() {
  const phases = Object.fromEntries(PHASES.map((phase) => [phase, 0])) as Record<Phase, number>;
  const pendingAlerts: Record<string, number> = {};
  let held = 0;
  let oldestAlertAtMs: number | null = null;
  return {
    add(record: RunRecord): void {
      phases[record.phase] += 1;
      if (record.held !== null) held += 1;
      for (const { channel, createdAtMs } of record.outbox) {
        pendingAlerts[channel] = (pendingAlerts[channel] ?? 0) + 1;
        oldestAlertAtMs = Math.min(oldestAlertAtMs ?? createdAtMs, createdAtMs);
      }
    },
    census: (): Census => ({ phases, held, pendingAlerts, oldestAlertAtMs }),
  };
}
