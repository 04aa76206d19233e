import { pauseOf } from '../../../src/core/pause.ts';
import { formatRunKey, type RunKey } from '../../../src/core/run-key.ts';
import type { HistoryEntry } from '../../support/airflow/model/run-state.ts';
import type { Sight, SimEventOf } from '../events.ts';
import type { Watcher } from '../journal.ts';
import type { CheckContext } from './context.ts';
import { mayInterrupt } from './expected-policy.ts';

/** What a process last saw of a run, and when Airflow showed it. */
interface Seen {
  readonly sight: Sight;
  readonly atMs: number;
}

interface Look extends Seen {
  readonly name: string;
}

interface Sent {
  readonly request: number;
  readonly seen: Seen | null;
}

/** Slowest adapter, swap and suspended process: a clear that rests on an older look is not "just seen failed". */
const MAX_LOOK_AGE_MS = 60_000;
/** A process may be suspended between its last look at the pauses and the request, and clocks differ. */
const MAX_PAUSE_LAG_MS = 30_000;
/** How long before the run the audit log may have been read. */
const MAX_TRAIL_AGE_MS = 30_000;
/** After this a request that was under way when the store lost its data has had its effect. */
const FORGOTTEN_MS = 60_000;

/**
 * Invariants 2, 3, 4 and 9, at the moments at which a clear is sent and takes effect: the run was just seen failed, no
 * other clear of ours is under way, and nobody's work is thrown away but by the race with a person that no reader of
 * Airflow can win.
 */
