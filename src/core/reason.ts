/** The decision that a caller is told; fixed by the HTTP contract. */
export const DECISIONS = [
  'retry_scheduled',
  'already_scheduled',
  'giving_up',
  'not_retryable',
  'stale',
  'held',
  'cleaned_up',
  'unknown_run',
] as const;
export type Decision = (typeof DECISIONS)[number];

/** Why a failure is not retried, or no longer. */
export const REFUSALS = [
  'retries_off',
  'manual_run',
  'task_not_selected',
  'task_ignored',
  'operator_ignored',
  'class_not_retried',
  'never_on',
  'max_retries_reached',
  'max_duration_reached',
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Stable words for why something was decided: the same in answers, timelines, logs, metrics and alerts. */
export const REASONS = [
  ...REFUSALS,
  'failure_reported',
  'tags_not_known',
  'override_clamped',
  'same_attempt',
  'earlier_attempt',
  'held_by_operator',
  'success_reported',
  'no_record',
  'not_settled',
  'settled',
  'settle_timeout',
  'orchestrator_unavailable',
  'not_due_yet',
  'clear_due',
  'clear_accepted',
  'clear_confirmed_by_read',
  'clear_not_applied',
  'clear_outcome_unknown',
  'clear_refused',
  'clear_had_no_effect',
  'retrying_all_tasks',
  'attempt_running',
  'failed_without_callback',
  'restarted_by_person',
  'run_succeeded',
  'run_missing',
  'alert_accepted',
  'alert_not_accepted',
  'alert_abandoned',
  'given_up',
  'tombstone_expired',
  'state_lost',
  'count_rebuilt',
  'superseded',
  'cancelled_by_operator',
  'resumed_by_operator',
  'granted_by_operator',
  'reset_by_operator',
  'retry_now',
  'not_held',
  'clear_under_way',
  'limit_reached',
] as const;
export type Reason = (typeof REASONS)[number];
