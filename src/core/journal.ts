import { z } from 'zod';
import type { RunEvent } from './event.ts';
import { FailureClass } from './policy.ts';
import type { RecordIn, RunRecord } from './record.ts';
import { Count, TimeMs } from './record-parts.ts';
import { Id } from './run-key.ts';
import type { Transition } from './transition/result.ts';

/** What the journal tells of, oldest step of a run first. */
export const JOURNAL_TYPES = ['failed', 'retried', 'restarted', 'recovered', 'gave_up', 'ended', 'operated'] as const;
export type JournalType = (typeof JOURNAL_TYPES)[number];

/**
 * One thing that happened, kept for people after the record is gone; written in the same atomic step as the change that
 * it tells of. `reason` is one of the stable words.
 */
export const JournalEntry = z.strictObject({
  atMs: TimeMs,
  type: z.enum(JOURNAL_TYPES),
  /** Null where it concerns more than one Dag. */
  dagId: z.string().nullable(),
  /** Null where it concerns more than one run. */
  dagRunId: Id.nullable(),
  attempt: Count.nullable(),
  retriesUsed: Count.nullable(),
  reason: z.string(),
  /** The first failure of the attempt: its task (null: the run as a whole) and class. */
  taskId: z.string().nullable(),
  failureClass: FailureClass.nullable(),
  /** Of `operated` only. */
  action: z.string().nullable(),
  actor: z.string().nullable(),
  comment: z.string().nullable(),
  /** How many more retries were granted; of a grant only. */
  retries: Count.optional(),
});
export type JournalEntry = z.infer<typeof JournalEntry>;

/** What the journal keeps of a change, oldest first: nothing, one thing, or two that came to pass unseen. Pure. */
export function journalOf(
  before: RunRecord | null,
  event: RunEvent,
  transition: Transition,
  nowMs: number,
): readonly JournalEntry[] {
  const { next } = transition;
  const record = next ?? before;
  if (record === null || next === before) return [];
  // A person's restart begins another attempt, with failures of its own; elsewhere the record may have let go of them.
  const known = isRestart(transition) ? [] : (before?.failures ?? []);
  const [failure] = [...known, ...record.failures];
  const operated = event.type === 'operated' ? event : null;
  return happeningsOf(before, event, transition).map(({ type, reason }) => ({
    atMs: nowMs,
    type,
    dagId: record.dagId,
    dagRunId: record.dagRunId,
    attempt: record.attempt,
    retriesUsed: record.retriesUsed,
    reason,
    taskId: failure?.taskId ?? null,
    failureClass: failure?.failureClass ?? null,
    action: operated?.action ?? null,
    actor: operated?.actor ?? null,
    comment: operated?.comment ?? null,
    ...(operated?.action === 'grant' ? { retries: operated.retries } : {}),
  }));
}

type Happening = Pick<JournalEntry, 'type' | 'reason'>;

function happeningsOf(before: RunRecord | null, event: RunEvent, transition: Transition): readonly Happening[] {
  const { reason } = transition;
  if (event.type === 'operated') return [{ type: 'operated', reason }];
  if (isRestart(transition)) return [{ type: 'restarted', reason }, ...afterRestart(transition)];
  // A clear that is sent once more is no other retry.
  const isRetry = transition.command === 'send_clear' && retriesOf(transition.next) > retriesOf(before);
  // Where nobody has seen the attempt fail before, the clear is what ends it.
  if (isRetry && !isSeenFailed(before))
    return [
      { type: 'failed', reason },
      { type: 'retried', reason },
    ];
  const type = isRetry ? 'retried' : typeOf(before, transition);
  return type === null ? [] : [{ type, reason }];
}

/** What a person has started may have failed by the time it is seen; the transition's reason tells of the restart alone. */
function afterRestart({ next, reason }: Transition): readonly Happening[] {
  if (next === null) return [{ type: 'ended', reason }];
  if (isGivenUp(next)) return [{ type: 'gave_up', reason: next.reason }];
  return isSeenFailed(next) ? [{ type: 'failed', reason: 'settled' }] : [];
}

function typeOf(before: RunRecord | null, { next, reason }: Transition): JournalType | null {
  if (reason === 'would_have_retried') return null;
  if (reason === 'run_succeeded' && (!isGivenUp(before) || isRehearsed(before)))
    return retriesOf(before) > 0 ? 'recovered' : 'ended';
  const isOpen = before !== null && !isGivenUp(before);
  // A run that is gone may leave alerts that nobody has accepted yet, and is not given up for that.
  if (next === null || reason === 'run_missing') return isOpen ? 'ended' : null;
  if (isGivenUp(next)) return isGivenUp(before) ? null : 'gave_up';
  return isSeenFailed(next) && !isSeenFailed(before) ? 'failed' : null;
}

function isRestart({ reason }: Transition): boolean {
  return reason === 'restarted_by_person';
}

/** What waits without having been seen may turn out not to have failed, and is asked about anew. */
function isSeenFailed(record: RunRecord | null): boolean {
  return record?.phase === 'waiting' && record.fingerprint !== null;
}

function isGivenUp(record: RunRecord | null): record is RecordIn<'giving_up' | 'gave_up'> {
  return record?.phase === 'giving_up' || record?.phase === 'gave_up';
}

function isRehearsed(record: RunRecord | null): boolean {
  return isGivenUp(record) && record.reason === 'would_have_retried';
}

function retriesOf(record: RunRecord | null): number {
  return record?.retriesUsed ?? 0;
}
