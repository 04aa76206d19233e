import type { RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import { become, type Transition, unchanged } from './result.ts';

/** The retries of the Dag, or of everything, are stopped: a retry that is due waits until somebody resumes them. */
export function onPaused(record: RunRecord, rules: Rules, nowMs: number): Transition {
  const isDue = record.phase === 'waiting' && record.held === null && nowMs >= record.dueAtMs;
  if (rules.pause === null || !isDue) return unchanged(record, 'stale', 'superseded');
  return putOff(record, rules, nowMs);
}

/** Looks again after the sweep interval, so that a retry goes out soon after it may. */
export function putOff(record: RunRecord, rules: Rules, nowMs: number): Transition {
  return become({ ...record, dueAtMs: nowMs + rules.timing.sweepIntervalMs }, 'held', 'paused_by_operator');
}

/** Who reports on a run of a paused Dag is told so. */
export function tellPaused(transition: Transition, { pause }: Rules): Transition {
  const isPending = transition.decision === 'retry_scheduled' || transition.decision === 'already_scheduled';
  if (pause === null || !isPending) return transition;
  return { ...transition, decision: 'held', reason: 'paused_by_operator' };
}
