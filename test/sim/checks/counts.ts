import { formatRunKey } from '../../../src/core/run-key.ts';
import type { SimEventOf } from '../events.ts';
import type { Watcher } from '../journal.ts';
import { type CheckContext, hasEndedWell, isGivenUp } from './context.ts';
import { capsOf, exceededCap, layersFor } from './expected-policy.ts';

/** After this a request that was under way when the store lost its data has had its effect. */
const FORGOTTEN_MS = 60_000;

const FRESH = { clears: 0, gaveUp: null, restartedAtMs: null } as const;

/** A count of retries as it really is: what took effect in Airflow, and whether a person opened another count. */
interface Count {
  /** Clears of ours that took effect. */
  clears: number;
  gaveUp: string | null;
  /** When a person last restarted the run while we were still busy with it. */
  restartedAtMs: number | null;
  /** When a person last restarted the run at all, and clears of ours that took effect since. */
  lastRestartMs: number | null;
  clearsSincePerson: number;
  /** When the latest look at the run was shown on which a change of its record rests. */
  lookedAtMs: number;
}

/**
 * Invariants 1 and 6: clears of ours never exceed the cap that was in force when they were spent, and a run that was
 * given up is not cleared again, unless a person has restarted it, which opens a new count.
 */
export function checkCounts(context: CheckContext): Watcher {
  const { journal, nowMs, stored } = context;
  const counts = new Map<string, Count>();
  const shown = new Map<string, number>();
  const hidden = new Set<string>();
  const operations = new Set<string>();
  let lostUntilMs = 0;

  function countOf(name: string): Count {
    const known = counts.get(name) ?? { ...FRESH, lastRestartMs: null, clearsSincePerson: 0, lookedAtMs: 0 };
    counts.set(name, known);
    return known;
  }

  function open(count: Count): void {
    Object.assign(count, FRESH);
  }

  function onPerson({ key, act, stateBefore, restarted: hasRestarted }: SimEventOf<'person'>): void {
    // Airflow 2 shows of a run that has never started only its end: a clear of nothing, in the log, cannot be told from one.
    const restarted = hasRestarted || (act.startsWith('clear') && context.model.run(key)?.startedAtMs === null);
    // A success that somebody calls a failure may be retried as well.
    if (!restarted && (act !== 'mark failed' || stateBefore !== 'success')) return;
    const record = stored(key);
    const count = countOf(formatRunKey(key));
    // After a loss, a count that rests on a person's restart is confirmed by one.
    const isUnsure = record !== null && record.earlierCount !== null;
    const { restartedAtMs } = count;
    if (record === null || isGivenUp(record) || isUnsure || stateBefore === 'success') open(count);
    // Who calls a success a failure does not undo the restart before it.
    count.restartedAtMs = restartedAtMs;
    if (restarted) Object.assign(count, { restartedAtMs: nowMs(), lastRestartMs: nowMs(), clearsSincePerson: 0 });
  }

  function onSwap(event: SimEventOf<'swapped'>): void {
    const { key, by, before, after, isIntake } = event;
    const count = countOf(formatRunKey(key));
    if (!isIntake) count.lookedAtMs = Math.max(count.lookedAtMs, shown.get(`${by} ${formatRunKey(key)}`) ?? 0);
    if (isGivenUp(after) && !isGivenUp(before) && !hasEndedWell(after)) count.gaveUp = after.reason;
    onOperation(event, count);
    const isEnd = after === null || (isGivenUp(after) && !isGivenUp(before));
    // A restart that nobody had seen when the count was closed begins the next one.
    const closedMs = (isGivenUp(after) ? after.fingerprint?.startedAtMs : null) ?? count.lookedAtMs;
    const isUnseen = count.restartedAtMs !== null && count.restartedAtMs >= closedMs;
    // As long as nobody has seen it, it may begin the one after that as well.
    if (isEnd && isUnseen) Object.assign(count, { ...FRESH, restartedAtMs: count.restartedAtMs });
    else if (isEnd) count.restartedAtMs = null;
    const isAnew = before !== null && after !== null && after.retriesUsed < before.retriesUsed;
    // Where the store was set back, our own clears pass for a person's until the next retry is held against the log.
    // One swap may take in a reset or an end, and the failure that comes with it.
    const isReset = operations.has(`${by} ${formatRunKey(key)} reset`);
    // Airflow 2 shows nothing of a run that has never started but its end, which moves when a person marks it.
    const isUnmarked =
      after?.previous?.fingerprint.startedAtMs === null && after.previous.fingerprint.queuedAtMs === null;
    const isOpen = isReset || isUnmarked || hasEndedWell(before) || (lostUntilMs !== 0 && after?.earlierCount !== null);
    if (isAnew && count.clears > 0 && !isOpen) {
      journal.violate('a count begins anew only with a person', `${formatRunKey(key)} has ${count.clears} clears`);
    }
    if (after?.phase === 'clearing' && after.retriesUsed !== before?.retriesUsed) {
      if (count.clears >= after.retriesUsed) {
        const known = `${count.clears} clears, ${after.retriesUsed} counted`;
        journal.violate('what the store has lost is counted', `${formatRunKey(key)}: ${known}`);
      }
      checkSpending(context, event, !hidden.has(`${by} ${key.dagId}`));
    }
  }

  /** What an operator grants to a given-up run lets it live again; what he resets begins anew. */
  function onOperation({ key, by, before, after }: SimEventOf<'swapped'>, count: Count): void {
    const isGranted = before !== null && after !== null && after.granted > before.granted;
    if (isGranted && isGivenUp(before)) count.gaveUp = null;
    // The failure that comes with a reset may begin the next count in the same swap.
    const isFresh = after === null || after.retriesUsed === 0;
    if (isFresh && operations.has(`${by} ${formatRunKey(key)} reset`)) open(count);
  }

  function onClear({ key, clear }: SimEventOf<'clear_over'>): void {
    if (clear === null || clear.matched === 0) return;
    const name = formatRunKey(key);
    const count = countOf(name);
    count.clears += 1;
    // One that raced with the person is not told from what the person did, once the store has forgotten it.
    if (clear.stateBefore === 'failed') count.clearsSincePerson += 1;
    const record = stored(key);
    if (count.gaveUp !== null) {
      journal.violate('a given-up run never revives without a person', `${name} was given up: ${count.gaveUp}`);
    }
    // A request that the store has forgotten may have been under way.
    const isForgotten = nowMs() <= lostUntilMs;
    if (!isForgotten && (record === null || count.clears > record.retriesUsed)) {
      const spent = record === null ? 'no record' : `${record.retriesUsed} spent`;
      journal.violate('a retry is spent before it is sent', `${name}: ${count.clears} clears, ${spent}`);
    }
  }

  /** Give-ups are forgotten; the clears stay in Airflow's audit log. */
  function onLoss(): void {
    lostUntilMs = nowMs() + FORGOTTEN_MS;
    for (const count of counts.values()) {
      count.gaveUp = null;
      // What a person has restarted may come after a give-up again, and then begins the next count.
      if (count.lastRestartMs === null) continue;
      count.restartedAtMs = count.lastRestartMs;
      count.clears = Math.min(count.clears, count.clearsSincePerson);
    }
  }

  return (event) => {
    if (event.type === 'store_lost') onLoss();
    else if (event.type === 'shown') shown.set(`${event.by} ${formatRunKey(event.key)}`, nowMs());
    else if (event.type === 'tags_hidden') hidden.add(`${event.by} ${event.dagId}`);
    else if (event.type === 'operating') operations.add(`${event.by} ${formatRunKey(event.key)} ${event.action}`);
    else if (event.type === 'answered') operations.delete(`${event.by} ${formatRunKey(event.key)} ${event.action}`);
    else if (event.type === 'person') onPerson(event);
    else if (event.type === 'swapped') onSwap(event);
    else if (event.type === 'clear_over') onClear(event);
  };
}

