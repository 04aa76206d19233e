import { formatRunKey } from '../core/run-key.ts';
import type { FailedRun, FailedRunsCursor, Orchestrator, Unavailable } from '../orchestrator/port.ts';
import type { Clock } from './clock.ts';
import type { FoundRuns } from './found-run.ts';
import type { Log } from './log.ts';

/** How long after a run's end its own callback may still be on its way: it tells why the run has failed. */
export const CALLBACK_LAG_MS = 10_000;
/** A run that ended before this may still come to light: transactions last, and clocks differ. It is read again. */
export const SETTLING_MS = 10 * 60_000;
/** Pages that one portion reads at most. */
export const MAX_PAGES = 10;
/** Runs of which one portion reads the audit log at most. */
export const MAX_LOOKS = 100;
/** So many in a row of which nobody could tell mean that the orchestrator is out. */
const MAX_IN_VAIN = 5;
const MAX_KNOWN = 20_000;

/** The attempts that this process is done with, so that reading them again costs nothing. */
export interface KnownAttempts {
  has(found: FailedRun): boolean;
  add(found: FailedRun): void;
}

export function createKnownAttempts(): KnownAttempts {
  const known = new Set<string>();
  const nameOf = ({ key, run: { fingerprint } }: FailedRun) =>
    `${formatRunKey(key)} ${fingerprint.startedAtMs ?? fingerprint.endedAtMs}`;
  return {
    has: (found) => known.has(nameOf(found)),
    add(found) {
      const [oldest] = known;
      if (known.size >= MAX_KNOWN && oldest !== undefined) known.delete(oldest);
      known.add(nameOf(found));
    },
  };
}

/** One pass over the failed runs from some time on, in portions that bound the requests. */
export interface SearchPass {
  /** Reads a portion; false: the pass is not over yet. */
  readOn(): Promise<boolean | Unavailable>;
  /** What ended before this time (epoch milliseconds) is dealt with. */
  doneUpToMs(): number;
}

export interface SearchPassDeps {
  readonly orchestrator: Pick<Orchestrator, 'failedRuns'>;
  readonly foundRuns: FoundRuns;
  readonly known: KnownAttempts;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
  /** No more requests are wanted. */
  readonly isStopped: () => boolean;
}

export function createSearchPass(deps: SearchPassDeps, fromMs: number): SearchPass {
  const { orchestrator, foundRuns, known, clock, log } = deps;
  const beganAtMs = clock.nowMs();
  let cursor: FailedRunsCursor = { endedAtMs: fromMs, skip: 0 };
  /** The end of the first run that has to be found again. */
  let againFromMs = Number.POSITIVE_INFINITY;
  let looks = 0;
  let inVain = 0;

  function isExpected({ run }: FailedRun): boolean {
    const ageMs = clock.nowMs() - (run.fingerprint.endedAtMs ?? 0);
    // An end that lies ahead tells of clocks that differ, and nothing of its age.
    return ageMs >= 0 && ageMs < CALLBACK_LAG_MS;
  }

  async function take(found: FailedRun): Promise<void> {
    if (known.has(found)) return;
    const taken = isExpected(found) ? 'expected' : await foundRuns.take(found);
    if (taken === 'passed' || taken === 'looked') known.add(found);
    else againFromMs = Math.min(againFromMs, endOf(found));
    if (taken === 'looked' || taken === 'later') looks += 1;
    if (taken !== 'expected') inVain = taken === 'later' ? inVain + 1 : 0;
  }

  /** False: the portion's requests are used up, and the next one begins at the first run that was left. */
  async function takeAll(runs: readonly FailedRun[]): Promise<boolean> {
    for (const found of runs) {
      if (looks >= MAX_LOOKS || inVain >= MAX_IN_VAIN || deps.isStopped()) {
        cursor = { endedAtMs: endOf(found), skip: 0 };
        return false;
      }
      await take(found);
    }
    return true;
  }

  return {
    async readOn() {
      looks = 0;
      inVain = 0;
      for (let pages = 0; pages < MAX_PAGES; pages += 1) {
        const page = await orchestrator.failedRuns(cursor);
        if (page.type === 'unavailable') return page;
        if (page.unreadable > 0) log.warn({ runs: page.unreadable }, 'failed runs were found that are not understood');
        if (!(await takeAll(page.runs))) return false;
        if (page.next === null) {
          cursor = { endedAtMs: Number.POSITIVE_INFINITY, skip: 0 };
          return true;
        }
        cursor = page.next;
      }
      return false;
    },
    doneUpToMs: () => Math.min(againFromMs, cursor.endedAtMs, beganAtMs - SETTLING_MS),
  };
}

function endOf({ run }: FailedRun): number {
  return run.fingerprint.endedAtMs ?? 0;
}
