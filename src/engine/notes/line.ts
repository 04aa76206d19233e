import type { Reason } from '../../core/reason.ts';
import type { RunRecord } from '../../core/record.ts';
import { isEnd } from '../../core/transition/end.ts';
import { describeFailures } from '../../core/transition/fields.ts';

/** What a note is written from: a record before and after a swap, and why it changed. */
export interface Change {
  readonly before: RunRecord | null;
  readonly next: RunRecord | null;
  readonly reason: Reason;
}

/**
 * What people are to read on the run after this change; null: nothing any more; undefined: what is there stays. A run
 * that recovered keeps its line: that a success took three attempts is worth knowing, and nobody asks the service.
 */
export function noteAfter({ before, next, reason }: Change, nowMs: number): string | null | undefined {
  if (before !== null && reason === 'run_succeeded' && before.retriesUsed > 0) return recovered(before, nowMs);
  if (reason === 'run_missing') return undefined;
  const said = before === null ? undefined : noteFor(before);
  const says = next === null || reason === 'run_succeeded' ? undefined : noteFor(next);
  if (says !== undefined) return says === said ? undefined : says;
  // What was announced will not happen; that a run was given up or has recovered stays true.
  const isOver = next === null || reason === 'run_succeeded';
  return isOver && before !== null && wasAnnounced(before) ? null : undefined;
}

/** Whether the clear of this run is under way, so that nothing else should ask Airflow for anything about it. */
export function isClearing({ next }: Change): boolean {
  return next?.phase === 'clearing';
}

/** What a record says by itself; undefined in phases that pass by, or of which nothing is certain yet. */
function noteFor(record: RunRecord): string | undefined {
  const { retriesUsed, maxRetries, held } = record;
  switch (record.phase) {
    case 'confirming':
    case 'clearing':
      return undefined;
    case 'waiting': {
      const retry = `retry ${retriesUsed + 1} of ${maxRetries}`;
      const when = held === null ? `at ${utc(record.retryAtMs)}` : `is held by ${held.actor} since ${utc(held.atMs)}`;
      return `${retry} ${when} (${causeOf(record)})`;
    }
    case 'watching': {
      const since = `since ${utc(record.clearedAtMs)}`;
      if (record.startedBy === 'person') {
        return `restarted by a person, seen ${utc(record.clearedAtMs)}; ${retriesUsed} of ${maxRetries} retries used`;
      }
      return `retry ${retriesUsed} of ${maxRetries} running ${since} (${causeOf(record)})`;
    }
    case 'giving_up':
    case 'gave_up':
      if (isEnd(record.reason)) return undefined;
      return `gave up at ${utc(record.gaveUpAtMs)} after ${retriesUsed} of ${maxRetries} retries: ${record.reason} (${causeOf(record)})`;
  }
}

function recovered({ attempt, retriesUsed }: RunRecord, nowMs: number): string {
  const retries = retriesUsed === 1 ? '1 retry' : `${retriesUsed} retries`;
  return `succeeded on attempt ${attempt} after ${retries}, seen ${utc(nowMs)}`;
}

/** What failed last: of this attempt, or of the one before it. */
function causeOf({ failures, history }: RunRecord): string {
  if (failures.length > 0) return describeFailures(failures);
  return history.findLast((entry) => entry.type === 'failed')?.detail ?? 'no failure was reported';
}

/** A run that was never seen failed has no line of ours. */
function wasAnnounced({ phase, history }: RunRecord): boolean {
  const isPending = phase !== 'giving_up' && phase !== 'gave_up';
  return isPending && history.some(({ type }) => type === 'failed' || type === 'attempt_started');
}

/** To the second, with its zone: people read it in another one, and on another day. */
function utc(timeMs: number): string {
  return `${new Date(Math.ceil(timeMs / 1_000) * 1_000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