/** Invariants 1 and 4, at the swap that spends a retry. */
function checkSpending(context: CheckContext, event: SimEventOf<'swapped'>, areTagsKnown: boolean): void {
  const { key, by, before, after, clockMs } = event;
  const { journal, scenario } = context;
  const name = formatRunKey(key);
  if (before?.phase !== 'waiting' || after === null || after.retriesUsed !== before.retriesUsed + 1) {
    journal.violate('one retry at a time', `${name}: ${before?.phase} ${before?.retriesUsed} -> ${after?.retriesUsed}`);
    return;
  }
  const verdicts = context.documentsOf(by).map((document) => {
    const exceeds = (withTags: boolean) => {
      const layers = layersFor(document, withTags ? scenario : { dags: [] }, key.dagId, after.override);
      return exceededCap(capsOf(layers, document, after.granted), before.retriesUsedByClass, after.retriesUsedByClass);
    };
    // Where Airflow hides a Dag's tags, retries without them are better than none.
    return !areTagsKnown && exceeds(false) === null ? null : exceeds(true);
  });
  if (!verdicts.includes(null)) journal.violate('the cap holds', `${name}: ${verdicts[0]}`);
  const durations = context
    .documentsOf(by)
    .map(
      (document) =>
        layersFor(document, scenario, key.dagId, after.override).find((layer) => layer.max_duration)?.max_duration ??
        Infinity,
    );
  // The swap may reach a slow store a moment after it was decided.
  const decidedAtMs = Math.min(clockMs, after.history.at(-1)?.atMs ?? clockMs);
  if (decidedAtMs > after.firstFailedAtMs + Math.max(...durations)) {
    journal.violate(
      'no retry after max_duration',
      `${name}: ${decidedAtMs - after.firstFailedAtMs} ms after the first failure`,
    );
  }
  if (clockMs < before.retryAtMs) {
    journal.violate('no clear before its due time', `${name}: ${before.retryAtMs - clockMs} ms early by ${by}'s clock`);
  }
  if (before.held !== null) journal.violate('a held run is left alone', name);
}
