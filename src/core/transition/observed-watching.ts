import type { Observed, SeenRun, SeenTask } from '../event.ts';
import type { RecordIn } from '../record.ts';
import type { Rules } from '../rules.ts';
import { foundUnchanged } from './clear.ts';
import { become, type Transition } from './result.ts';
import { judgeRecord, nextLookMs, settle } from './steps.ts';
import { unreported, withSeenTasks } from './unreported.ts';
import { nextRegularLookMs } from './watch-times.ts';
import { showsPrevious } from './which-attempt.ts';

/**
 * How long after its end a run's own callback may still be on its way (up to 2.5 s were seen): it tells what nobody else
 * knows, why the run has failed. Until then it is not missing.
 */
const CALLBACK_LAG_MS = 10_000;

type Answer = Exclude<Observed['observation'], { type: 'missing' }>;

/** How does the new attempt do? Its failure counts whether or not a callback told of it. */
export function observedWatching(
  record: RecordIn<'watching'>,
  seen: Answer,
  tasks: readonly SeenTask[],
  rules: Rules,
  nowMs: number,
): Transition {
  if (seen.type === 'unavailable') {
    const checks = record.checks + 1;
    const waitMs = nextLookMs(checks, rules.timing.sweepIntervalMs, seen.retryAfterMs);
    return become({ ...record, checks, dueAtMs: nowMs + waitMs }, 'already_scheduled', 'orchestrator_unavailable');
  }
  const isStillPrevious = showsPrevious(record.previous, seen);
  // Also where a person's restart that was reported does not show yet.
  if (seen.state !== 'failed' || (isStillPrevious && record.previous?.mode == null)) {
    const dueAtMs = nextRegularLookMs(record, rules.timing, nowMs);
    return become({ ...record, checks: 0, dueAtMs }, 'already_scheduled', 'attempt_running');
  }
  if (isStillPrevious && record.previous !== null) {
    const { failureClass } = judgeRecord(record, rules, nowMs);
    return foundUnchanged(record, record.previous, failureClass, rules, nowMs);
  }
  const toldByMs = callbackDueMs(seen, nowMs);
  if (record.failures.length === 0 && toldByMs !== null) {
    return become({ ...record, checks: 0, dueAtMs: toldByMs }, 'already_scheduled', 'not_settled');
  }
  const known =
    record.failures.length > 0
      ? withSeenTasks(record, tasks, rules, nowMs)
      : { ...record, failures: unreported(record, seen, tasks, rules, nowMs) };
  return settle(known, seen.fingerprint, rules, nowMs);
}

/** Until when the callback may come; null once it is late, or where the end says nothing (a clock that is ahead). */
function callbackDueMs({ fingerprint: { endedAtMs } }: SeenRun, nowMs: number): number | null {
  if (endedAtMs === null || endedAtMs > nowMs || nowMs >= endedAtMs + CALLBACK_LAG_MS) return null;
  return endedAtMs + CALLBACK_LAG_MS;
}
