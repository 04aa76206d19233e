import type { Alert } from '../../src/alerts/port.ts';

export const NOW_MS = Date.UTC(2026, 10, 21, 12);

export const FAILURE: Alert['failures'][number] = {
  id: 'ti:1',
  taskId: 'load',
  mapIndex: -1,
  tryNumber: 3,
  operator: 'PythonOperator',
  exceptionType: 'ConnectionError',
  message: 'refused',
  failureClass: 'task_error',
  failedAtMs: NOW_MS,
  logUrl: 'http://airflow/log',
  refused: false,
};

export const ALERT: Alert = {
  dedupeKey: 'dagain/etl/run+1/1000/gave_up/3',
  incident: 'dagain/etl/run+1/1000',
  kind: 'gave_up',
  isOutdated: false,
  isShadow: false,
  key: { dagId: 'etl', dagRunId: 'run+1' },
  reason: 'max_retries_reached',
  attempt: 3,
  retriesUsed: 2,
  maxRetries: 2,
  firstFailedAtMs: NOW_MS - 60_000,
  createdAtMs: NOW_MS,
  failures: [FAILURE],
  runUrl: 'http://airflow/dags/etl/runs/run%2B1',
  pageUrl: 'https://dagain.example/runs/etl/run%2B1',
  runbookUrl: 'https://wiki.example/dagain',
};

export const RECOVERED: Alert = {
  ...ALERT,
  dedupeKey: 'dagain/etl/run+1/1000/recovered/4',
  kind: 'recovered',
  reason: 'run_succeeded',
  attempt: 4,
  failures: [],
};
