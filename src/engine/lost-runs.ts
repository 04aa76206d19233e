import { DagainError } from '../core/errors.ts';
import { formatRunKey, type RunKey } from '../core/run-key.ts';
import type { AuditEntry, Orchestrator, OwnClear } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import { isClear, whoStopped } from './evidence.ts';
import type { Log } from './log.ts';
import { changeFields } from './log-fields.ts';
import type { SwapLoop } from './swap-loop.ts';

/** How far the clocks of replicas may differ. */
export const CLOCK_SLACK_MS = 20_000;
/** Where the audit log could not be searched for long, what is older than this has had its time. */
const MAX_LOOK_BACK_MS = 48 * 3_600_000;

/** After so many runs that could not be read, the search goes on later. */
const MAX_IN_VAIN = 3;

export interface LostRunsDeps {
  readonly store: Pick<RunStore, 'load'>;
  readonly orchestrator: Pick<Orchestrator, 'ownClears' | 'observe' | 'auditTrail'>;
  readonly swapLoop: Pick<SwapLoop, 'replaceLost'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
}

/** Finds the runs that we have restarted, and of which the store does not know any more. */
export interface LostRuns {
  /**
   * Looks for what we have cleared since `fromMs` (epoch milliseconds). False: it could not be looked for, or not all of
   * it. @throws DagainError `store_unavailable`
   */
  search(fromMs: number): Promise<boolean>;
}

export function createLostRuns({ store, orchestrator, swapLoop, clock, log }: LostRunsDeps): LostRuns {
  let toldTrouble: string | null = null;

  async function search(fromMs: number): Promise<boolean> {
    const found = await orchestrator.ownClears(Math.max(fromMs, clock.nowMs() - MAX_LOOK_BACK_MS));
    if (found.type === 'unavailable') {
      const { reason, detail } = found;
      // A permission may be given later; until then it is said once.
      if (reason !== toldTrouble)
        log.warn({ reason, detail }, 'the audit log could not be searched for restarted runs');
      toldTrouble = reason;
      return false;
    }
    toldTrouble = null;
    if (!found.isComplete) log.error({}, 'the audit log holds more clears of ours than can be read: the latest count');
    let inVain = 0;
    for (const clears of Map.groupBy(found.clears, ({ key }) => formatRunKey(key)).values()) {
      const [first] = clears;
      if (first !== undefined && !(await watchAnew(first.key, clears))) inVain += 1;
      // One that cannot be read must not keep the others waiting; an orchestrator that is out is asked again later.
      if (inVain >= MAX_IN_VAIN) return false;
    }
    return inVain === 0;
  }

  /** Most of what was cleared lately has ended well, and nothing of it is missing. */
  async function watchAnew(key: RunKey, clears: readonly OwnClear[]): Promise<boolean> {
    const lastClearMs = Math.max(...clears.map(({ atMs }) => atMs));
    const version = await versionToReplace(key, lastClearMs);
    if (version === null) return true;
    const seen = await orchestrator.observe(key);
    if (seen.type === 'unavailable') return false;
    if (seen.type === 'missing' || seen.state === 'success') return true;
    const trail = await orchestrator.auditTrail(key);
    if (trail.type === 'unavailable') return false;
    const { entries } = trail;
    // A count that ended well leaves no record; what a person has started or ended since needs neither retry nor alert.
    if (entries.findLast(isClear)?.isOurs === false || whoStopped(entries) !== null) return true;
    // The search may have reached only the latest of them.
    const count = Math.max(clears.length, startedInARow(entries));
    const detail = 'the audit log shows clears of ours';
    // A run that was cleared while it ran keeps its start.
    const hasBegunSince = (seen.fingerprint.startedAtMs ?? Infinity) > lastClearMs;
    const earlier = hasBegunSince ? { earlierUntilMs: lastClearMs } : {};
    const lost = { type: 'state_lost', problem: 'missing', detail, clears: count, ...earlier } as const;
    const applied = await swapLoop.replaceLost(key, version, lost);
    if (applied !== null && applied.next !== null)
      log.warn(changeFields(key, applied, { clears: count }), 'restarted by us, not in the store');
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

  return { search };
}

/** How many attempts we have started since a person last did. */
function startedInARow(entries: readonly AuditEntry[]): number {
  const clears = entries.filter(isClear);
  return clears.length - 1 - clears.findLastIndex(({ isOurs }) => !isOurs);
}
