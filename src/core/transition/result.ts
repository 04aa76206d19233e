import type { Decision, Reason } from '../reason.ts';
import type { RunRecord } from '../record.ts';

/** What a record becomes. `next === record` (the same object) means that there is nothing to write. */
export interface Transition {
  /** Null: the record is deleted, or there was none and none is needed. */
  readonly next: RunRecord | null;
  readonly decision: Decision;
  readonly reason: Reason;
  /** When the delay will be over, in epoch milliseconds, where a retry is pending. */
  readonly retryAtMs: number | null;
  /** What whoever wins the swap to `next` must do. */
  readonly command: 'send_clear' | null;
}

/** The record stays as it is. */
export function unchanged(record: RunRecord | null, decision: Decision, reason: Reason): Transition {
  return {
    next: record,
    decision,
    reason,
    retryAtMs: record === null ? null : pendingRetryAtMs(record),
    command: null,
  };
}

/** The record becomes `next`. */
export function become(next: RunRecord | null, decision: Decision, reason: Reason): Transition {
  return { next, decision, reason, retryAtMs: next === null ? null : pendingRetryAtMs(next), command: null };
}

/** Who reports on a run that a person holds is told so. */
export function tellHeld(transition: Transition): Transition {
  if (transition.next === null || transition.next.held === null) return transition;
  return { ...transition, decision: 'held', reason: 'held_by_operator' };
}

/** When the pending retry's delay is over, or null if none is pending. */
export function pendingRetryAtMs(record: RunRecord): number | null {
  switch (record.phase) {
    case 'confirming':
      return record.expectedRetryAtMs;
    case 'waiting':
      return record.retryAtMs;
    case 'clearing':
    case 'watching':
    case 'giving_up':
    case 'gave_up':
      return null;
  }
}
