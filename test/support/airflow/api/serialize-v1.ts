import type { AuditEntry } from '../model/audit-log.ts';
import type { Dag, Task } from '../model/dag-definition.ts';
import type { Run, TaskInstance } from '../model/run-state.ts';
import { isoOffset } from '../model/times.ts';

function time(timeMs: number | null): string | null {
  return timeMs === null ? null : isoOffset(timeMs);
}

/** In Airflow 2, every run has a logical date: that of a triggered one is when it was triggered. */
function logicalDate(run: Run): string | null {
  return time(run.logicalDateMs ?? run.runAfterMs);
}

/** A run as Airflow 2 shows it: without `queued_at`, `run_after` and `clear_number`. */
export function runV1(run: Run) {
  return {
    conf: run.conf,
    dag_id: run.dagId,
    dag_run_id: run.dagRunId,
    data_interval_end: logicalDate(run),
    data_interval_start: logicalDate(run),
    end_date: time(run.endedAtMs),
    execution_date: logicalDate(run),
    external_trigger: run.runType === 'manual',
    last_scheduling_decision: time(run.lastSchedulingDecisionMs),
    logical_date: logicalDate(run),
    note: run.note,
    run_type: run.runType,
    start_date: time(run.startedAtMs),
    state: run.state,
  };
}

/** A task as `GET /dags/{id}/tasks/{task_id}` shows it, in part. */
export function taskV1(task: Task) {
  return {
    task_id: task.taskId,
    owner: 'airflow',
    trigger_rule: task.triggerRule,
    depends_on_past: false,
    is_mapped: !task.mapIndexes.includes(-1),
    retries: task.retries,
    class_ref: { class_name: task.operator, module_path: 'airflow.operators' },
    downstream_task_ids: task.downstream,
  };
}

export function taskInstanceV1(run: Run, instance: TaskInstance) {
  const { startedAtMs, endedAtMs } = instance;
  return {
    dag_id: run.dagId,
    dag_run_id: run.dagRunId,
    duration: startedAtMs === null || endedAtMs === null ? null : (endedAtMs - startedAtMs) / 1_000,
    end_date: time(endedAtMs),
    execution_date: logicalDate(run),
    executor: null,
    executor_config: '{}',
    hostname: startedAtMs === null ? '' : 'worker',
    map_index: instance.mapIndex,
    max_tries: instance.maxTries,
    note: null,
    operator: instance.task.operator,
    pid: null,
    pool: 'default_pool',
    pool_slots: 1,
    priority_weight: 1,
    queue: 'default',
    queued_when: time(instance.queuedAtMs),
    rendered_fields: {},
    rendered_map_index: null,
    sla_miss: null,
    start_date: time(startedAtMs),
    state: instance.state,
    task_display_name: instance.task.taskId,
    task_id: instance.task.taskId,
    trigger: null,
    triggerer_job: null,
    try_number: instance.tryNumber,
    unixname: 'airflow',
  };
}

/** What a dry run and `clearTaskInstances` list. */
export function referenceV1(run: Run, instance: TaskInstance) {
  return {
    dag_id: run.dagId,
    dag_run_id: run.dagRunId,
    execution_date: logicalDate(run),
    task_id: instance.task.taskId,
  };
}

export function dagV1(dag: Dag) {
  return {
    dag_display_name: dag.dagId,
    dag_id: dag.dagId,
    default_view: 'grid',
    description: null,
    file_token: 'Ii9vcHQvYWlyZmxvdy9kYWdzLyI.token',
    fileloc: `/opt/airflow/dags/${dag.dagId}.py`,
    has_import_errors: dag.isUnloadable,
    has_task_concurrency_limits: false,
    is_active: true,
    is_paused: dag.isPaused,
    is_subdag: false,
    last_expired: null,
    last_parsed_time: '2026-01-01T00:00:00+00:00',
    last_pickled: null,
    max_active_runs: dag.maxActiveRuns,
    max_active_tasks: 16,
    max_consecutive_failed_dag_runs: 0,
    next_dagrun: null,
    next_dagrun_create_after: null,
    next_dagrun_data_interval_end: null,
    next_dagrun_data_interval_start: null,
    owners: ['airflow'],
    pickle_id: null,
    root_dag_id: null,
    schedule_interval: null,
    scheduler_lock: null,
    tags: dag.tags.map((name) => ({ name })),
    timetable_description: 'Never, external triggers only',
  };
}

export function auditV1(entry: AuditEntry) {
  return {
    dag_id: entry.dagId,
    event: entry.event,
    event_log_id: entry.id,
    execution_date: null,
    extra: entry.extra,
    map_index: entry.mapIndex,
    owner: entry.owner,
    run_id: entry.dagRunId,
    task_id: entry.taskId,
    try_number: entry.tryNumber,
    when: time(entry.atMs),
  };
}
