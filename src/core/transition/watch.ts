import type { SeenRun, SeenTask } from '../event.ts';
import type { Reason } from '../reason.ts';
import type { Failure, Fingerprint, PreviousAttempt, RecordIn, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import { commonOf, MAX_EARLIER_FAILURE_IDS, withHistory } from './fields.ts';
import { become, type Transition } from './result.ts';
import { settle } from './steps.ts';
import { unreported, withSeenTasks } from './unreported.ts';
import { nextRegularLookMs } from './watch-times.ts';

interface Start {
  readonly startedBy: 'dagain' | 'person';
  readonly previous: PreviousAttempt;
  readonly failures: readonly Failure[];
  readonly reason: Reason;
}

/** A new attempt has started, through us or through a person. */
export function startWatching(record: RunRecord, start: Start, rules: Rules, nowMs: number): Transition {
  return become(watchFrom(record, start, rules, nowMs), 'retry_scheduled', start.reason);
}

export function watchFrom(record: RunRecord, start: Start, rules: Rules, nowMs: number): RecordIn<'watching'> {
  const common = commonOf(record);
  return {
    ...common,
    phase: 'watching',
    attempt: record.attempt + 1,
    clearNumber: common.clearNumber === null ? null : common.clearNumber + clearsShown(start.previous),
    earlierFailureIds: [...common.earlierFailureIds, ...common.failures.map((failure) => failure.id)].slice(
      -MAX_EARLIER_FAILURE_IDS,
    ),
    failures: [...start.failures],
    previous: start.previous,
    history: withHistory(common.history, {
      atMs: nowMs,
      type: 'attempt_started',
      attempt: record.attempt + 1,
      reason: start.reason,
    }),
    // What arrived meanwhile may be the new attempt's failure: look at once rather than after an interval.
    dueAtMs: start.failures.length > 0 ? nowMs : nextRegularLookMs(record, rules.timing, nowMs),
    clearedAtMs: nowMs,
    startedBy: start.startedBy,
    checks: 0,
  };
}

/**
 * How many clears it takes, at least, from this attempt to the next one: callbacks carry their number. What ran may have
 * been cleared without one; what never started may only have been ended once more (Airflow 2), and had no callbacks.
 */
export function clearsShown({ fingerprint, wasFailed }: PreviousAttempt): 0 | 1 {
  const isMarked = fingerprint.queuedAtMs !== null || fingerprint.startedAtMs !== null;
  return wasFailed && isMarked ? 1 : 0;
}

/** What a person has restarted: how the run was seen before, how it is seen now, and what has been reported since. */
interface Restarted {
  readonly before: Fingerprint;
  readonly seen: SeenRun;
  readonly tasks: readonly SeenTask[];
  readonly failures: readonly Failure[];
}

/** A person restarted the run: what they started is watched, or, if it has failed already, counts as an attempt. */
export function followPerson(record: RunRecord, restarted: Restarted, rules: Rules, nowMs: number): Transition {
  const { before, seen, tasks, failures } = restarted;
  const reason = 'restarted_by_person';
  // Where it was cleared before it had ended it keeps its start, and callbacks that carry that are no late ones.
  const hasKeptStart = before.startedAtMs !== null && before.startedAtMs === seen.fingerprint.startedAtMs;
  const previous: PreviousAttempt = { fingerprint: before, wasFailed: !hasKeptStart, mode: null };
  const watched = watchFrom(record, { startedBy: 'person', previous, failures, reason }, rules, nowMs);
  if (seen.state !== 'failed') return become(watched, 'retry_scheduled', reason);
  const failed =
    failures.length > 0
      ? withSeenTasks(watched, tasks, rules, nowMs)
      : { ...watched, failures: unreported(watched, seen, tasks, rules, nowMs) };
  return { ...settle(failed, seen.fingerprint, rules, nowMs), reason };
}
