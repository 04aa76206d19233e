import type { Fingerprint, RecordIn, RunRecord } from './record.ts';

/** A clear of the run as the audit log has it, by the orchestrator's clock in epoch milliseconds. */
export interface Restart {
  readonly atMs: number;
  /** Whether the service's own user asked for it. */
  readonly isOurs: boolean;
}

/** What the orchestrator's audit log tells of who has restarted a run. */
export type Restarts =
  /** All clears that it shows, also those that were refused afterwards; the oldest first. */
  | { readonly type: 'told'; readonly clears: readonly Restart[] }
  /** The log may not be read, does not reach back far enough, or does not show which entries are ours. */
  | { readonly type: 'untold'; readonly detail: string };

/** A person has set the attempt, or a task of it, to failed; by the orchestrator's clock in epoch milliseconds. */
export interface Stop {
  readonly by: string;
  readonly atMs: number;
  /** Whether a clear of ours has come since. If it came to nothing, the attempt is still the one that was stopped. */
  readonly isCleared: boolean;
}

/** What a count is held against just before a retry is spent. */
export interface Evidence {
  readonly restarts: Restarts;
  /** Since when the store has lost nothing, as far as is known. */
  readonly remembersSinceMs: number;
  /** When a running process last found data lost; null: never. */
  readonly lostAtMs: number | null;
  /** How often the run has been cleared at least, by whomever, as its tasks' tries tell; absent: nobody has asked. */
  readonly leastClears?: number;
  /** Absent where nobody has ended this attempt by hand. */
  readonly stop?: Stop;
}

export type Verdict =
  | { readonly type: 'agrees'; readonly logOffset: number }
  /** The log shows `missed` clears of ours that the record does not know of. */
  | { readonly type: 'missed'; readonly missed: number; readonly firstOursAtMs: number | null; readonly detail: string }
  | { readonly type: 'contradicts'; readonly detail: string };

type Count = Pick<
  RecordIn<'waiting'>,
  'clearsSent' | 'logOffset' | 'countIs' | 'earlierCount' | 'firstFailedAtMs' | 'clearNumber' | 'attemptStartedAtMs'
>;

/** How far the orchestrator's clock may be from ours. */
export const CLOCK_SLACK_MS = 60_000;
/** How long after a request has come in, and is logged, the orchestrator may note it at the run. */
const REQUEST_SLACK_MS = 10_000;
/** How far the clocks of the orchestrator's own parts may be apart. */
const LOG_SLACK_MS = 1_000;
/** How long an attempt may have been queued, where the orchestrator (Airflow 2) does not tell. */
const QUEUE_SLACK_MS = 24 * 3_600_000;

/** Whether the next look may send a clear, so that the count has to be held against evidence. */
export function needsEvidence(record: RunRecord, nowMs: number): boolean {
  if (record.held !== null) return false;
  if (record.phase === 'clearing') return nowMs >= record.dueAtMs;
  return record.phase === 'waiting' && nowMs >= record.retryAtMs;
}

/** Whether a log that shows nothing must be held against something else: it may have been cleaned. */
export function needsLeastClears(record: RunRecord, remembersSinceMs: number): boolean {
  return record.phase === 'waiting' && !isCountKnown(record, record.fingerprint, remembersSinceMs);
}

/**
 * The record's `logOffset` as the log shows it now, when no request is under way: a clear that was lost on its way is in
 * the record and not in the log, and must not hide one that the store has forgotten.
 */
export function logOffsetNow(count: Pick<Count, 'clearsSent' | 'logOffset'>, { restarts }: Evidence): number {
  return restarts.type === 'told' ? oursOf(restarts.clears).length - count.clearsSent : count.logOffset;
}

/**
 * Holds a record's count against what the orchestrator knows. The store may have been emptied or set back to an older
 * state without anybody noticing: an attempt that we started ourselves must not pass for the original, or for a
 * person's. Pure. `attempt` is what the attempt that has failed looks like.
 */
