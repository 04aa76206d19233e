import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import { isoOf } from './log-fields.ts';
import { CLOCK_SLACK_MS, createLostRuns, type LostRunsDeps } from './lost-runs.ts';
import type { Telemetry } from './telemetry.ts';

/** How often it is noted that the store knows everything that was done. */
const NOTE_INTERVAL_MS = 60_000;
/** What a mark says may be off by this much: by clocks, and by the time between two notes. */
const SLACK_MS = 5 * 60_000;
/** A store without any mark may have lost as much as this. */
const LOOK_BACK_MS = 24 * 3_600_000;

export interface MemoryDeps extends Omit<LostRunsDeps, 'store' | 'clock'> {
  readonly store: LostRunsDeps['store'] & Pick<RunStore, 'readMark' | 'advanceMark' | 'advanceMarkFrom'>;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/**
 * Knows whether the store has lost what was in it. Two marks lie beside the records and are lost with them: since when
 * nothing has been lost, and up to when everything that we did is accounted for. A mark that is missing, or lies before
 * where this process has seen it, tells of an emptied store or of an older snapshot. The runs that we restarted since
 * then are found again in the orchestrator's audit log.
 */
export interface Memory {
  /** Since when the store has lost nothing, as far as is known; looks, so that a loss is noticed before anything is cleared. */
  beginsMs(): Promise<number>;
  /** When a running process last found data lost, this one or another; null: never. */
  lostAtMs(): Promise<number | null>;
  start(): void;
  stop(): Promise<void>;
}

export function createMemory(deps: MemoryDeps): Memory {
  const { store, clock, log, telemetry } = deps;
  const lostRuns = createLostRuns(deps);
  /** Where this process has seen the mark: it never lies before that unless the store has gone back. */
  let seenMs: number | null = null;
  /** From when on what we did has to be looked for; null: all of it is there. Before the first look nobody knows. */
  let searchFromMs: number | null = null;
  /** The latest loss after which this process searches, or has searched: the mark `memory_begins` as it was set by it. */
  let lossMs: number | null = null;
  let hasLooked = false;
  let isRunning = false;
  let cancelNext = () => {};
  let noting: Promise<void> = Promise.resolve();
  let looking: Promise<number> | null = null;

  async function look(): Promise<number> {
    // As seen before this reads: meanwhile this very process may move the mark on.
    const knownMs = seenMs;
    const begins = await store.readMark('memory_begins');
    const accounted = await store.readMark('accounted_for');
    const isEmptied = begins === null || accounted === null;
    const isSetBack = !isEmptied && knownMs !== null && accounted < knownMs;
    if (!hasLooked && !isEmptied) search(accounted - SLACK_MS);
    if (isEmptied) search(clock.nowMs() - LOOK_BACK_MS);
    if (isSetBack) search(accounted - SLACK_MS);
    // Whoever noticed the loss has not finished its search, and may be gone.
    if (!isEmptied && accounted < begins && begins !== lossMs) {
      search(Math.min(accounted - SLACK_MS, begins - LOOK_BACK_MS));
      lossMs = begins;
    }
    hasLooked = true;
    if (!isEmptied && !isSetBack) {
      seenMs = Math.max(seenMs ?? accounted, accounted);
      return begins;
    }
    tellLoss(isEmptied, knownMs === null, accounted);
    if (knownMs !== null) await store.advanceMark('store_lost', clock.nowMs());
    const beginsNowMs = await store.advanceMark('memory_begins', clock.nowMs());
    lossMs = beginsNowMs;
    // Until the search is over the other mark stays where it was, so that a crash does not cut the search short.
    seenMs = accounted ?? (await store.advanceMark('accounted_for', clock.nowMs() - LOOK_BACK_MS));
    return beginsNowMs;
  }

  function search(fromMs: number): void {
    searchFromMs = Math.min(searchFromMs ?? fromMs, fromMs);
  }

  function tellLoss(isEmptied: boolean, isFirstLook: boolean, accounted: number | null): void {
    if (isFirstLook) {
      log.info({}, 'the store is new: runs that we have restarted within a day are looked for in the audit log');
      return;
    }
    telemetry.storeLost(isEmptied ? 'emptied' : 'set_back');
    log.error(
      { up_to: isoOf(accounted) },
      'the store has lost data: every count is held against the audit log before the next retry',
    );
  }

  async function note(): Promise<void> {
    // As of before the look: a store that is emptied while this runs must not seem accounted for afterwards.
    const asOfMs = clock.nowMs() - CLOCK_SLACK_MS;
    await begins();
    if (searchFromMs !== null) {
      const fromMs = searchFromMs;
      if (!(await lostRuns.search(fromMs))) return;
      // A loss that was noticed meanwhile reaches further back.
      if (searchFromMs === fromMs) searchFromMs = null;
    }
    if (searchFromMs !== null || seenMs === null) return;
    // Whoever moved on a mark that has just been set back would hide the loss from everybody.
    if (await store.advanceMarkFrom('accounted_for', seenMs, asOfMs)) seenMs = Math.max(seenMs, asOfMs);
    else await begins();
  }

  function begins(): Promise<number> {
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  }

  function noteNext(delayMs: number): void {
    cancelNext = clock.schedule(delayMs, () => {
      if (!isRunning) return;
      noting = note()
        .catch((error: unknown) => log.warn({ err: error }, 'the marks in the store could not be moved on'))
        .finally(() => {
          if (isRunning) noteNext(NOTE_INTERVAL_MS);
        });
    });
  }

  return {
    beginsMs: begins,
    lostAtMs: () => store.readMark('store_lost'),
    start() {
      isRunning = true;
      noteNext(0);
    },
    async stop() {
      isRunning = false;
      cancelNext();
      await noting;
    },
  };
}
