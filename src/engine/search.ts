import type { Orchestrator, Unavailable } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import { createFoundRuns, type FoundRunsDeps } from './found-run.ts';
import type { Memory } from './memory.ts';
import { createKnownAttempts, createSearchPass, type SearchPass } from './search-pass.ts';

export interface SearchSettings {
  /** Between two searches, by whichever replica, in milliseconds. */
  readonly intervalMs: number;
  /** What failed longer ago than this is left alone, in milliseconds. */
  readonly lookBackMs: number;
}

export interface SearchDeps extends Omit<FoundRunsDeps, 'store' | 'orchestrator' | 'clock'> {
  readonly store: Pick<RunStore, 'load' | 'readMark' | 'advanceMark'>;
  readonly orchestrator: Pick<Orchestrator, 'failedRuns' | 'auditTrail' | 'stoppedTasks' | 'ownClears'>;
  readonly memory: Pick<Memory, 'beginsMs'>;
  readonly clock: Clock;
  /** In [0, 1): keeps replicas apart. */
  readonly random: () => number;
  readonly settings: SearchSettings;
}

/**
 * Finds failed runs of which no callback has told (watch mode). Two marks in the store are shared by all replicas: when
 * the next search is due, and up to where everything is dealt with.
 */
export interface Search {
  start(): void;
  stop(): Promise<void>;
}

export function createSearch(deps: SearchDeps): Search {
  const { store, orchestrator, clock, log, telemetry, settings } = deps;
  const foundRuns = createFoundRuns(deps);
  let known = createKnownAttempts();
  let pass: SearchPass | null = null;
  let hasBegun = false;
  let isRunning = false;
  let trouble: string | null = null;
  let cancelNext = () => {};
  let searching: Promise<void> = Promise.resolve();

  /** Where to read from; null: nobody can tell yet. Without a mark the search is new, or the store has lost it. */
  async function whereToBegin(): Promise<number | null> {
    const nowMs = clock.nowMs();
    const mark = await store.readMark('watched');
    if (mark !== null) {
      hasBegun = true;
      const earliestMs = nowMs - settings.lookBackMs;
      if (mark < earliestMs) {
        const left = { from: new Date(mark).toISOString(), to: new Date(earliestMs).toISOString() };
        log.error(left, 'nobody has searched for failed runs for too long: what failed meanwhile is left alone');
      }
      return Math.max(mark, earliestMs);
    }
    const isLost = hasBegun || (await hasForgotten(nowMs));
    if (isLost === null) return null;
    // What is known belongs to records that are gone.
    known = createKnownAttempts();
    const fromMs = await store.advanceMark('watched', isLost ? nowMs - settings.lookBackMs : nowMs);
    hasBegun = true;
    log[isLost ? 'warn' : 'info'](
      { from: new Date(fromMs).toISOString() },
      'failed runs are searched for from here on',
    );
    return fromMs;
  }

  /** Whether we have cleared runs of which this store does not know; null if nobody can tell yet. */
  async function hasForgotten(nowMs: number): Promise<boolean | null> {
    const beginsMs = await deps.memory.beginsMs();
    const ours = await orchestrator.ownClears(nowMs - settings.lookBackMs);
    if (ours.type === 'found') return ours.clears.some(({ atMs }) => atMs < beginsMs);
    if (ours.reason === 'forbidden') return false;
    tellOutage(ours);
    return null;
  }

  function tellOutage({ reason, detail }: Unavailable): void {
    telemetry.searched('unavailable');
    log[trouble === reason ? 'debug' : 'warn']({ reason, detail }, 'failed runs cannot be searched for now');
    trouble = reason;
  }

  async function search(): Promise<void> {
    if (pass === null || (await store.readMark('watched')) === null) {
      const fromMs = await whereToBegin();
      if (fromMs === null) return;
      pass = createSearchPass({ ...deps, foundRuns, known, isStopped: () => !isRunning }, fromMs);
    }
    const read = await pass.readOn();
    await store.advanceMark('watched', pass.doneUpToMs());
    if (typeof read === 'object') {
      tellOutage(read);
      return;
    }
    telemetry.searched('read');
    trouble = null;
    if (read) pass = null;
  }

  /** Searches when it is due, and tells how long to wait then. */
  async function takeTurn(): Promise<number> {
    const { intervalMs } = settings;
    const nowMs = clock.nowMs();
    const waitMs = ((await store.readMark('watch_due')) ?? 0) - nowMs;
    // A mark far ahead is of a clock that is wrong, or of a longer interval that is over.
    if (waitMs > 0 && waitMs <= 2 * intervalMs) return waitMs + Math.floor((deps.random() * intervalMs) / 10);
    await store.advanceMark('watch_due', nowMs + intervalMs);
    await search();
    return intervalMs;
  }

  function searchAfter(delayMs: number): void {
    cancelNext = clock.schedule(delayMs, () => {
      searching = takeTurn()
        .catch((error: unknown) => {
          log.warn({ err: error }, 'the search for failed runs ended in an error; it goes on later');
          return settings.intervalMs;
        })
        .then((waitMs) => {
          if (isRunning) searchAfter(waitMs);
        });
    });
  }

  return {
    start() {
      isRunning = true;
      searchAfter(Math.floor(deps.random() * 1_000));
    },
    async stop() {
      isRunning = false;
      cancelNext();
      await searching;
    },
  };
}
