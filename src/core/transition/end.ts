import type { Reason } from '../reason.ts';
import type { Fingerprint, RecordIn, RunRecord } from '../record.ts';
import { commonOf, withHistory } from './fields.ts';
import { withRecoveries } from './recovery.ts';
import { become, type Transition } from './result.ts';

/**
 * Nothing is left of a run that has ended, but that an alert for it is never dropped: where some are still unsent, the
 * record stays until they are. Who was told that it fails is told of its success.
 */
export function end(
  record: RunRecord,
  reason: 'run_missing' | 'run_succeeded',
  fingerprint: Fingerprint | null,
  nowMs: number,
): Transition {
  const ended = reason === 'run_succeeded' ? withRecoveries(record, nowMs) : record;
  // What a run that is gone was given up for is what its alerts are about.
  if (ended.phase === 'giving_up' && reason === 'run_missing') {
    return become({ ...ended, dueAtMs: null }, 'giving_up', reason);
  }
  if (ended.outbox.length === 0) return become(null, 'cleaned_up', reason);
  const common = commonOf(ended);
  const ending: RecordIn<'giving_up'> = {
    ...common,
    phase: 'giving_up',
    history: withHistory(common.history, { atMs: nowMs, type: 'ended', attempt: record.attempt, reason }),
    dueAtMs: null,
    reason,
    gaveUpAtMs: nowMs,
    fingerprint,
    failuresMeanwhile: [],
  };
  return become(ending, 'cleaned_up', reason);
}

/** Whether the run has ended well or is gone, so that nothing of it needs to be remembered once its alerts are out. */
export function isEnd(reason: Reason | string): boolean {
  return reason === 'run_missing' || reason === 'run_succeeded';
}
