import type { StateLost } from '../event.ts';
import type { PreviousAttempt, RecordIn } from '../record.ts';
import type { Rules } from '../rules.ts';
import type { RunKey } from '../run-key.ts';
import { freshFields, withHistory } from './fields.ts';
import { become, type Transition } from './result.ts';
import { giveUp } from './steps.ts';

/**
 * Nobody knows how many attempts the run has had. What cannot be read may say that a person has stopped the run: it is
 * given up, with an alert. What is gone is watched anew, and counted from the orchestrator's audit log before the next
 * retry.
 */
export function onStateLost(
  key: RunKey,
  { problem, detail, clears, earlierUntilMs }: StateLost,
  rules: Rules,
  nowMs: number,
): Transition {
  const fields = freshFields(key, nowMs);
  const lost: RecordIn<'watching'> = {
    ...fields,
    phase: 'watching',
    countIs: 'lost',
    attempt: clears + 1,
    retriesUsed: clears,
    clearsSent: clears,
    maxRetries: rules.policy.maxRetries,
    previous: earlierUntilMs === undefined ? null : beganBy(earlierUntilMs),
    history: withHistory(fields.history, {
      atMs: nowMs,
      type: 'state_lost',
      attempt: clears + 1,
      reason: 'state_lost',
      detail,
    }),
    dueAtMs: nowMs,
    clearedAtMs: nowMs,
    startedBy: 'dagain',
    checks: 0,
  };
  if (problem === 'unreadable') return giveUp({ ...lost, history: [] }, 'state_lost', null, rules, nowMs, detail);
  return become(lost, 'retry_scheduled', 'state_lost');
}

/** All that is known of the attempt before it. */
function beganBy(startedAtMs: number): PreviousAttempt {
  return { fingerprint: { queuedAtMs: null, startedAtMs, endedAtMs: null }, wasFailed: true, mode: null };
}