export function checkClears(context: CheckContext): Watcher {
  const { journal, nowMs, stored, scenario } = context;
  const looks = new Map<number, Look>();
  const seen = new Map<string, Seen>();
  const sent = new Map<string, Sent[]>();
  const lastEffectMs = new Map<string, number>();
  const personAtMs = new Map<string, number>();
  const stoppedAtMs = new Map<string, number>();
  const grantedAtMs = new Map<string, number>();
  let untoldUntilMs = -1;
  const hurried = new Set<string>();
  /** Until when a clear may be under way of which the store knows nothing any more. */
  let lostUntilMs = 0;
  let setBackUntilMs = 0;

  function onSent({ key, by, request }: SimEventOf<'clear_sent'>): void {
    const name = formatRunKey(key);
    const last = seen.get(`${by} ${name}`) ?? null;
    const underWay = sent.get(name) ?? [];
    const record = stored(key);
    if (record?.phase !== 'clearing' && nowMs() > lostUntilMs) {
      journal.violate('a retry is spent before it is sent', `${name} is ${record?.phase ?? 'not there'}`);
    }
    if (underWay.length > 0 && nowMs() > setBackUntilMs)
      journal.violate('one clear at a time', `${name}: #${request} while #${underWay[0]?.request}`);
    sent.set(name, [...underWay, { request, seen: last }]);
    const pause = pauseOf(key.dagId, context.pauses());
    if (pause !== null && nowMs() - pause.atMs > MAX_PAUSE_LAG_MS) {
      journal.violate('nothing is sent while it is paused', `${name}: #${request} by ${by}`);
    }
    if (mayInterrupt(scenario, key.dagId)) return;
    if (last?.sight.state !== 'failed') {
      journal.violate('only what was just seen failed', `${name}: ${by} last saw ${last?.sight.state ?? 'nothing'}`);
    } else if (last.atMs < (lastEffectMs.get(name) ?? 0)) {
      journal.violate('a clear is repeated only after a look', `${name}: #${request} by ${by}`);
    } else if (nowMs() > untoldUntilMs && last.atMs - (stoppedAtMs.get(name) ?? Infinity) > MAX_TRAIL_AGE_MS) {
      journal.violate('what a person has stopped is left alone', `${name}: #${request} by ${by}`);
    } else if (nowMs() - last.atMs > MAX_LOOK_AGE_MS) {
      journal.violate('only what was just seen failed', `${name}: ${by} saw it ${nowMs() - last.atMs} ms ago`);
    }
  }

  function onOver(event: SimEventOf<'clear_over'>): void {
    const name = formatRunKey(event.key);
    const all = sent.get(name) ?? [];
    const mine = all.find(({ request }) => request === event.request);
    sent.set(
      name,
      all.filter((one) => one !== mine),
    );
    const { clear } = event;
    if (clear === null || clear.matched === 0) return;
    lastEffectMs.set(name, nowMs());
    stoppedAtMs.delete(name);
    journal.count(clear.stateBefore === 'failed' ? 'clears of ours' : `clears of ours while ${clear.stateBefore}`);
    if (mayInterrupt(scenario, event.key.dagId)) return;
    // Nobody can know of a request that is forgotten and not yet in the log; an emptied store is waited for.
    const isForgotten = nowMs() <= setBackUntilMs;
    const isRace = isForgotten || (mine?.seen != null && (personAtMs.get(name) ?? -1) >= mine.seen.atMs);
    if (isRace) journal.count('clears that raced with a person');
    if ((clear.stateBefore !== 'failed' || clear.restartedRunning) && !isRace) {
      journal.violate('one clear for each failed attempt', `${name}: #${event.request} while ${clear.stateBefore}`);
    }
    const isHurried = hurried.delete(name);
    if (!isRace && !isHurried) checkDelay(event);
  }

  function onGranted(name: string): void {
    grantedAtMs.set(name, nowMs());
    stoppedAtMs.delete(name);
  }

  /** The grant has its time from our clock, the stop from Airflow's: nobody can tell which came first. */
  function onStopped(name: string): void {
    if (nowMs() - (grantedAtMs.get(name) ?? -Infinity) > scenario.maxSkewMs) stoppedAtMs.set(name, nowMs());
    else journal.count('stops that raced with a grant');
  }

  /** By the truth: the attempt's real end, and the shortest delay that any policy of this Dag has asked for. */
  function checkDelay({ key }: SimEventOf<'clear_over'>): void {
    const earliestMs = firstEndOfFailedAttempt(context, key) + context.shortestDelayMs() - 2 * scenario.maxSkewMs;
    if (nowMs() < earliestMs) {
      journal.violate('no clear before its due time', `${formatRunKey(key)}: ${earliestMs - nowMs()} ms early`);
    }
  }

  return (event) => {
    switch (event.type) {
      case 'shown':
        looks.set(event.request, { name: `${event.by} ${formatRunKey(event.key)}`, sight: event.sight, atMs: nowMs() });
        return;
      case 'seen': {
        const look = looks.get(event.request);
        if (look !== undefined) seen.set(look.name, look);
        return;
      }
      case 'operating':
        if (event.action === 'retry_now') hurried.add(formatRunKey(event.key));
        if (event.action === 'grant') onGranted(formatRunKey(event.key));
        return;
      case 'person':
        personAtMs.set(formatRunKey(event.key), nowMs());
        if (event.act !== 'mark failed') stoppedAtMs.delete(formatRunKey(event.key));
        else if (event.stateBefore !== 'queued') onStopped(formatRunKey(event.key));
        return;
      case 'rights':
        // Where the log may not be read, retries go on without what it tells.
        untoldUntilMs = event.areThere ? nowMs() + MAX_TRAIL_AGE_MS : Infinity;
        return;
      case 'store_lost':
        lostUntilMs = nowMs() + FORGOTTEN_MS;
        if (event.how === 'set back') setBackUntilMs = lostUntilMs;
        return;
      case 'clear_sent':
        return onSent(event);
      case 'clear_over':
        return onOver(event);
      default:
    }
  };
}

/** When the attempt that is being cleared first showed as failed; a person or a late process may have moved it since. */
function firstEndOfFailedAttempt({ model }: CheckContext, key: RunKey): number {
  const history = model.history(key);
  const isClear = ({ type, detail }: HistoryEntry) => type === 'cleared' && !detail.endsWith(' 0 task instances');
  // The last one is the clear that is being looked at.
  const clears = history.flatMap((entry, index) => (isClear(entry) ? [index] : []));
  const from = clears.at(-2) ?? 0;
  return history.slice(from).find(({ type }) => type === 'run_failed')?.atMs ?? 0;
}
