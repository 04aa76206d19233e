import type { RunStore } from '../store/port.ts';
import type { Census } from './census.ts';
import type { Clock } from './clock.ts';
import type { Pauses } from './pauses.ts';
import { createWindowTally, type WindowTally } from './stats/window-tally.ts';
import { createTurns } from './turns.ts';

/** How things stand, and what happened lately. */
export interface Stats {
  readonly nowMs: number;
  readonly windowMs: number;
  readonly current: {
    readonly census: Census;
    readonly due: number;
    readonly pauses: number;
    readonly pendingAlerts: number;
  };
  readonly window: WindowTally;
}

export interface StatsReader {
  /** `windowMs` from one hour to 30 days; what happened may be seconds old. @throws DagainError `store_unavailable` */
  read(windowMs: number): Promise<Stats>;
}

export interface StatsDeps {
  readonly store: Pick<RunStore, 'count' | 'readJournal' | 'journalBegins'>;
  readonly census: () => Promise<Census>;
  readonly pauses: Pick<Pauses, 'known'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

const PAGE = 1_000;
const LEAST_PAUSE_MS = 2_000;
/** How many times as long as reading takes nothing is read. */
const PAUSE_FACTOR = 20;
const MAX_REMEMBERED = 8;
/** The journal is in the order of the store, its times are of the replicas' clocks. */
const CLOCK_SLACK_MS = 60_000;

interface Remembered {
  readonly tally: WindowTally;
  readonly freshUntilMs: number;
}

export function createStats({ store, census, pauses, clock }: StatsDeps): StatsReader {
  const remembered = new Map<number, Remembered>();
  /** Readings that have not ended, by window: one at a time, since each may go through the whole journal. */
  const asked = new Map<number, Promise<WindowTally>>();
  const turns = createTurns();

  async function readWindow(windowMs: number): Promise<WindowTally> {
    const nowMs = clock.nowMs();
    const fromMs = nowMs - windowMs;
    const tally = createWindowTally(fromMs, nowMs);
    let before: string | null = null;
    do {
      const page = await store.readJournal({ before, limit: PAGE });
      for (const { entry } of page.entries) tally.add(entry);
      const isBeyond = page.entries.some(({ entry }) => entry.atMs < fromMs - CLOCK_SLACK_MS);
      before = isBeyond ? null : page.next;
    } while (before !== null);
    // Afterwards, so that what was dropped while it was read counts too.
    const beginsMs = await store.journalBegins();
    return tally.result(beginsMs === null || beginsMs < fromMs - CLOCK_SLACK_MS);
  }

  async function readAnew(windowMs: number): Promise<WindowTally> {
    const startedAtMs = clock.nowMs();
    const tally = await readWindow(windowMs);
    const nowMs = clock.nowMs();
    const freshUntilMs = nowMs + Math.max(LEAST_PAUSE_MS, PAUSE_FACTOR * (nowMs - startedAtMs));
    remembered.delete(windowMs);
    remembered.set(windowMs, { tally, freshUntilMs });
    const [oldest] = remembered.keys();
    if (remembered.size > MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
    return tally;
  }

  /** Several pages that show the same window cost one reading. */
  async function windowOf(windowMs: number): Promise<WindowTally> {
    const last = remembered.get(windowMs);
    if (last !== undefined && clock.nowMs() < last.freshUntilMs) return last.tally;
    const underWay = asked.get(windowMs);
    if (underWay !== undefined) return await underWay;
    const reading = turns.take(() => readAnew(windowMs));
    asked.set(windowMs, reading);
    try {
      return await reading;
    } finally {
      asked.delete(windowMs);
    }
  }

  return {
    async read(windowMs) {
      const nowMs = clock.nowMs();
      const [counted, { due }, paused, window] = await Promise.all([
        census(),
        store.count(nowMs),
        pauses.known(),
        windowOf(windowMs),
      ]);
      const pendingAlerts = Object.values(counted.pendingAlerts).reduce((sum, alerts) => sum + alerts, 0);
      return { nowMs, windowMs, current: { census: counted, due, pauses: paused.length, pendingAlerts }, window };
    },
  };
}
