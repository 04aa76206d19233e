import { z } from 'zod';
import { problem } from './errors.ts';
import { type AirflowResponse, html, json } from './messages.ts';
import { checkTypes, readTime, refuseUnknown, requireObject, requireRun } from './require-v1.ts';
import { type Call, param, runsOf } from './routing.ts';
import { referenceV1, runV1 } from './serialize-v1.ts';

const Clear = z.object({ dry_run: z.boolean().optional() });

/** Always the whole run: Airflow 2 knows no `only_failed` here. The two blanks too many are Airflow's. */
export function clear(call: Call): AirflowResponse {
  const { model } = call;
  const input = requireObject(call);
  const body = checkTypes(call, Clear, input);
  const run = requireRun(call, (dagRunId, dagId) => `Dag Run id ${dagRunId} not found in dag   ${dagId}`);
  refuseUnknown(call, Clear, input);
  if (run.dag.isUnloadable)
    problem(model.traits.release, { status: 500, title: 'Internal Server Error', isGeneric: true });
  if (body.dry_run ?? true) {
    return json(200, { task_instances: run.taskInstances.map((instance) => referenceV1(run, instance)) });
  }
  model.clearing.clearRun(run, { owner: call.user });
  return json(200, runV1(run));
}

const ClearTasks = z.object({
  dry_run: z.boolean().optional(),
  start_date: z.string().optional(),
  end_date: z.string().optional(),
  only_failed: z.boolean().optional(),
  only_running: z.boolean().optional(),
  include_subdags: z.boolean().optional(),
  include_parentdag: z.boolean().optional(),
  reset_dag_runs: z.boolean().optional(),
  task_ids: z.array(z.string()).min(1).optional(),
  dag_run_id: z.string().nullable().optional(),
  include_upstream: z.boolean().optional(),
  include_downstream: z.boolean().optional(),
  include_future: z.boolean().optional(),
  include_past: z.boolean().optional(),
});

export function clearTasks(call: Call): AirflowResponse {
  const { model } = call;
  const dagId = param(call, 'dag_id');
  const input = requireObject(call);
  const body = checkTypes(call, ClearTasks, input);
  refuseUnknown(call, ClearTasks, input);
  const { release } = model.traits;
  if (model.dag(dagId) === undefined) problem(release, { status: 404, title: `Dag id ${dagId} not found` });
  const dagRunId = body.dag_run_id ?? null;
  const run = dagRunId === null ? undefined : model.run({ dagId, dagRunId });
  if (dagRunId !== null && run === undefined) {
    problem(release, { status: 404, title: `Dag Run id ${dagRunId} not found in dag ${dagId}` });
  }
  const options = {
    owner: call.user,
    taskIds: body.task_ids ?? null,
    includeUpstream: body.include_upstream ?? false,
    includeDownstream: body.include_downstream ?? false,
    onlyFailed: body.only_failed ?? true,
    onlyRunning: body.only_running ?? false,
    // Unlike Airflow 3, it leaves the run alone unless told otherwise.
    resetDagRuns: body.reset_dag_runs ?? false,
  };
  const targets = run === undefined ? runsOf(call) : [run];
  const references = targets.flatMap((target) => {
    const isDryRun = body.dry_run ?? true;
    const matched = isDryRun
      ? model.clearing.matchTasks(target, options)
      : (model.clearing.clearTasks(target, options) ?? []);
    return matched.map((instance) => referenceV1(target, instance));
  });
  return json(200, { task_instances: references });
}

const Note = z.object({ note: z.string().max(1_000).nullable() });

export function setNote(call: Call): AirflowResponse {
  const input = requireObject(call);
  const body = checkTypes(call, Note, input);
  const run = requireRun(call, (dagRunId, dagId) => `Dag Run id ${dagRunId} not found in dag ${dagId}`);
  refuseUnknown(call, Note, input);
  call.model.setNote(run, body.note);
  return json(200, runV1(run));
}

const State = z.object({ state: z.enum(['success', 'failed', 'queued']) });

export function setState(call: Call): AirflowResponse {
  const { state } = checkTypes(call, State, requireObject(call));
  const run = requireRun(call, (dagRunId, dagId) => `Dag Run id ${dagRunId} not found in dag ${dagId}`);
  if (state !== 'queued') call.model.mark(run, state, call.user);
  return json(200, runV1(run));
}

const Trigger = z.object({
  dag_run_id: z.string().nullable().optional(),
  logical_date: z.string().nullable().optional(),
  execution_date: z.string().nullable().optional(),
  conf: z.record(z.string(), z.unknown()).optional(),
  note: z.string().nullable().optional(),
});

export function trigger(call: Call): AirflowResponse {
  const { model } = call;
  const { release } = model.traits;
  const dagId = param(call, 'dag_id');
  const body = checkTypes(call, Trigger, requireObject(call));
  if (model.dag(dagId) === undefined) {
    problem(release, { status: 404, title: 'DAG not found', detail: `DAG with dag_id: '${dagId}' not found` });
  }
  const date = body.logical_date ?? body.execution_date ?? null;
  const logicalDateMs = date === null ? model.timers.nowMs() : readTime(call, date);
  const dagRunId = body.dag_run_id ?? `manual__${new Date(logicalDateMs).toISOString().replace('Z', '+00:00')}`;
  // Unlike Airflow 3, it takes `..`, and breaks down over what it cannot put into a path.
  if (!/^[A-Za-z0-9_.~:+-]+$/.test(dagRunId)) return html(500, '<!doctype html><html><body>Ooops!</body></html>');
  if (model.run({ dagId, dagRunId }) !== undefined) {
    const detail = `DAGRun with DAG ID: '${dagId}' and DAGRun ID: '${dagRunId}' already exists`;
    problem(release, { status: 409, title: 'Conflict', detail });
  }
  const options = { logicalDateMs, conf: body.conf ?? {}, note: body.note ?? null, user: call.user };
  return json(200, runV1(model.trigger({ dagId, dagRunId }, options)));
}
