import { toMail } from '../../src/alerts/email.ts';
import type { Alert } from '../../src/alerts/port.ts';
import { summarise, titleOf } from '../../src/alerts/wording.ts';

const AT_MS = Date.UTC(2026, 10, 21, 4, 12);
const INCIDENT = `dagain/etl_daily/scheduled__2026-11-21T02:00:00+00:00/${AT_MS - 3_600_000}`;

const GAVE_UP: Alert = {
  dedupeKey: `${INCIDENT}/gave_up/3`,
  incident: INCIDENT,
  kind: 'gave_up',
  isOutdated: false,
  isShadow: false,
  key: { dagId: 'etl_daily', dagRunId: 'scheduled__2026-11-21T02:00:00+00:00' },
  reason: 'max_retries_reached',
  attempt: 3,
  retriesUsed: 2,
  maxRetries: 2,
  firstFailedAtMs: AT_MS - 3_600_000,
  createdAtMs: AT_MS,
  failures: [
    {
      id: 'ti',
      taskId: 'load',
      mapIndex: -1,
      tryNumber: 3,
      operator: 'PythonOperator',
      exceptionType: 'psycopg.OperationalError',
      message: 'connection refused',
      failureClass: 'task_error',
      failedAtMs: AT_MS,
      logUrl: null,
      refused: false,
    },
  ],
  runUrl: 'https://airflow.example/dags/etl_daily/runs/scheduled__2026-11-21T02%3A00%3A00%2B00%3A00',
  pageUrl: 'https://dagain.example/runs/etl_daily/scheduled__2026-11-21T02%3A00%3A00%2B00%3A00',
  runbookUrl: 'https://wiki.example/dagain',
};

/** What people read, as the channels word it. */
export function alertMessages(): string {
  const { subject, text } = toMail(GAVE_UP, { from: '', to: [] });
  const others: Alert[] = [
    { ...GAVE_UP, kind: 'attempt_failed', attempt: 1, retriesUsed: 0 },
    { ...GAVE_UP, kind: 'recovered', attempt: 4, failures: [] },
  ];
  const lines = others.map((alert) => `${titleOf(alert)}\n${summarise(alert)}`);
  return ['```text', `Subject: ${subject}\n`, text.trimEnd(), '```', '', '```text', lines.join('\n\n'), '```'].join(
    '\n',
  );
}
