const AT = '2026-01-31T06:00:41.000Z';
const RUN = { dag_id: 'etl_daily', dag_run_id: 'scheduled__2026-01-31T05:00:00+00:00' } as const;
const WHO = { actor: 'ann', comment: 'the warehouse is down until ten' } as const;

const SUMMARY = {
  ...RUN,
  phase: 'waiting',
  attempt: 2,
  retries_used: 1,
  max_retries: 2,
  due_at: '2026-01-31T06:03:41.000Z',
  next_look_at: '2026-01-31T06:03:41.000Z',
  failure_class: 'task_error',
  held: null,
  paused: null,
  shadow: false,
  airflow_url: 'https://airflow.example/dags/etl_daily/runs/scheduled__2026-01-31T05%3A00%3A00%2B00%3A00',
  first_failed_at: '2026-01-31T05:20:10.000Z',
  reason: null,
  pending_alerts: 0,
} as const;

const FAILURE = {
  id: 'ti:01998a52-4f6a-7c1e-9f37-5b1f6f1d2c11',
  task_id: 'load',
  map_index: -1,
  try_number: 2,
  operator: 'PythonOperator',
  exception: { type: 'builtins.ValueError', message: 'no rows' },
  failure_class: 'task_error',
  failed_at: AT,
  log_url: null,
} as const;

const HISTORY = [
  { at: AT, type: 'failure_reported', attempt: 2, reason: 'retry_scheduled', detail: null },
  { at: AT, type: 'settled', attempt: 2, reason: 'settled', detail: null },
] as const;

const VIEW = { ...SUMMARY, failures: [FAILURE], history: HISTORY };

const EVENT = {
  id: '1769839241000-0',
  at: AT,
  type: 'failed',
  ...RUN,
  attempt: 2,
  retries_used: 1,
  reason: 'settled',
  task_id: 'load',
  failure_class: 'task_error',
  action: null,
  actor: null,
  comment: null,
  retries: null,
} as const;

const PAUSE = { scope: 'etl_daily', ...WHO, at: AT } as const;

/** An example of each schema that has one; a test holds them against the schemas. */
export const EXAMPLES = {
  TaskFailedBody: {
    ...RUN,
    task_id: 'load',
    try_number: 2,
    exception: { type: 'builtins.ValueError', message: 'no rows' },
    failed_at: '2026-01-31T06:00:41.123456+00:00',
    retry: { max_retries: 3, delay: '30s' },
  },
  RunFailedBody: { ...RUN, reason: 'timed_out' },
  RunSucceededBody: RUN,
  CallbackAnswer: {
    decision: 'retry_scheduled',
    ...RUN,
    next_attempt: 3,
    retries_used: 1,
    max_retries: 2,
    due_at: '2026-01-31T06:03:41.000Z',
    reason: 'failure_reported',
  },
  RunView: VIEW,
  AnyRunPage: { runs: [VIEW], next_cursor: null },
  OperationBody: WHO,
  GrantBody: { ...WHO, retries: 2 },
  OperationView: { decision: 'held', reason: 'held_by_operator', run: { ...VIEW, held: { ...WHO, at: AT } } },
  BulkBody: {
    action: 'pause',
    filter: { phase: ['waiting'], dag_id: 'etl_*', older_than: '2h' },
    ...WHO,
    dry_run: true,
    max_runs: 500,
  },
  BulkView: {
    dry_run: true,
    matched: 1,
    changed: 1,
    outcomes: [{ decision: 'held', reason: 'held_by_operator', count: 1 }],
    sample: [{ ...RUN, phase: 'waiting', decision: 'held', reason: 'held_by_operator' }],
    is_complete: true,
  },
  DagPage: {
    dags: [
      {
        dag_id: 'etl_daily',
        phases: { confirming: 0, waiting: 1, clearing: 0, watching: 0, giving_up: 0, gave_up: 2 },
        held: 0,
        paused: PAUSE,
      },
    ],
    next_cursor: null,
  },
  PauseAnswer: { scope: 'etl_daily', paused: PAUSE, changed: true },
  PauseList: { pauses: [PAUSE] },
  EventPage: { events: [EVENT], next_cursor: null },
} as const;
