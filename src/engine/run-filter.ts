import { matchesGlob } from '../core/glob.ts';
import { failureClassOf } from '../core/judgement.ts';
import type { FailureClass } from '../core/policy.ts';
import type { Phase, RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';

/** Which runs are meant; null: no matter. All that is given must hold. */
export interface RunFilter {
  readonly phases: readonly Phase[] | null;
  /** Exact, or a glob where it holds `*` or `?`. */
  readonly dagId: string | null;
  readonly failureClass: FailureClass | null;
  readonly isHeld: boolean | null;
  /** Why the run was given up. */
  readonly reason: string | null;
  /** Since the first failure, in milliseconds. */
  readonly olderThanMs: number | null;
  readonly newerThanMs: number | null;
}

export const EVERY_RUN: RunFilter = {
  phases: null,
  dagId: null,
  failureClass: null,
  isHeld: null,
  reason: null,
  olderThanMs: null,
  newerThanMs: null,
};

/** Whether the filter leaves `record` in. Pure. */
export function matchesFilter(record: RunRecord, filter: RunFilter, nowMs: number): boolean {
  const ageMs = nowMs - record.firstFailedAtMs;
  if (filter.phases !== null && !filter.phases.includes(record.phase)) return false;
  if (filter.dagId !== null && !isNamed(record.dagId, filter.dagId)) return false;
  if (filter.failureClass !== null && failureClassOf(record) !== filter.failureClass) return false;
  if (filter.isHeld !== null && (record.held !== null) !== filter.isHeld) return false;
  if (filter.reason !== null && giveUpReason(record) !== filter.reason) return false;
  if (filter.olderThanMs !== null && ageMs <= filter.olderThanMs) return false;
  return filter.newerThanMs === null || ageMs < filter.newerThanMs;
}

/** After which key reading may begin: where one Dag is meant, its runs stand together in the order of ids. */
export function beginOf({ dagId }: RunFilter): RunKey | null {
  return dagId === null || isGlob(dagId) ? null : { dagId, dagRunId: '' };
}

/** Whether nothing that the filter leaves in can follow `record`, where reading began at `beginOf`. */
export function isBeyond(record: RunRecord, { dagId }: RunFilter): boolean {
  return dagId !== null && !isGlob(dagId) && record.dagId !== dagId;
}

/** Whether an id is meant by what a person wrote: the id itself, or a glob. */
export function isNamed(id: string, written: string): boolean {
  return id === written || (isGlob(written) && matchesGlob(written, id));
}

export function isGlob(written: string): boolean {
  return /[*?]/.test(written);
}

function giveUpReason(record: RunRecord): string | null {
  return record.phase === 'giving_up' || record.phase === 'gave_up' ? record.reason : null;
}
