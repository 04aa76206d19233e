import { z } from 'zod';

/** What Airflow 2 and 3 answer, read leniently: only what tests look at, in one shape for both. */

const Time = z.iso
  .datetime({ offset: true })
  .nullish()
  .transform((text) => (text ? new Date(text) : null));

export const Run = z
  .object({
    dag_id: z.string(),
    dag_run_id: z.string(),
    state: z.enum(['queued', 'running', 'success', 'failed']),
    run_type: z.string(),
    note: z.string().nullish(),
    queued_at: Time,
    start_date: Time,
    end_date: Time,
  })
  .transform((run) => ({
    dagId: run.dag_id,
    runId: run.dag_run_id,
    state: run.state,
    runType: run.run_type,
    note: run.note ?? null,
    /** Null on Airflow 2, which does not show it. */
    queuedAt: run.queued_at,
    startedAt: run.start_date,
    endedAt: run.end_date,
  }));
export type Run = z.infer<typeof Run>;

const TaskInstance = z
  .object({
    id: z.string().nullish(),
    task_id: z.string(),
    map_index: z.int(),
    state: z.string().nullable(),
    try_number: z.int(),
    max_tries: z.int(),
    start_date: Time,
    end_date: Time,
  })
  .transform((task) => ({
    /** New for each try and each clear; null on Airflow 2 and in the list of tries. */
    id: task.id ?? null,
    taskId: task.task_id,
    mapIndex: task.map_index,
    state: task.state,
    tryNumber: task.try_number,
    maxTries: task.max_tries,
    startedAt: task.start_date,
    endedAt: task.end_date,
  }));
export type TaskInstance = z.infer<typeof TaskInstance>;
export const TaskInstances = z.object({ task_instances: z.array(TaskInstance) }).transform((all) => all.task_instances);

const Extra = z.preprocess(
  (text) => (typeof text === 'string' && text.startsWith('{') ? JSON.parse(text) : {}),
  z.record(z.string(), z.unknown()),
);

const EventLog = z
  .object({
    event_log_id: z.int(),
    event: z.string(),
    owner: z.string().nullable(),
    when: z.iso.datetime({ offset: true }),
    run_id: z.string().nullable(),
    extra: Extra,
  })
  .transform((log) => ({
    id: log.event_log_id,
    event: log.event.replace(/^api\./, ''),
    owner: log.owner,
    when: new Date(log.when),
    runId: log.run_id ?? z.string().nullable().catch(null).parse(log.extra['dag_run_id']),
    /** The request's body and method, as far as the entry is about a request. */
    extra: log.extra,
  }));
export type EventLog = z.infer<typeof EventLog>;
export const EventLogs = z.object({ event_logs: z.array(EventLog) }).transform((all) => all.event_logs);

const Part = z.object({ status: z.string().nullable() });
export const Health = z
  .object({
    metadatabase: Part,
    scheduler: Part.extend({ latest_scheduler_heartbeat: Time }),
    dag_processor: Part.extend({ latest_dag_processor_heartbeat: Time }).optional(),
  })
  .transform((health) => ({
    database: health.metadatabase.status,
    scheduler: health.scheduler.status,
    schedulerBeatAt: health.scheduler.latest_scheduler_heartbeat,
    dagProcessor: health.dag_processor?.status ?? null,
    dagProcessorBeatAt: health.dag_processor?.latest_dag_processor_heartbeat ?? null,
  }));
export type Health = z.infer<typeof Health>;

export const Token = z.object({ access_token: z.string() }).transform((token) => token.access_token);
export const ImportErrors = z
  .object({ import_errors: z.array(z.object({ filename: z.string().nullish(), stack_trace: z.string().nullish() })) })
  .transform((all) => all.import_errors.map((error) => `${error.filename}\n${error.stack_trace}`));
