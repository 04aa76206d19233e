import { join } from 'node:path';

/** Each has its pinned `requirements-<version>.txt` beside this file. */
export const AIRFLOW_VERSIONS = ['3.3.2', '3.0.6', '2.11.2', '2.10.5'] as const;
export type AirflowVersion = (typeof AIRFLOW_VERSIONS)[number];

/** Both may do everything. The audit log tells them apart: the sidecar logs in as `dagain`, a person as `admin`. */
export const USERS = [
  { username: 'admin', password: 'admin' },
  { username: 'dagain', password: 'dagain' },
] as const;

export interface AirflowPlace {
  version: AirflowVersion;
  port: number;
  /** Where Airflow 3 serves its own tasks. */
  executionPort: number;
  /** AIRFLOW_HOME: logs, configuration, passwords. */
  home: string;
  dagsFolder: string;
  /** The SQLite file. */
  database: string;
}

/** The environment of every process of one Airflow: small, local and quick to react. */
export function settingsFor(place: AirflowPlace): Record<string, string> {
  const url = `http://127.0.0.1:${place.port}`;
  const shared = {
    AIRFLOW_HOME: place.home,
    AIRFLOW__CORE__DAGS_FOLDER: place.dagsFolder,
    AIRFLOW__CORE__LOAD_EXAMPLES: 'False',
    AIRFLOW__CORE__EXECUTOR: 'LocalExecutor',
    AIRFLOW__CORE__PARALLELISM: '12',
    // On a busy machine a lock can last longer than the 5 s that SQLite waits by default, which ends the scheduler.
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN: `sqlite:///${place.database}?timeout=30`,
    AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS: 'False',
    AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME: '0.2',
    PYTHONWARNINGS: 'ignore',
  };
  return { ...shared, ...(place.version.startsWith('2.') ? settingsV2(place, url) : settingsV3(place, url)) };
}

function settingsV3({ port, executionPort, home }: AirflowPlace, url: string): Record<string, string> {
  return {
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS: USERS.map(({ username }) => `${username}:admin`).join(','),
    AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE: passwordsFile(home),
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL: `http://127.0.0.1:${executionPort}/execution/`,
    AIRFLOW__API__HOST: '127.0.0.1',
    AIRFLOW__API__PORT: String(port),
    AIRFLOW__API__BASE_URL: url,
    AIRFLOW__API__WORKERS: '1',
    AIRFLOW__API__SECRET_KEY: 'only-for-tests',
    // One for all processes: each would make up its own.
    AIRFLOW__API_AUTH__JWT_SECRET: 'only-for-tests-only-for-tests-only-for-tests-only-for-tests-only',
    // The supervisor often notices a task's exit only at its next heartbeat (5 s by default).
    AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL: '1',
    AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL: '5',
    AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL: '30',
    // On a busy machine parsing falls behind, and by default a Dag that was not parsed for 50 s is taken out.
    AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD: '3600',
    AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES: '1',
  };
}

function settingsV2({ port }: AirflowPlace, url: string): Record<string, string> {
  return {
    // Airflow 2 refuses LocalExecutor on SQLite, but for this switch of its own test bench.
    _AIRFLOW__SKIP_DATABASE_EXECUTOR_COMPATIBILITY_CHECK: '1',
    AIRFLOW__API__AUTH_BACKENDS: 'airflow.api.auth.backend.basic_auth',
    AIRFLOW__WEBSERVER__WEB_SERVER_HOST: '127.0.0.1',
    AIRFLOW__WEBSERVER__WEB_SERVER_PORT: String(port),
    AIRFLOW__WEBSERVER__BASE_URL: url,
    AIRFLOW__WEBSERVER__WORKERS: '1',
    AIRFLOW__WEBSERVER__SECRET_KEY: 'only-for-tests',
    // A task's end also schedules what follows it; without row locks, as on SQLite, that counts a try twice.
    AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION: 'False',
    AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL: '5',
    AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL: '30',
    AIRFLOW__SCHEDULER__STALE_DAG_THRESHOLD: '3600',
    AIRFLOW__SCHEDULER__PARSING_PROCESSES: '1',
  };
}

export function passwordsFile(home: string): string {
  return join(home, 'passwords.json');
}
