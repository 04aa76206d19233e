import { z } from 'zod';
import type { Run } from '../model/run-state.ts';
import { filterAudit } from './audit-query.ts';
import { problem } from './errors.ts';
import { type AirflowResponse, json } from './messages.ts';
import { badRequest, checkTypes, pageOf, readTime, refuseUnknown, requireObject } from './require-v1.ts';
import { type Call, keyOf, param, runsOf } from './routing.ts';
import { queryRuns, type RunQuery, type TimeAttribute, type TimeRange } from './run-query.ts';
import { auditV1, dagV1, runV1, taskInstanceV1, taskV1 } from './serialize-v1.ts';

export function version({ model }: Call): AirflowResponse {
  return json(200, { git_version: '', version: model.traits.release });
}

export function health({ model }: Call): AirflowResponse {
  const at = new Date(model.timers.nowMs()).toISOString();
  return json(200, {
    dag_processor: { latest_dag_processor_heartbeat: null, status: null },
    metadatabase: { status: 'healthy' },
    scheduler: { latest_scheduler_heartbeat: at, status: 'healthy' },
    triggerer: { latest_triggerer_heartbeat: null, status: null },
  });
}

export function readDag(call: Call): AirflowResponse {
  const dagId = param(call, 'dag_id');
  const { release } = call.model.traits;
  const detail = `The DAG with dag_id: ${dagId} was not found`;
  return json(200, dagV1(call.model.dag(dagId) ?? problem(release, { status: 404, title: 'DAG not found', detail })));
}

export function listDags(call: Call): AirflowResponse {
  const { limit, offset } = pageOf(call);
  const dags = call.model.dags();
  return json(200, { dags: dags.slice(offset, offset + limit).map(dagV1), total_entries: dags.length });
}

export function readRun(call: Call): AirflowResponse {
  const { dagId, dagRunId } = keyOf(call);
  const { release } = call.model.traits;
  const detail = `DAGRun with DAG ID: '${dagId}' and DagRun ID: '${dagRunId}' not found`;
  const run = call.model.run({ dagId, dagRunId });
  return json(200, runV1(run ?? problem(release, { status: 404, title: 'DAGRun not found', detail })));
}

export const RANGES = ['start_date', 'execution_date', 'end_date', 'updated_at'].flatMap((name) => [
  `${name}_gte`,
  `${name}_lte`,
]);

/** An unknown Dag is an empty list here, not a 404. */
export function listRuns(call: Call): AirflowResponse {
  const states = call.query.getAll('state');
  return runPage(call, {
    dagIds: null,
    states,
    ranges: RANGES.flatMap((name) => readRange(call, name, call.query.get(name))),
    orderBy: call.query.get('order_by') ?? 'id',
    ...pageOf(call),
  });
}

const texts = z.array(z.string()).optional();

const RunList = z.object({
  order_by: z.string().optional(),
  page_offset: z.int().nonnegative().optional(),
  page_limit: z.int().positive().optional(),
  dag_ids: texts,
  states: texts,
  ...Object.fromEntries(RANGES.map((name) => [name, z.string().optional()])),
});

export function listRunsByBody(call: Call): AirflowResponse {
  const input = requireObject(call);
  const body = checkTypes(call, RunList, input);
  refuseUnknown(call, RunList, input);
  return runPage(
    { ...call, params: { ...call.params, dag_id: '~' } },
    {
      dagIds: body.dag_ids ?? null,
      states: body.states ?? null,
      // `updated_at_*` is taken, but has no effect.
      ranges: RANGES.filter((name) => !name.startsWith('updated')).flatMap((name) => {
        return readRange(call, name, z.string().safeParse(input[name]).data ?? null);
      }),
      orderBy: body.order_by ?? 'id',
      limit: body.page_limit ?? 100,
      offset: body.page_offset ?? 0,
    },
  );
}

const ATTRIBUTES: Readonly<Record<string, TimeAttribute>> = {
  start_date: 'start_date',
  end_date: 'end_date',
  updated_at: 'updated_at',
  execution_date: 'logical_date',
};

function readRange(call: Call, name: string, text: string | null): TimeRange[] {
  const attribute = ATTRIBUTES[name.slice(0, -4)];
  if (text === null || attribute === undefined) return [];
  return [{ attribute, bound: name.endsWith('gte') ? 'gte' : 'lte', timeMs: readTime(call, text) }];
}

function runPage(call: Call, query: RunQuery): AirflowResponse {
  const { page, total } = queryRuns(runsOf(call), query) ?? refuseOrder(call, query.orderBy);
  return json(200, { dag_runs: page.map(runV1), total_entries: total });
}

function refuseOrder(call: Call, orderBy: string): never {
  const name = orderBy.replace(/^-+/, '');
  return badRequest(call, `Ordering with '${name}' is disallowed or the attribute does not exist on the model`);
}

export function readTask(call: Call): AirflowResponse {
  const { release } = call.model.traits;
  const dag = call.model.dag(param(call, 'dag_id'));
  if (dag === undefined || dag.isUnloadable) return problem(release, { status: 404, title: 'DAG not found' });
  const task = dag.tasks.get(param(call, 'task_id'));
  return json(200, taskV1(task ?? problem(release, { status: 404, title: 'Task not found' })));
}

export function listTasks(call: Call): AirflowResponse {
  const states = call.query.getAll('state');
  const { limit, offset } = pageOf(call);
  const run = call.model.run(keyOf(call));
  const runs: Run[] = param(call, 'dag_run_id') === '~' ? runsOf(call) : run === undefined ? [] : [run];
  const all = runs.flatMap((one) => one.taskInstances.map((instance) => ({ run: one, instance })));
  const found = all.filter(({ instance }) => states.length === 0 || states.includes(instance.state ?? 'none'));
  const page = found.slice(offset, offset + limit);
  return json(200, {
    task_instances: page.map((one) => taskInstanceV1(one.run, one.instance)),
    total_entries: found.length,
  });
}

export function listAudit(call: Call): AirflowResponse {
  const { limit, offset } = pageOf(call);
  const query = new URLSearchParams(call.query);
  // Several events are one value here, with commas between them.
  for (const name of ['included_events', 'excluded_events']) {
    const events = query.get(name)?.split(',') ?? [];
    query.delete(name);
    for (const event of events) query.append(name, event);
  }
  const found = filterAudit(call.model.audit.entries(), query) ?? refuseOrder(call, query.get('order_by') ?? '');
  return json(200, { event_logs: found.slice(offset, offset + limit).map(auditV1), total_entries: found.length });
}
