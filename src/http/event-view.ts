import { z } from 'zod';
import { JOURNAL_TYPES, type JournalEntry } from '../core/journal.ts';
import { FailureClass } from '../core/policy.ts';
import { isoTime } from './iso-time.ts';

/** One thing that happened, or that a person did (`type: operated`). */
export const EventView = z.object({
  id: z.string(),
  at: z.iso.datetime().nullable(),
  type: z.enum(JOURNAL_TYPES),
  dag_id: z.string().nullable().describe('Null where it concerns every Dag.'),
  dag_run_id: z.string().nullable().describe('Null where it concerns more than one run.'),
  attempt: z.int().nullable(),
  retries_used: z.int().nullable(),
  reason: z.string(),
  task_id: z.string().nullable(),
  failure_class: FailureClass.nullable(),
  action: z.string().nullable().describe('Of `operated`: what was done.'),
  actor: z.string().nullable(),
  comment: z.string().nullable(),
  retries: z.int().nullable().describe('How many more were granted; null for everything but a grant.'),
});
export type EventView = z.infer<typeof EventView>;

export function toEventView({ id, entry }: { readonly id: string; readonly entry: JournalEntry }): EventView {
  return {
    id,
    at: isoTime(entry.atMs),
    type: entry.type,
    dag_id: entry.dagId,
    dag_run_id: entry.dagRunId,
    attempt: entry.attempt,
    retries_used: entry.retriesUsed,
    reason: entry.reason,
    task_id: entry.taskId,
    failure_class: entry.failureClass,
    action: entry.action,
    actor: entry.actor,
    comment: entry.comment,
    retries: entry.retries ?? null,
  };
}