export function weigh(count: Count, attempt: Fingerprint, evidence: Evidence): Verdict {
  const { restarts, remembersSinceMs } = evidence;
  const isKnown = isCountKnown(count, attempt, remembersSinceMs);
  if (restarts.type === 'untold') {
    const isBelieved = count.countIs === 'unchecked' && (isOriginal(count, attempt) || count.clearsSent > 0);
    if (isKnown || isBelieved) return { type: 'agrees', logOffset: count.logOffset };
    const why = count.countIs === 'lost' ? 'the record of this run was lost' : 'the store is younger than this attempt';
    return { type: 'contradicts', detail: `${why}, and the audit log does not help: ${restarts.detail}` };
  }
  const { clears } = restarts;
  const ours = oursOf(clears);
  const firstOursAtMs = ours[0]?.atMs ?? null;
  const known = count.clearsSent + count.logOffset;
  const missed = ours.length - known;
  const agrees = { type: 'agrees', logOffset: logOffsetNow(count, evidence) } as const;
  if (count.earlierCount !== null) {
    // What the record does not know of came before the person who restarted the given-up run.
    if (!isStartedByUs(attempt, clears)) return agrees;
    const detail = 'the audit log shows that our own clear restarted the run after it was given up';
    return { type: 'missed', missed: Math.max(missed, 0), firstOursAtMs, detail };
  }
  if (missed > 0) {
    // A count that ended well leaves no record; a person's restart after it shows that this is another one. All of it
    // was before this one's first failure.
    const isBefore = (ours.at(-1)?.atMs ?? 0) < count.firstFailedAtMs;
    const isOfEarlierCount = isBefore && !clears.at(-1)?.isOurs && isRemembered(firstOursAtMs, remembersSinceMs);
    if (count.countIs === 'unchecked' && isOfEarlierCount) return agrees;
    const detail = `the audit log shows ${ours.length} clears of ours, the record knew of ${known}`;
    return { type: 'missed', missed, firstOursAtMs, detail };
  }
  const more = whatTellsOfMore(count, evidence.leastClears ?? 0, clears.length);
  if (more === null || isKnown) return agrees;
  return { type: 'contradicts', detail: `${more}, the audit log shows ${clears.length} clears` };
}

/** Whether the store cannot have lost what came before: the count was held against evidence, or the attempt is younger. */
function isCountKnown({ countIs }: Pick<Count, 'countIs'>, attempt: Fingerprint | null, sinceMs: number): boolean {
  if (countIs !== 'unchecked') return countIs === 'checked';
  return attempt !== null && isRemembered(askedForAtMs(attempt), sinceMs);
}

/** What tells that the run was cleared more often than the audit log shows: that may have been cleaned. */
function whatTellsOfMore({ clearNumber }: Count, leastClears: number, shown: number): string | null {
  if (clearNumber !== null && clearNumber > shown) return `callbacks carry clear_number ${clearNumber}`;
  return leastClears > shown ? `the tries of its tasks tell of ${leastClears} clears or more` : null;
}

/** When the attempt was asked for, at the earliest; null: that is not known. */
function askedForAtMs({ queuedAtMs, startedAtMs }: Fingerprint): number | null {
  return queuedAtMs ?? (startedAtMs === null ? null : startedAtMs - QUEUE_SLACK_MS);
}

function isRemembered(atMs: number | null, sinceMs: number): boolean {
  return atMs !== null && atMs >= sinceMs + CLOCK_SLACK_MS;
}

function oursOf(clears: readonly Restart[]): readonly Restart[] {
  return clears.filter(({ isOurs }) => isOurs);
}

/**
 * Whether a clear of ours has started this attempt: the last one before it. Airflow 3 shows when an attempt was asked
 * for; a person's clear that its audit log does not show, from a list of runs, was at another moment than ours.
 */
function isStartedByUs({ queuedAtMs, startedAtMs }: Fingerprint, clears: readonly Restart[]): boolean {
  const byMs = (queuedAtMs ?? startedAtMs ?? Infinity) + LOG_SLACK_MS;
  const last = clears.findLast(({ atMs }) => atMs <= byMs);
  if (last === undefined || !last.isOurs) return false;
  return queuedAtMs === null || queuedAtMs - last.atMs <= REQUEST_SLACK_MS;
}

/** Airflow tells with each callback how often the run has been cleared, by whomever; it must be a callback of this attempt. */
function isOriginal({ clearNumber, attemptStartedAtMs }: Count, attempt: Fingerprint): boolean {
  return clearNumber === 0 && attemptStartedAtMs !== null && attemptStartedAtMs === attempt.startedAtMs;
}
