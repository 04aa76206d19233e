import type { AuditEntry } from '../model/audit-log.ts';
import type { Dag, Task } from '../model/dag-definition.ts';
import type { Run, TaskInstance } from '../model/run-state.ts';
import { isoZulu } from '../model/times.ts';
import type { AirflowVersion } from '../model/versions.ts';

const DAG_VERSION_ID = '019b76da-a800-7000-8000-000000000001';

export function time(timeMs: number | null): string | null {
  return timeMs === null ? null : isoZulu(timeMs);
}

function seconds(fromMs: number | null, toMs: number | null): number | null {
  return fromMs === null || toMs === null ? null : (toMs - fromMs) / 1_000;
}

function dagVersion(dagId: string) {
  return {
    id: DAG_VERSION_ID,
    version_number: 1,
    dag_id: dagId,
    bundle_name: 'dags-folder',
    bundle_version: null,
    created_at: '2025-12-31T00:00:00Z',
    dag_display_name: dagId,
    bundle_url: null,
  };
}

/** A run as `GET .../dagRuns/{id}` shows it. There is neither `clear_number` nor `updated_at` in it. */
export function runV2(run: Run, version: AirflowVersion) {
  return {
    dag_run_id: run.dagRunId,
    dag_id: run.dagId,
    logical_date: time(run.logicalDateMs),
    queued_at: time(run.queuedAtMs),
    start_date: time(run.startedAtMs),
    end_date: time(run.endedAtMs),
    ...(version === '3.0' ? {} : { duration: seconds(run.startedAtMs, run.endedAtMs) }),
    data_interval_start: time(run.logicalDateMs),
    data_interval_end: time(run.logicalDateMs),
    run_after: time(run.runAfterMs),
    last_scheduling_decision: time(run.lastSchedulingDecisionMs),
    run_type: run.runType,
    state: run.state,
    triggered_by: run.triggeredBy,
    ...(version === '3.0' ? {} : { triggering_user_name: run.triggeringUser }),
    conf: run.conf,
    note: run.note,
    dag_versions: [dagVersion(run.dagId)],
    bundle_version: null,
    ...(version === '3.0' ? {} : { dag_display_name: run.dagId }),
    ...(version === '3.0' || version === '3.1' ? {} : { partition_key: null }),
    ...(version === '3.3' ? { partition_date: null } : {}),
  };
}

/** A task as `GET /dags/{id}/tasks/{task_id}` shows it, in part. */
export function taskV2(task: Task) {
  return {
    task_id: task.taskId,
    task_display_name: task.taskId,
    owner: 'airflow',
    trigger_rule: task.triggerRule,
    depends_on_past: false,
    is_mapped: !task.mapIndexes.includes(-1),
    retries: task.retries,
    operator_name: task.operator,
    downstream_task_ids: task.downstream,
  };
}

export function taskInstanceV2(run: Run, instance: TaskInstance) {
  return {
    id: instance.id,
    task_id: instance.task.taskId,
    dag_id: run.dagId,
    dag_run_id: run.dagRunId,
    map_index: instance.mapIndex,
    logical_date: time(run.logicalDateMs),
    run_after: time(run.runAfterMs),
    start_date: time(instance.startedAtMs),
    end_date: time(instance.endedAtMs),
    duration: seconds(instance.startedAtMs, instance.endedAtMs),
    state: instance.state,
    try_number: instance.tryNumber,
    max_tries: instance.maxTries,
    task_display_name: instance.task.taskId,
    dag_display_name: run.dagId,
    hostname: instance.startedAtMs === null ? '' : 'worker',
    unixname: 'airflow',
    pool: 'default_pool',
    pool_slots: 1,
    queue: 'default',
    priority_weight: 1,
    operator: instance.task.operator,
    operator_name: instance.task.operator,
    queued_when: time(instance.queuedAtMs),
    scheduled_when: time(instance.scheduledAtMs),
    pid: null,
    executor: null,
    executor_config: '{}',
    note: null,
    rendered_map_index: null,
    rendered_fields: {},
    trigger: null,
    triggerer_job: null,
    dag_version: dagVersion(run.dagId),
  };
}

export function dagV2(dag: Dag) {
  return {
    dag_id: dag.dagId,
    dag_display_name: dag.dagId,
    is_paused: dag.isPaused,
    is_stale: false,
    last_parsed_time: '2026-01-01T00:00:00Z',
    last_parse_duration: 0.1,
    last_expired: null,
    bundle_name: 'dags-folder',
    bundle_version: null,
    relative_fileloc: `${dag.dagId}.py`,
    fileloc: `/opt/airflow/dags/${dag.dagId}.py`,
    description: null,
    timetable_summary: null,
    timetable_description: 'Never, external triggers only',
    tags: [...dag.tags].sort().map((name) => ({ name, dag_id: dag.dagId, dag_display_name: dag.dagId })),
    max_active_tasks: 16,
    max_active_runs: dag.maxActiveRuns,
    max_consecutive_failed_dag_runs: 0,
    has_task_concurrency_limits: false,
    has_import_errors: dag.isUnloadable,
    next_dagrun_logical_date: null,
    next_dagrun_data_interval_start: null,
    next_dagrun_data_interval_end: null,
    next_dagrun_run_after: null,
    owners: ['airflow'],
  };
}

export function auditV2(entry: AuditEntry) {
  return {
    event_log_id: entry.id,
    when: time(entry.atMs),
    dag_id: entry.dagId,
    task_id: entry.taskId,
    run_id: entry.dagRunId,
    map_index: entry.mapIndex,
    try_number: entry.tryNumber,
    event: entry.event,
    logical_date: null,
    owner: entry.owner,
    extra: entry.extra,
    dag_display_name: entry.dagId,
    task_display_name: entry.taskId,
  };
}

/** Lists of 3.3 can also be read by cursor, and say so. */
export function collectionV2(name: string, items: readonly unknown[], total: number, version: AirflowVersion) {
  const cursors = { total_entries_limit: null, next_cursor: null, previous_cursor: null };
  return { [name]: items, total_entries: total, ...(version === '3.3' ? cursors : {}) };
}
