import type { ClearAnswered } from '../event.ts';
import { type RecordIn, type RunRecord, sameFingerprint } from '../record.ts';
import type { Rules } from '../rules.ts';
import { cleared, hadNoEffect, pastSendByMs } from './clear.ts';
import { end } from './end.ts';
import { become, type Transition, unchanged } from './result.ts';
import { giveUp, nextLookMs } from './steps.ts';

/** What became of a clear. An answer to any other request than the one last sent changes nothing. */
export function onClearAnswered(record: RunRecord, event: ClearAnswered, rules: Rules, nowMs: number): Transition {
  const isCurrent = record.phase === 'clearing' && record.clearsSent === event.clear;
  if (!isCurrent) return unchanged(record, 'stale', 'superseded');
  const { outcome } = event;
  switch (outcome.type) {
    case 'accepted': {
      const stayed = outcome.run?.state === 'failed' && sameFingerprint(outcome.run.fingerprint, record.fingerprint);
      if (stayed) return hadNoEffect(record, rules, nowMs);
      // Seen running it may have failed before the clear came; then callbacks that carry its old start are late ones.
      const wasFailed = record.wasFailed || outcome.run?.state === 'queued';
      return cleared({ ...record, wasFailed }, 'clear_accepted', rules, nowMs);
    }
    case 'missing':
      return end(record, 'run_missing', null, nowMs);
    case 'refused':
      return giveUp(record, 'clear_refused', record.fingerprint, rules, nowMs, outcome.detail);
    case 'not_applied': {
      const checks = record.checks + 1;
      const waitMs = nextLookMs(checks, rules.timing.sweepIntervalMs, outcome.retryAfterMs);
      const sendByMs = pastSendByMs(rules, nowMs);
      return become({ ...record, checks, sendByMs, dueAtMs: nowMs + waitMs }, 'retry_scheduled', 'clear_not_applied');
    }
    case 'rehearsed':
      return wouldHaveRetried(record, outcome.tasks, rules, nowMs);
    case 'unknown':
      // `dueAtMs` already says when the request can no longer be under way.
      return unchanged(record, 'retry_scheduled', 'clear_outcome_unknown');
  }
}

/**
 * Shadow mode: the retry counts as made, and nothing follows from it. Whoever else restarts the run is taken to have
 * made it, so that the cap is reached when it would have been.
 */
function wouldHaveRetried(record: RecordIn<'clearing'>, tasks: number | null, rules: Rules, nowMs: number): Transition {
  const silent: Rules = { ...rules, policy: { ...rules.policy, alertChannels: [] } };
  const detail = tasks === null ? 'dry run' : `dry run: ${tasks} task ${tasks === 1 ? 'instance' : 'instances'}`;
  const rehearsed = giveUp(record, 'would_have_retried', record.fingerprint, silent, nowMs, detail);
  return { ...rehearsed, decision: 'retry_scheduled' };
}
