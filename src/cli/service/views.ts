import { z } from 'zod';

// What commands read in the service's answers; whatever else stands there is passed on as it is.

const Time = z.string().nullable();
const Pause = z.object({ scope: z.string(), actor: z.string(), comment: z.string(), at: Time });
const Mark = Pause.omit({ scope: true });

const RunFields = z.object({
  dag_id: z.string(),
  dag_run_id: z.string(),
  phase: z.string(),
  attempt: z.int(),
  retries_used: z.int(),
  max_retries: z.int(),
  due_at: Time,
  next_look_at: Time,
  failure_class: z.string().nullable(),
  held: Mark.nullable(),
  paused: Pause.nullable(),
  shadow: z.boolean(),
  airflow_url: z.string().nullable(),
  first_failed_at: Time,
  reason: z.string().nullable(),
  pending_alerts: z.int(),
});

/** A run in a list. */
export const RunSummary = RunFields.extend({
  last_failure: z
    .object({ task_id: z.string().nullable(), exception_type: z.string().nullable(), failed_at: Time })
    .nullable()
    .optional(),
});
export type RunSummary = z.infer<typeof RunSummary>;

/** A run by itself. */
export const RunView = RunFields.extend({
  failures: z.array(
    z.object({
      task_id: z.string().nullable(),
      map_index: z.int().nullable(),
      failure_class: z.string(),
      failed_at: Time,
      exception: z.object({ type: z.string().nullable(), message: z.string().nullable() }).nullable(),
    }),
  ),
  history: z.array(
    z.object({ at: Time, type: z.string(), attempt: z.int(), reason: z.string(), detail: z.string().nullable() }),
  ),
});
export type RunView = z.infer<typeof RunView>;

export const OperationView = z.object({ decision: z.string(), reason: z.string(), run: RunView.nullable() });

export const EventView = z.object({
  at: Time,
  type: z.string(),
  dag_id: z.string().nullable(),
  dag_run_id: z.string().nullable(),
  attempt: z.int().nullable(),
  reason: z.string(),
  task_id: z.string().nullable(),
  action: z.string().nullable(),
  actor: z.string().nullable(),
  comment: z.string().nullable(),
  retries: z.int().nullable(),
});
export type EventView = z.infer<typeof EventView>;

export const ExplainView = z.object({
  dag_id: z.string(),
  dag_run_id: z.string(),
  verdict: z.string(),
  summary: z.string(),
  because: z.array(z.string()),
  advice: z.array(z.string()),
  run: RunView.nullable(),
  audit_log: z.object({
    status: z.string(),
    entries: z.array(
      z.object({
        at: Time,
        action: z.string(),
        by: z.string().nullable(),
        is_ours: z.boolean(),
        task_id: z.string().nullable(),
      }),
    ),
  }),
  events: z.array(EventView),
});
export type ExplainView = z.infer<typeof ExplainView>;

export const BulkView = z.object({
  dry_run: z.boolean(),
  matched: z.int(),
  changed: z.int(),
  outcomes: z.array(z.object({ decision: z.string(), reason: z.string(), count: z.int() })),
  sample: z.array(
    z.object({
      dag_id: z.string(),
      dag_run_id: z.string(),
      phase: z.string(),
      decision: z.string(),
      reason: z.string(),
    }),
  ),
  is_complete: z.boolean(),
});
export type BulkView = z.infer<typeof BulkView>;

export const DagView = z.object({
  dag_id: z.string(),
  phases: z.record(z.string(), z.int()),
  held: z.int(),
  paused: Pause.nullable(),
});
export type DagView = z.infer<typeof DagView>;

export const PauseAnswer = z.object({ scope: z.string(), paused: Pause.nullable(), changed: z.boolean() });

export const StatusView = z.object({
  version: z.string(),
  mode: z.string(),
  store: z.string(),
  orchestrator: z.object({
    status: z.string(),
    name: z.string().optional(),
    version: z.string().optional(),
    reason: z.string().optional(),
  }),
  pauses: z.array(Pause),
  started_at: Time,
  public_url: z.string().nullable(),
});

const Counts = z.record(z.string(), z.int());
export const StatsView = z.object({
  window_seconds: z.number(),
  current: z.object({ phases: Counts, held: z.int(), due: z.int(), paused: z.int(), pending_alerts: z.int() }),
  totals: Counts,
  buckets: z.array(z.object({ from: Time, failed: z.int(), retried: z.int(), recovered: z.int(), gave_up: z.int() })),
  top_dags: z.array(z.object({ dag_id: z.string(), retried: z.int(), recovered: z.int(), gave_up: z.int() })),
  top_tasks: z.array(z.object({ dag_id: z.string(), task_id: z.string(), failed: z.int() })),
  is_complete: z.boolean(),
});
export type StatsView = z.infer<typeof StatsView>;
