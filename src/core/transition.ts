import type { RunEvent } from './event.ts';
import type { RunRecord } from './record.ts';
import type { Rules } from './rules.ts';
import type { RunKey } from './run-key.ts';
import { onAlertAnswered } from './transition/alert-answered.ts';
import { onClearAnswered } from './transition/clear-answered.ts';
import { onFirstFailure } from './transition/count.ts';
import { onFailureReported } from './transition/failure-reported.ts';
import { onObserved, onTimePassed } from './transition/observed.ts';
import { onOperated } from './transition/operated.ts';
import { onPaused, tellPaused } from './transition/paused.ts';
import { type Transition, unchanged } from './transition/result.ts';
import { onStateLost } from './transition/state-lost.ts';
import { onSuccessReported } from './transition/success-reported.ts';

export type { Transition } from './transition/result.ts';

/**
 * Decides what the record of run `key` (null: there is none) becomes on `event`. Pure: the same inputs give the same
 * answer, and late or duplicate events change nothing. `nowMs` is epoch milliseconds.
 */
export function transition(
  key: RunKey,
  record: RunRecord | null,
  event: RunEvent,
  rules: Rules,
  nowMs: number,
): Transition {
  if (record === null) return onAbsent(key, event, rules, nowMs);
  switch (event.type) {
    case 'failure_reported':
      return tellPaused(onFailureReported(record, event, rules, nowMs), rules);
    case 'success_reported':
      return onSuccessReported(record, nowMs);
    case 'observed':
      return onObserved(record, event, rules, nowMs);
    case 'clear_answered':
      return onClearAnswered(record, event, rules, nowMs);
    case 'alert_answered':
      return onAlertAnswered(record, event, rules, nowMs);
    case 'paused':
      return onPaused(record, rules, nowMs);
    case 'time_passed':
      return onTimePassed(record, nowMs);
    case 'operated':
      return onOperated(record, event, rules, nowMs);
    case 'state_lost':
      return unchanged(record, 'stale', 'superseded');
  }
}

function onAbsent(key: RunKey, event: RunEvent, rules: Rules, nowMs: number): Transition {
  if (event.type === 'failure_reported') return tellPaused(onFirstFailure(key, event, rules, nowMs), rules);
  if (event.type === 'state_lost') return onStateLost(key, event, rules, nowMs);
  return unchanged(null, 'unknown_run', 'no_record');
}
