export const AIRFLOW_VERSIONS = ['2.10', '2.11', '3.0', '3.1', '3.2', '3.3'] as const;
export type AirflowVersion = (typeof AIRFLOW_VERSIONS)[number];

/** What becomes of a task instance that was cleared while its process was alive, once that process is gone. */
export type AfterRestarting =
  /** FAILED is written over the clear: the retry is silently lost. */
  | 'failed'
  /** Success is written over the clear. */
  | 'success'
  /** It stays in RESTARTING until a person does something. */
  | 'stuck'
  /** It runs again after the task's retry delay; `max_tries` is not raised. */
  | 'up_for_retry'
  /** It runs again at once; `max_tries` is raised. */
  | 'rescheduled';

/** Where the versions of Airflow differ in what the service can see of them. */
export interface VersionTraits {
  /** What `GET version` answers. */
  readonly release: string;
  readonly api: 'v1' | 'v2';
  /** Airflow 3 names every try of a task by a UUID. */
  readonly taskInstanceIds: boolean;
  /** 3.2 and later give a run that is cleared while queued or running a new clear_number and queued_at, too. */
  readonly everyClearCounts: boolean;
  /** The process was killed because of the clear. */
  readonly afterKill: AfterRestarting;
  /** The process failed by itself, or its failure callback was running, when the clear came. */
  readonly afterFailure: AfterRestarting;
  /** The process succeeded before it could be killed. */
  readonly afterSuccess: AfterRestarting;
  /** How long a process goes on after its heartbeat was refused: SIGTERM does not interrupt it, or a second one counts. */
  readonly killGraceMs: number;
  /**
   * Airflow 2: a process that ends goes by the row as it is then, whoever has changed it, and writes its result into it,
   * even if that is another try's by now; it also moves the end of a run that is over.
   */
  readonly processOwnsRow: boolean;
  /** How often the dag processor calls back for a task whose process was killed, or whose worker was lost. */
  readonly killedCallbacks: number;
  readonly lostCallbacks: number;
  /** 3.0.0 to 3.0.2 pass no exception to callbacks. */
  readonly callbackHasException: boolean;
  /** 3.0.0 passes nearly nothing to callbacks of the Dag. */
  readonly dagCallbackHasRun: boolean;
  /** Marking a run a success turns its failed tasks into successes, too. */
  readonly markSuccessRewritesFailed: boolean;
}

const AIRFLOW_2 = {
  api: 'v1',
  taskInstanceIds: false,
  everyClearCounts: false,
  afterKill: 'up_for_retry',
  afterFailure: 'failed',
  afterSuccess: 'success',
  killGraceMs: 5_000,
  processOwnsRow: true,
  killedCallbacks: 1,
  lostCallbacks: 1,
  callbackHasException: true,
  dagCallbackHasRun: true,
  markSuccessRewritesFailed: true,
} as const;

const AIRFLOW_3 = {
  api: 'v2',
  taskInstanceIds: true,
  everyClearCounts: false,
  afterKill: 'rescheduled',
  afterFailure: 'up_for_retry',
  afterSuccess: 'rescheduled',
  killGraceMs: 5_000,
  processOwnsRow: false,
  killedCallbacks: 0,
  lostCallbacks: 2,
  callbackHasException: true,
  dagCallbackHasRun: true,
  markSuccessRewritesFailed: false,
} as const;

/** apache/airflow issue 55045. */
const STICKS = { afterKill: 'stuck', afterFailure: 'stuck', afterSuccess: 'stuck' } as const;

export const VERSION_TRAITS: Readonly<Record<AirflowVersion, VersionTraits>> = {
  '2.10': { release: '2.10.5', ...AIRFLOW_2 },
  '2.11': { release: '2.11.2', ...AIRFLOW_2 },
  '3.0': { release: '3.0.2', ...AIRFLOW_3, ...STICKS, callbackHasException: false, dagCallbackHasRun: false },
  '3.1': { release: '3.1.8', ...AIRFLOW_3 },
  '3.2': { release: '3.2.1', ...AIRFLOW_3, everyClearCounts: true },
  '3.3': { release: '3.3.2', ...AIRFLOW_3, everyClearCounts: true },
};
