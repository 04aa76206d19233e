import { z } from 'zod';
import type { AirflowResponse } from './messages.ts';
import {
  health,
  listAudit,
  listDags,
  listRuns,
  listRunsByBody,
  listTasks,
  readDag,
  readRun,
  readTask,
  version,
} from './reads-v2.ts';
import { type Call, param, type Route } from './routing.ts';
import { clear, clearTasks, login, patch, trigger } from './writes-v2.ts';

/** The REST API of Airflow 3, as far as a service like this one uses it. */
export const ROUTES_V2: readonly Route[] = [
  { name: 'version', method: 'GET', path: '/api/v2/version', isPublic: true, handle: version },
  { name: 'health', method: 'GET', path: '/api/v2/monitor/health', isPublic: true, handle: health },
  { name: 'token', method: 'POST', path: '/auth/token', isPublic: true, handle: login },
  { name: 'dags', method: 'GET', path: '/api/v2/dags', handle: listDags },
  { name: 'dag', method: 'GET', path: '/api/v2/dags/{dag_id}', handle: readDag },
  { name: 'task', method: 'GET', path: '/api/v2/dags/{dag_id}/tasks/{task_id}', handle: readTask },
  { name: 'runs', method: 'GET', path: '/api/v2/dags/{dag_id}/dagRuns', handle: listRuns },
  {
    name: 'trigger',
    method: 'POST',
    path: '/api/v2/dags/{dag_id}/dagRuns',
    handle: audited('trigger_dag_run', trigger),
  },
  { name: 'list', method: 'POST', path: '/api/v2/dags/{dag_id}/dagRuns/list', handle: listRunsByBody },
  { name: 'run', method: 'GET', path: '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}', handle: readRun },
  {
    name: 'patch',
    method: 'PATCH',
    path: '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}',
    handle: audited('patch_dag_run', patch),
  },
  {
    name: 'clear',
    method: 'POST',
    path: '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/clear',
    handle: audited('clear_dag_run', clear),
  },
  {
    name: 'taskInstances',
    method: 'GET',
    path: '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances',
    handle: listTasks,
  },
  {
    name: 'clearTaskInstances',
    method: 'POST',
    path: '/api/v2/dags/{dag_id}/clearTaskInstances',
    handle: audited('post_clear_task_instances', clearTasks),
  },
  { name: 'eventLogs', method: 'GET', path: '/api/v2/eventLogs', handle: listAudit },
];

const DRY_RUNS_UNLOGGED = new Set(['clear_dag_run', 'post_clear_task_instances']);

/** Written before the request is looked at, so that failed ones are in the log, too; dry runs are not. */
function audited(event: string, handle: (call: Call) => AirflowResponse): (call: Call) => AirflowResponse {
  return (call) => {
    const body = call.body.type === 'object' ? call.body.value : {};
    const isDryRun = call.body.type === 'object' && Boolean(body['dry_run'] ?? true);
    if (!(DRY_RUNS_UNLOGGED.has(event) && isDryRun)) {
      const dagRunId = call.params['dag_run_id'] ?? z.string().safeParse(body['dag_run_id']).data ?? null;
      const method = event === 'patch_dag_run' ? 'PATCH' : 'POST';
      const extra = JSON.stringify({ ...body, method });
      call.model.audit.add({ event, dagId: param(call, 'dag_id'), dagRunId, owner: call.user, extra });
    }
    return handle(call);
  };
}
