import { DagainError } from '../core/errors.ts';
import type { Decision } from '../core/reason.ts';
import { formatRunKey, type RunKey } from '../core/run-key.ts';
import type { Applied } from './swap-loop.ts';

/** What every line about a run says of it; nothing else writes these fields. */
export interface AboutRun {
  /** The latest attempt that has started, as far as is known. */
  readonly attempt: number | null;
  /** `undecided`: the line tells of trouble or of work, and another one of what follows from it. */
  readonly decision: Decision | 'undecided';
  /** A stable word: a reason of a decision, why the orchestrator gave no answer, or the code of an error. */
  readonly reason: string;
}

/** The fields of a line about a run; names are in snake_case as in answers and metrics, times in ISO 8601. */
export function runFields<T extends object>(key: RunKey, { attempt, decision, reason }: AboutRun, more?: T) {
  return { run: formatRunKey(key), dag_id: key.dagId, attempt, decision, reason, ...more };
}

/** The fields of a line about what became of a run's record. */
export function changeFields<T extends object>(key: RunKey, applied: Omit<Applied, 'retryAtMs' | 'command'>, more?: T) {
  const { before, next, decision, reason } = applied;
  const record = next ?? before;
  return runFields(
    key,
    { attempt: record?.attempt ?? null, decision, reason },
    {
      phase: next?.phase ?? null,
      retries_used: record?.retriesUsed ?? 0,
      max_retries: record?.maxRetries ?? 0,
      due_at: isoOf(next?.dueAtMs ?? null),
      ...more,
    },
  );
}

export function isoOf(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString();
}

/** The stable word for what was thrown. */
export function codeOf(error: unknown): string {
  return error instanceof DagainError ? error.code : 'internal_error';
}

/** Outages of the store end by themselves; everything else that is thrown needs a person. */
export function levelOf(error: unknown): 'warn' | 'error' {
  const code = codeOf(error);
  return code === 'store_unavailable' || code === 'store_contention' ? 'warn' : 'error';
}
