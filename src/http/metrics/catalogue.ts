import { FailureClass } from '../../core/policy.ts';
import { DECISIONS } from '../../core/reason.ts';
import { PHASES } from '../../core/record.ts';

/** A label's values where they are few, else what it says. Neither ever holds an id of a Dag, a run or a task. */
export type Labels = Readonly<Record<string, readonly string[] | string>>;

export interface Metric<L extends Labels = Labels> {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  readonly help: string;
  readonly labels: L;
  /** Of a histogram: the upper bounds. */
  readonly buckets?: readonly number[];
}

const REASON = 'the reason, a stable word';
const NO_ANSWER = [
  'unreachable',
  'timed_out',
  'unauthorized',
  'forbidden',
  'rate_limited',
  'server_error',
  'unexpected_answer',
] as const;
const FAILURE_CLASSES = FailureClass.options;
const CALL_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const metric = <const L extends Labels>(
  type: Metric['type'],
  name: string,
  help: string,
  labels: L,
  buckets: readonly number[] = [],
): Metric<L> => ({ type, name, help, labels, buckets });

/** Every metric there is, besides those of the process and of Node; the table of the documentation is made from it. */
export const METRICS = {
  buildInfo: metric('gauge', 'dagain_build_info', 'Always 1; the labels say what runs here.', {
    version: 'of dagain',
    node: 'version of Node',
  }),
  serviceInfo: metric('gauge', 'dagain_service_info', 'Always 1; the labels say how it is set up.', {
    mode: 'as `DAGAIN_MODE`',
    store: ['redis', 'sqlite'],
    watch: ['off', 'on'],
  }),
  callbacks: metric('counter', 'dagain_callbacks_total', 'Callbacks taken, by what they were answered.', {
    decision: DECISIONS,
    reason: REASON,
  }),
  failures: metric('counter', 'dagain_failed_attempts_total', 'Attempts that were found failed and wait for a retry.', {
    failure_class: FAILURE_CLASSES,
  }),
  retries: metric('counter', 'dagain_retries_total', 'Retries spent; in shadow mode those that would have been.', {
    failure_class: FAILURE_CLASSES,
  }),
  ended: metric('counter', 'dagain_runs_ended_total', 'Runs whose retries ended; recovered: a retry helped.', {
    how: ['recovered', 'gave_up', 'ended'],
    reason: REASON,
  }),
  recoveredAttempts: metric(
    'histogram',
    'dagain_recovered_run_attempts',
    'Attempts that recovered runs took, the original included.',
    {},
    [2, 3, 4, 5, 6, 8, 11],
  ),
  restarts: metric('counter', 'dagain_restarts_by_people_total', 'Runs that somebody else restarted meanwhile.', {}),
  operations: metric('counter', 'dagain_operations_total', "Operators' actions on runs.", {
    action: 'pause, resume, cancel, retry-now, reset or grant',
    decision: DECISIONS,
  }),
  steps: metric('counter', 'dagain_steps_total', 'Times that a record was worked on.', { reason: REASON }),
  looks: metric('counter', 'dagain_looks_total', 'Looks at a run in Airflow, by what they showed.', {
    result: ['found', 'missing', 'unavailable'],
    reason: '`ok`, `listed` (told by a list of many), or why there was no answer',
  }),
  clears: metric('counter', 'dagain_clears_total', 'Clear requests, by what became of them.', {
    outcome: ['accepted', 'missing', 'refused', 'not_applied', 'unknown', 'rehearsed', 'too_late'],
  }),
  orchestratorStatus: metric(
    'gauge',
    'dagain_orchestrator_status',
    'Airflow as a request with our credentials found it within the last 15 s: 1 for what holds, 0 for the others.',
    { status: ['reachable', ...NO_ANSWER] },
  ),
  orchestratorCalls: metric(
    'histogram',
    'dagain_orchestrator_call_duration_seconds',
    'Calls of Airflow, logins and repeats included.',
    { operation: '`observe`, `clear`, `audit_trail` and so on', result: ['ok', ...NO_ANSWER, 'error'] },
    CALL_SECONDS,
  ),
  notes: metric('counter', 'dagain_notes_total', "Lines written into runs' notes, or not.", {
    result: '`accepted`, `no_room`, `missing`, `refused`, `dropped`, or why there was no answer',
  }),
  searches: metric('counter', 'dagain_watch_searches_total', 'Searches for failed runs (watch mode).', {
    result: ['read', 'unavailable'],
  }),
  found: metric('counter', 'dagain_watch_found_runs_total', 'Failed runs of which no callback told (watch mode).', {
    result: ['taken_up', 'stopped_by_person', 'audit_log_untold'],
  }),
  alerts: metric('counter', 'dagain_alert_sends_total', 'Alerts sent to a channel; abandoned: for the last time.', {
    channel: 'as configured',
    result: ['accepted', 'not_accepted', 'abandoned'],
  }),
  pendingAlerts: metric('gauge', 'dagain_pending_alerts', 'Alerts that their channel has not accepted yet.', {
    channel: 'as configured',
  }),
  oldestAlert: metric(
    'gauge',
    'dagain_oldest_pending_alert_timestamp_seconds',
    'When the oldest of them was due first; absent without any.',
    {},
  ),
  storeUp: metric('gauge', 'dagain_store_up', 'Whether the store answered when it was asked just now.', {}),
  storeCalls: metric(
    'histogram',
    'dagain_store_call_duration_seconds',
    'Calls of the store; conflict: somebody else had changed the record.',
    {
      operation: '`load`, `compare_and_swap`, `take_due` and so on',
      result: '`ok`, `conflict`, the code of an error such as `store_unavailable`, or `error`',
    },
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 2.5],
  ),
  records: metric('gauge', 'dagain_records', 'Records in the store, held ones included.', { phase: PHASES }),
  heldRecords: metric('gauge', 'dagain_held_records', 'Records that an operator has paused.', {}),
  pauses: metric('gauge', 'dagain_pauses', 'Pauses of single Dags, and of everything, that hold now.', {
    scope: ['dag', 'everything'],
  }),
  dueRecords: metric('gauge', 'dagain_due_records', 'Records whose work is due and not taken.', {}),
  conflicts: metric('counter', 'dagain_swap_conflicts_total', 'Swaps that somebody else won.', {}),
  storeLosses: metric('counter', 'dagain_store_losses_total', 'Times that the store was found to have lost data.', {
    how: ['emptied', 'set_back'],
  }),
  lag: metric(
    'histogram',
    'dagain_due_lag_seconds',
    'How long after its due time work on a run began.',
    {},
    [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1_800],
  ),
  workFailures: metric('counter', 'dagain_work_failures_total', 'Work on a run that ended in an error.', {}),
  policyReloads: metric('counter', 'dagain_policy_reloads_total', 'Times that the policy file had changed.', {
    result: ['swapped', 'refused'],
  }),
  policyReloadOk: metric(
    'gauge',
    'dagain_policy_last_reload_successful',
    'Whether the policy file, as it is now, is in force; 0: it was refused, and the old one is.',
    {},
  ),
  httpRequests: metric(
    'histogram',
    'dagain_http_request_duration_seconds',
    'From the headers of a request to the end of its answer.',
    { method: 'of the request', route: "the route's pattern, or `unmatched`", status: 'of the answer' },
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  ),
} as const;
