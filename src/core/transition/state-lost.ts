import type { RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import type { RunKey } from '../run-key.ts';
import { freshFields } from './fields.ts';
import type { Transition } from './result.ts';
import { giveUp } from './steps.ts';

/** Nobody knows how many attempts the run has had: it is given up, with an alert. */
export function onStateLost(key: RunKey, detail: string, rules: Rules, nowMs: number): Transition {
  const lost: RunRecord = {
    ...freshFields(key, nowMs),
    phase: 'confirming',
    sinceMs: nowMs,
    dueAtMs: nowMs,
    expectedRetryAtMs: null,
    attemptStartedAtMs: null,
    checks: 0,
    unavailableSinceMs: null,
  };
  return giveUp(lost, 'state_lost', null, rules, nowMs, detail);
}
