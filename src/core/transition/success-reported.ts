import type { RunRecord } from '../record.ts';
import { become, type Transition, unchanged } from './result.ts';

/**
 * The run is said to have succeeded: look at once. The record goes when the orchestrator says so too, because a late
 * or misplaced success callback must not make the count start anew.
 */
export function onSuccessReported(record: RunRecord, nowMs: number): Transition {
  if (record.held !== null) return unchanged(record, 'held', 'held_by_operator');
  // While a clear may be under way, its outcome cannot be read yet; that look decides anyway.
  if (record.phase === 'clearing') return unchanged(record, 'cleaned_up', 'success_reported');
  return become({ ...record, dueAtMs: nowMs }, 'cleaned_up', 'success_reported');
}
