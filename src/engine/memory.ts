import { DagainError } from '../core/errors.ts';
import { formatRunKey, type RunKey } from '../core/run-key.ts';
import type { Orchestrator, OwnClear } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { changeFields, isoOf } from './log-fields.ts';
import type { SwapLoop } from './swap-loop.ts';
import type { Telemetry } from './telemetry.ts';

/** How often it is noted that the store knows everything that was done. */
const NOTE_INTERVAL_MS = 60_000;
/** What a mark says may be off by this much: by clocks, and by the time between two notes. */
const SLACK_MS = 5 * 60_000;
/** How far the clocks of replicas may differ. */
const CLOCK_SLACK_MS = 20_000;
/** A store without any mark may have lost as much as this. */
const LOOK_BACK_MS = 24 * 3_600_000;
/** Where the audit log could not be searched for long, what is older than this has had its time. */
const MAX_LOOK_BACK_MS = 2 * LOOK_BACK_MS;

export interface MemoryDeps {
  readonly store: Pick<RunStore, 'load' | 'readMark' | 'advanceMark' | 'advanceMarkFrom'>;
  readonly orchestrator: Pick<Orchestrator, 'ownClears' | 'observe' | 'auditTrail'>;
  readonly swapLoop: Pick<SwapLoop, 'replaceLost'>;
  readonly clock: Clock;
  readonly log: Log;
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
  /** Where this process has seen the mark: it never lies before that unless the store has gone back. */
  let seenMs: number | null = null;
  /** From when on what we did has to be looked for; null: all of it is there. Before the first look nobody knows. */
  let searchFromMs: number | null = null;
  /** The latest loss after which this process searches, or has searched: the mark `memory_begins` as it was set by it. */
  let lossMs: number | null = null;
  let toldTrouble: string | null = null;
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

  /** Finds the runs that the store should know, and does not. False: the orchestrator cannot be asked now. */
  async function searchLog(fromMs: number): Promise<boolean> {
    const found = await deps.orchestrator.ownClears(Math.max(fromMs, clock.nowMs() - MAX_LOOK_BACK_MS));
    const trouble = found.type === 'unavailable' ? found.reason : null;
    if (found.type === 'unavailable') {
      const { reason, detail } = found;
      // A permission may be given later; until then it is said once.
      if (trouble !== toldTrouble)
        log.warn({ reason, detail }, 'the audit log could not be searched for restarted runs');
      toldTrouble = trouble;
      return false;
    }
    toldTrouble = null;
    if (!found.isComplete) log.error({}, 'the audit log holds more clears of ours than can be read: the latest count');
    for (const clears of Map.groupBy(found.clears, ({ key }) => formatRunKey(key)).values()) {
      const [first] = clears;
      if (first !== undefined && !(await watchAnew(first.key, clears))) return false;
    }
    return true;
  }

  /** Most of what was cleared lately has ended well, and nothing of it is missing. */
  async function watchAnew(key: RunKey, clears: readonly OwnClear[]): Promise<boolean> {
    const version = await versionToReplace(key, Math.max(...clears.map(({ atMs }) => atMs)));
    if (version === null) return true;
    const seen = await deps.orchestrator.observe(key);
    if (seen.type === 'unavailable') return false;
    if (seen.type === 'missing' || seen.state === 'success') return true;
    const trail = await deps.orchestrator.auditTrail(key);
    if (trail.type === 'unavailable') return false;
    // A count that ended well leaves no record, and what a person has started since begins another one.
    if (trail.entries.findLast(({ action }) => action === 'cleared')?.isOurs === false) return true;
    const detail = 'the audit log shows clears of ours';
    const lost = { type: 'state_lost', problem: 'missing', detail, clears: clears.length } as const;
    const applied = await deps.swapLoop.replaceLost(key, version, lost);
    if (applied !== null && applied.next !== null)
      log.warn(changeFields(key, applied, { clears: clears.length }), 'restarted by us, not in the store');
    return true;
  }

  /**
   * The version of what the store holds in place of the record that it should hold, 0 for nothing; null where the record
   * is there. A tombstone from before our last clear is what an older snapshot has brought back.
   */
  async function versionToReplace(key: RunKey, lastClearMs: number): Promise<number | null> {
    try {
      const current = await store.load(key);
      if (current === null) return 0;
      const { value, version } = current;
      const isGivenUp = value.phase === 'giving_up' || value.phase === 'gave_up';
      return isGivenUp && lastClearMs > value.gaveUpAtMs + CLOCK_SLACK_MS ? version : null;
    } catch (error) {
      // It is dealt with when it falls due, and must not stop the search.
      if (error instanceof DagainError && error.code === 'store_corrupt') return null;
      throw error;
    }
  }

  async function note(): Promise<void> {
    // As of before the look: a store that is emptied while this runs must not seem accounted for afterwards.
    const asOfMs = clock.nowMs() - CLOCK_SLACK_MS;
    await begins();
    if (searchFromMs !== null) {
      const fromMs = searchFromMs;
      if (!(await searchLog(fromMs))) return;
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
