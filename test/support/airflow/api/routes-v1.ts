import type { AirflowResponse } from './messages.ts';
import {
  health,
  listAudit,
  listDags,
  listRuns,
  listRunsByBody,
  listTasks,
  RANGES,
  readDag,
  readRun,
  readTask,
  version,
} from './reads-v1.ts';
import { refuseUnknownQuery } from './require-v1.ts';
import { type Call, param, type Route } from './routing.ts';
import { clear, clearTasks, setNote, setState, trigger } from './writes-v1.ts';

const ROUTES: readonly Route[] = [
  { name: 'version', method: 'GET', path: '/api/v1/version', isPublic: true, handle: version },
  { name: 'health', method: 'GET', path: '/api/v1/health', isPublic: true, handle: health },
  { name: 'health', method: 'GET', path: '/health', isPublic: true, handle: health },
  { name: 'dags', method: 'GET', path: '/api/v1/dags', handle: listDags },
  { name: 'dag', method: 'GET', path: '/api/v1/dags/{dag_id}', handle: readDag },
  { name: 'task', method: 'GET', path: '/api/v1/dags/{dag_id}/tasks/{task_id}', handle: readTask },
  { name: 'runs', method: 'GET', path: '/api/v1/dags/{dag_id}/dagRuns', handle: listRuns },
  { name: 'trigger', method: 'POST', path: '/api/v1/dags/{dag_id}/dagRuns', handle: audited('post_dag_run', trigger) },
  { name: 'list', method: 'POST', path: '/api/v1/dags/~/dagRuns/list', handle: listRunsByBody },
  { name: 'run', method: 'GET', path: '/api/v1/dags/{dag_id}/dagRuns/{dag_run_id}', handle: readRun },
  {
    name: 'patch',
    method: 'PATCH',
    path: '/api/v1/dags/{dag_id}/dagRuns/{dag_run_id}',
    handle: audited('update_dag_run_state', setState),
  },
  {
    name: 'note',
    method: 'PATCH',
    path: '/api/v1/dags/{dag_id}/dagRuns/{dag_run_id}/setNote',
    handle: audited('set_dag_run_note', setNote),
  },
  {
    name: 'clear',
    method: 'POST',
    path: '/api/v1/dags/{dag_id}/dagRuns/{dag_run_id}/clear',
    handle: audited('clear_dag_run', clear),
  },
  {
    name: 'taskInstances',
    method: 'GET',
    path: '/api/v1/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances',
    handle: listTasks,
  },
  {
    name: 'clearTaskInstances',
    method: 'POST',
    path: '/api/v1/dags/{dag_id}/clearTaskInstances',
    handle: audited('post_clear_task_instances', clearTasks),
  },
  { name: 'eventLogs', method: 'GET', path: '/api/v1/eventLogs', handle: listAudit },
];

const PAGE = ['limit', 'offset', 'order_by'];

const QUERIES: Readonly<Record<string, readonly string[]>> = {
  dag: ['fields'],
  dags: [...PAGE, 'tags', 'only_active', 'paused', 'fields', 'dag_id_pattern'],
  run: ['fields'],
  runs: [...PAGE, ...RANGES, 'state', 'fields'],
  taskInstances: [...PAGE, ...RANGES, 'duration_gte', 'duration_lte', 'state', 'pool', 'queue', 'executor'],
  eventLogs: [
    ...PAGE,
    ...['dag_id', 'task_id', 'run_id', 'map_index', 'try_number', 'event', 'owner', 'before', 'after'],
    ...['included_events', 'excluded_events'],
  ],
};

/** The REST API of Airflow 2, as far as a service like this one uses it. */
export const ROUTES_V1: readonly Route[] = ROUTES.map((route) => ({
  ...route,
  handle(call) {
    refuseUnknownQuery(call, QUERIES[route.name] ?? []);
    return route.handle(call);
  },
}));

/** Airflow 2 puts `api.` in front of the event, logs dry runs, too, and takes the run's id from the path only. */
function audited(event: string, handle: (call: Call) => AirflowResponse): (call: Call) => AirflowResponse {
  return (call) => {
    const extra = JSON.stringify(call.body.type === 'object' ? call.body.value : {});
    const dagRunId = call.params['dag_run_id'] ?? null;
    call.model.audit.add({ event: `api.${event}`, dagId: param(call, 'dag_id'), dagRunId, owner: call.user, extra });
    return handle(call);
  };
}
