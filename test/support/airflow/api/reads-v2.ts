import type { Run } from '../model/run-state.ts';
import { filterAudit } from './audit-query.ts';
import { RunList } from './bodies-v2.ts';
import { check } from './fields.ts';
import { requireObject } from './json-body.ts';
import { type AirflowResponse, json } from './messages.ts';
import { pageOf, readRanges, readRunQuery, readTaskStates, refuseOrder, runPage } from './queries-v2.ts';
import { requireDag, requireRun, requireTask } from './require-v2.ts';
import { type Call, param, runsOf } from './routing.ts';
import { auditV2, collectionV2, dagV2, runV2, taskInstanceV2, taskV2 } from './serialize-v2.ts';

export function version({ model }: Call): AirflowResponse {
  return json(200, { version: model.traits.release, git_version: null });
}

export function health({ model }: Call): AirflowResponse {
  const at = new Date(model.timers.nowMs()).toISOString();
  return json(200, {
    metadatabase: { status: 'healthy' },
    scheduler: { status: 'healthy', latest_scheduler_heartbeat: at },
    triggerer: { status: null, latest_triggerer_heartbeat: null },
    dag_processor: { status: 'healthy', latest_dag_processor_heartbeat: at },
  });
}

export function readDag(call: Call): AirflowResponse {
  return json(200, dagV2(requireDag(call)));
}

export function listDags({ model, query }: Call): AirflowResponse {
  const { limit, offset } = pageOf(query);
  const dags = model.dags();
  return json(200, { dags: dags.slice(offset, offset + limit).map(dagV2), total_entries: dags.length });
}

export function readRun(call: Call): AirflowResponse {
  return json(200, runV2(requireRun(call), call.model.version));
}

export function listRuns(call: Call): AirflowResponse {
  if (param(call, 'dag_id') !== '~') requireDag(call);
  return runCollection(call, runPage(call, readRunQuery(call)));
}

export function listRunsByBody(call: Call): AirflowResponse {
  const body = check(RunList, requireObject(call.body), 'body');
  return runCollection(
    call,
    runPage(call, {
      dagIds: body.dag_ids,
      states: body.states,
      ranges: readRanges(body),
      orderBy: body.order_by ?? 'id',
      limit: body.page_limit,
      offset: body.page_offset,
    }),
  );
}

function runCollection({ model }: Call, { page, total }: { page: readonly Run[]; total: number }): AirflowResponse {
  const runs = page.map((run) => runV2(run, model.version));
  return json(200, collectionV2('dag_runs', runs, total, model.version));
}

export function readTask(call: Call): AirflowResponse {
  return json(200, taskV2(requireTask(call)));
}

export function listTasks(call: Call): AirflowResponse {
  const { model, query } = call;
  const states = readTaskStates(query);
  const { limit, offset } = pageOf(query);
  const runs = param(call, 'dag_run_id') === '~' ? runsOf(call) : [requireRun(call)];
  const all = runs.flatMap((run) => run.taskInstances.map((instance) => ({ run, instance })));
  const found = all.filter(({ instance }) => states.length === 0 || states.includes(instance.state ?? 'none'));
  const page = found.slice(offset, offset + limit).map(({ run, instance }) => taskInstanceV2(run, instance));
  return json(200, collectionV2('task_instances', page, found.length, model.version));
}

export function listAudit({ model, query }: Call): AirflowResponse {
  const { limit, offset } = pageOf(query);
  // What is logged of a Dag that is not there, nobody may read.
  const readable = model.audit.entries().filter(({ dagId }) => dagId === null || model.dag(dagId) !== undefined);
  const found = filterAudit(readable, query) ?? refuseOrder(query.get('order_by') ?? '');
  const page = found.slice(offset, offset + limit).map(auditV2);
  return json(200, { event_logs: page, total_entries: found.length });
}
