import { z } from 'zod';
import type { RunEvent } from './event.ts';
import { FailureClass } from './policy.ts';
import type { RunRecord } from './record.ts';
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
});
export type JournalEntry = z.infer<typeof JournalEntry>;

/** What the journal keeps of a change, or null where it is of no lasting interest. Pure. */
export function journalOf(
  before: RunRecord | null,
  event: RunEvent,
  transition: Transition,
  nowMs: number,
): JournalEntry | null {
  const { next, reason } = transition;
  const type = typeOf(before, event, transition);
  const record = next ?? before;
  if (type === null || record === null || next === before) return null;
  const [failure] = before === null ? record.failures : before.failures;
  const operated = event.type === 'operated' ? event : null;
  return {
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
  };
}

function typeOf(before: RunRecord | null, event: RunEvent, { next, reason, command }: Transition): JournalType | null {
  if (event.type === 'operated') return 'operated';
  // A clear that is sent once more is no other retry.
  if (command === 'send_clear') return before?.phase === 'clearing' ? null : 'retried';
  if (reason === 'restarted_by_person') return 'restarted';
  if (reason === 'would_have_retried') return null;
  if (reason === 'run_succeeded' && (!isGivenUp(before) || isRehearsed(before)))
    return hasRetried(before) ? 'recovered' : 'ended';
  const isOpen = before !== null && !isGivenUp(before);
  // A run that is gone may leave alerts that nobody has accepted yet, and is not given up for that.
  if (next === null || reason === 'run_missing') return isOpen ? 'ended' : null;
  if (isGivenUp(next)) return isGivenUp(before) ? null : 'gave_up';
  return next.phase === 'waiting' && before?.phase !== 'waiting' ? 'failed' : null;
}

function isGivenUp(record: RunRecord | null): boolean {
  return record?.phase === 'giving_up' || record?.phase === 'gave_up';
}

function isRehearsed(record: RunRecord | null): boolean {
  return isGivenUp(record) && record !== null && 'reason' in record && record.reason === 'would_have_retried';
}

function hasRetried(record: RunRecord | null): boolean {
  return (record?.retriesUsed ?? 0) > 0;
}
