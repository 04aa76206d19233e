import { z } from 'zod';
import { failureClassOf } from '../core/judgement.ts';
import { FailureClass } from '../core/policy.ts';
import { dueAtOf, type Failure, type HistoryEntry, keyOf, PHASES, type RunRecord } from '../core/record.ts';
import { pendingRetryAtMs } from '../core/transition/result.ts';
import type { RunSurroundings } from '../engine/runs.ts';
import { isoTime } from './iso-time.ts';
import { PauseView, toPauseView } from './pause-view.ts';

const Time = z.iso.datetime().nullable();

/** A reported failure of the current attempt; `task_id` is null for the run as a whole. */
export const FailureView = z.object({
  id: z.string(),
  task_id: z.string().nullable(),
  map_index: z.int().nullable(),
  try_number: z.int().nullable(),
  operator: z.string().nullable(),
  exception: z.object({ type: z.string().nullable(), message: z.string().nullable() }).nullable(),
  failure_class: FailureClass,
  failed_at: Time,
  log_url: z.string().nullable(),
});

export const HistoryView = z.object({
  at: Time,
  type: z.string(),
  attempt: z.int(),
  reason: z.string(),
  detail: z.string().nullable(),
});

/** A run as people see it. */
export const RunView = z.object({
  dag_id: z.string(),
  dag_run_id: z.string(),
  phase: z.enum(PHASES),
  attempt: z.int().describe('The latest attempt that has started; the original is 1.'),
  retries_used: z.int(),
  max_retries: z.int(),
  due_at: Time.describe("When the pending retry's delay is over; null if none is pending."),
  next_look_at: Time.describe('When the service next does anything for the run; null: not until somebody acts.'),
  failure_class: FailureClass.nullable().describe('Of the failure that is being retried; null while none is known.'),
  held: z.object({ actor: z.string(), comment: z.string(), at: Time }).nullable(),
  paused: PauseView.nullable().describe('The pause of the Dag, or of everything, that stops its retries.'),
  shadow: z.boolean().describe('Shadow mode: nothing is cleared, whatever is decided.'),
  airflow_url: z.string().nullable(),
  first_failed_at: Time,
  reason: z.string().nullable().describe('Why the run was given up.'),
  failures: z.array(FailureView),
  pending_alerts: z.int().describe('Alerts that a channel has not accepted yet.'),
  history: z.array(HistoryView),
});
export type RunView = z.infer<typeof RunView>;

/** The same in short, for long lists. */
export const RunSummary = RunView.omit({ history: true, failures: true }).extend({
  last_failure: z
    .object({
      task_id: z.string().nullable(),
      failure_class: FailureClass,
      exception_type: z.string().nullable(),
      failed_at: Time,
    })
    .nullable(),
});
export type RunSummary = z.infer<typeof RunSummary>;

export function toRunView(record: RunRecord, surroundings: RunSurroundings): RunView {
  return {
    ...mainFields(record, surroundings),
    failures: record.failures.map(toFailureView),
    history: record.history.map(toHistoryView),
  };
}

export function toRunSummary(record: RunRecord, surroundings: RunSurroundings): RunSummary {
  const last = record.failures.at(-1);
  return {
    ...mainFields(record, surroundings),
    last_failure:
      last === undefined
        ? null
        : {
            task_id: last.taskId,
            failure_class: last.failureClass,
            exception_type: last.exceptionType,
            failed_at: isoTime(last.failedAtMs),
          },
  };
}

function mainFields(record: RunRecord, { linkTo, pauseOf, isShadow }: RunSurroundings) {
  const { held } = record;
  const pause = pauseOf(record.dagId);
  return {
    dag_id: record.dagId,
    dag_run_id: record.dagRunId,
    phase: record.phase,
    attempt: record.attempt,
    retries_used: record.retriesUsed,
    max_retries: record.maxRetries,
    due_at: isoTime(pendingRetryAtMs(record)),
    next_look_at: isoTime(dueAtOf(record)),
    failure_class: failureClassOf(record),
    held: held === null ? null : { actor: held.actor, comment: held.comment, at: isoTime(held.atMs) },
    paused: pause === null ? null : toPauseView(pause),
    shadow: isShadow,
    airflow_url: linkTo(keyOf(record)),
    first_failed_at: isoTime(record.firstFailedAtMs),
    reason: record.phase === 'giving_up' || record.phase === 'gave_up' ? record.reason : null,
    pending_alerts: record.outbox.length,
  };
}

function toFailureView(failure: Failure): z.infer<typeof FailureView> {
  const { exceptionType: type, message } = failure;
  return {
    id: failure.id,
    task_id: failure.taskId,
    map_index: failure.mapIndex,
    try_number: failure.tryNumber,
    operator: failure.operator,
    exception: type === null && message === null ? null : { type, message },
    failure_class: failure.failureClass,
    failed_at: isoTime(failure.failedAtMs),
    log_url: failure.logUrl,
  };
}

function toHistoryView({ atMs, type, attempt, reason, detail }: HistoryEntry): z.infer<typeof HistoryView> {
  return { at: isoTime(atMs), type, attempt, reason, detail: detail ?? null };
}
