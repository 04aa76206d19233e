import type { Fingerprint, RecordIn, RunRecord } from './record.ts';

/** What the orchestrator's audit log tells of who has restarted a run; times are epoch milliseconds. */
export type Restarts =
  | {
      readonly type: 'told';
      /** Clears that the service's own user asked for. */
      readonly ours: number;
      readonly total: number;
      readonly firstOursAtMs: number | null;
      /** When the latest of all was asked for, if it was ours; null: somebody else's was the latest, or there is none. */
      readonly lastOursAtMs: number | null;
    }
  /** The log may not be read, does not reach back far enough, or does not show which entries are ours. */
  | { readonly type: 'untold'; readonly detail: string };

/** What a count is held against just before a retry is spent. */
export interface Evidence {
  readonly restarts: Restarts;
  /** Since when the store has lost nothing, as far as is known. */
  readonly remembersSinceMs: number;
  /** When a running process last found data lost; null: never. */
  readonly lostAtMs: number | null;
  /** Who has set this attempt, or a task of it, to failed by hand; absent where nobody did. */
  readonly stoppedBy?: string;
}

export type Verdict =
  | { readonly type: 'agrees'; readonly logOffset: number }
  /** The log shows `missed` clears of ours that the record does not know of. */
  | { readonly type: 'missed'; readonly missed: number; readonly firstOursAtMs: number | null; readonly detail: string }
  | { readonly type: 'contradicts'; readonly detail: string };

type Count = Pick<
  RecordIn<'waiting'>,
  'clearsSent' | 'logOffset' | 'countIs' | 'earlierCount' | 'clearNumber' | 'attemptStartedAtMs'
>;

/** How far the orchestrator's clock may be from ours. */
const CLOCK_SLACK_MS = 60_000;
/** How far apart the orchestrator may note one request in its log and at the run. */
const REQUEST_SLACK_MS = 10_000;
/** How long an attempt may have been queued, where the orchestrator (Airflow 2) does not tell. */
const QUEUE_SLACK_MS = 24 * 3_600_000;

/** Whether the next look may send a clear, so that the count has to be held against evidence. */
export function needsEvidence(record: RunRecord, nowMs: number): boolean {
  if (record.held !== null) return false;
  if (record.phase === 'clearing') return nowMs >= record.dueAtMs;
  return record.phase === 'waiting' && nowMs >= record.retryAtMs;
}

/**
 * The record's `logOffset` as the log shows it now, when no request is under way: a clear that was lost on its way is in
 * the record and not in the log, and must not hide one that the store has forgotten.
 */
export function logOffsetNow(count: Pick<Count, 'clearsSent' | 'logOffset'>, { restarts }: Evidence): number {
  return restarts.type === 'told' ? restarts.ours - count.clearsSent : count.logOffset;
}

/**
 * Holds a record's count against what the orchestrator knows. The store may have been emptied or set back to an older
 * state without anybody noticing: an attempt that we started ourselves must not pass for the original, or for a
 * person's. Pure. `attempt` is what the attempt that has failed looks like.
 */
export function weigh(count: Count, attempt: Fingerprint, evidence: Evidence): Verdict {
  const { restarts, remembersSinceMs } = evidence;
  const isRemembered = (atMs: number | null) => atMs !== null && atMs >= remembersSinceMs + CLOCK_SLACK_MS;
  const askedForAtMs =
    attempt.queuedAtMs ?? (attempt.startedAtMs === null ? null : attempt.startedAtMs - QUEUE_SLACK_MS);
  if (restarts.type === 'untold') {
    const isKnown = isRemembered(askedForAtMs) || isOriginal(count, attempt) || count.clearsSent > 0;
    if (count.countIs === 'checked' || (count.countIs === 'unchecked' && isKnown)) {
      return { type: 'agrees', logOffset: count.logOffset };
    }
    const why = count.countIs === 'lost' ? 'the record of this run was lost' : 'the store is younger than this attempt';
    return { type: 'contradicts', detail: `${why}, and the audit log does not help: ${restarts.detail}` };
  }
  const known = count.clearsSent + count.logOffset;
  const missed = restarts.ours - known;
  if (count.earlierCount !== null) {
    // What the record does not know of came before the person who restarted the given-up run.
    if (!isStartedByUs(attempt, restarts.lastOursAtMs))
      return { type: 'agrees', logOffset: logOffsetNow(count, evidence) };
    const detail = 'the audit log shows that our own clear restarted the run after it was given up';
    return { type: 'missed', missed: Math.max(missed, 0), firstOursAtMs: restarts.firstOursAtMs, detail };
  }
  if (missed > 0) {
    // A count that ended well leaves no record; a person's restart after it shows that this is another one.
    const isOfEarlierCount =
      count.countIs === 'unchecked' && restarts.lastOursAtMs === null && isRemembered(restarts.firstOursAtMs);
    if (isOfEarlierCount) return { type: 'agrees', logOffset: logOffsetNow(count, evidence) };
    const detail = `the audit log shows ${restarts.ours} clears of ours, the record knew of ${known}`;
    return { type: 'missed', missed, firstOursAtMs: restarts.firstOursAtMs, detail };
  }
  const isUnexplained = (count.clearNumber ?? 0) > restarts.total && !isRemembered(askedForAtMs);
  if (isUnexplained && count.countIs !== 'checked') {
    const detail = `callbacks carry clear_number ${count.clearNumber}, the audit log shows ${restarts.total} clears`;
    return { type: 'contradicts', detail };
  }
  return { type: 'agrees', logOffset: logOffsetNow(count, evidence) };
}

/**
 * Whether our latest clear has started this attempt. Airflow 3 shows when an attempt was asked for; a person's clear
 * that its audit log does not show, from a list of runs, was at another moment.
 */
function isStartedByUs({ queuedAtMs }: Fingerprint, lastOursAtMs: number | null): boolean {
  if (lastOursAtMs === null) return false;
  return queuedAtMs === null || Math.abs(queuedAtMs - lastOursAtMs) <= REQUEST_SLACK_MS;
}

/** Airflow tells with each callback how often the run has been cleared, by whomever; it must be a callback of this attempt. */
function isOriginal({ clearNumber, attemptStartedAtMs }: Count, attempt: Fingerprint): boolean {
  return clearNumber === 0 && attemptStartedAtMs !== null && attemptStartedAtMs === attempt.startedAtMs;
}
