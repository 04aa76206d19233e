import { z } from 'zod';
import { Patch, parseClear, parseClearTasks, Trigger } from './bodies-v2.ts';
import { refuse } from './errors.ts';
import { check } from './fields.ts';
import { requireObject } from './json-body.ts';
import { type AirflowResponse, json } from './messages.ts';
import { requireDag, requireRun } from './require-v2.ts';
import { type Call, param, runsOf } from './routing.ts';
import { collectionV2, runV2, taskInstanceV2 } from './serialize-v2.ts';

const Credentials = z.strictObject({ username: z.string(), password: z.string() });

export function login({ auth, body }: Call): AirflowResponse {
  const credentials = Credentials.safeParse(body.type === 'object' ? body.value : null);
  if (!credentials.success) return refuse(422, '1 validation error for LoginBody');
  const { username, password } = credentials.data;
  if (username === '' || password === '') return refuse(400, 'Username and password must be provided');
  const token = auth.login(username, password);
  return token === null ? refuse(401, 'Invalid credentials') : json(201, { access_token: token });
}

const RUN_ID = /^[A-Za-z0-9_.~:+-]+$/;

export function trigger(call: Call): AirflowResponse {
  const { model } = call;
  const body = check(Trigger, requireObject(call.body), 'body');
  const dagId = param(call, 'dag_id');
  if (model.dag(dagId) === undefined) refuse(404, `Dag with dag_id: '${dagId}' not found`);
  const dagRunId = body.dag_run_id ?? `manual__${new Date(model.timers.nowMs()).toISOString()}`;
  if (dagRunId.includes('..')) refuse(400, `The run_id '${dagRunId}' must not contain '..' to prevent path traversal`);
  if (!RUN_ID.test(dagRunId)) {
    refuse(400, `The run_id provided '${dagRunId}' does not match regex pattern '${RUN_ID.source}'`);
  }
  if (model.run({ dagId, dagRunId }) !== undefined) refuseDuplicate();
  const { logical_date: logicalDateMs, conf, note } = body;
  const options = { logicalDateMs, conf: conf ?? {}, note, user: call.user };
  return json(200, runV2(model.trigger({ dagId, dagRunId }, options), model.version));
}

function refuseDuplicate(): never {
  const message = 'Serious error when handling your request. Check logs for more details';
  return refuse(409, { reason: 'Unique constraint violation', statement: 'hidden', orig_error: 'hidden', message });
}

export function patch(call: Call): AirflowResponse {
  const input = requireObject(call.body);
  const body = check(Patch, input, 'body');
  const run = requireRun(call);
  const mask = call.query.getAll('update_mask');
  const isSet = (name: string) => name in input && (mask.length === 0 || mask.includes(name));
  if (isSet('note')) call.model.setNote(run, body.note === '' ? null : body.note);
  if (isSet('state') && (body.state === 'success' || body.state === 'failed')) {
    call.model.mark(run, body.state, call.user);
  }
  return json(200, runV2(run, call.model.version));
}

export function clear(call: Call): AirflowResponse {
  const { model } = call;
  const body = parseClear(call.body, model.version);
  const run = requireRun(call);
  if (run.dag.isUnloadable) refuse(404, `Dag with id ${run.dagId} was not found`);
  const options = { onlyFailed: body.only_failed, onlyNew: body.only_new ?? false };
  if (body.dry_run) {
    const matched = model.clearing.matchRun(run, options).map((instance) => taskInstanceV2(run, instance));
    return json(200, { task_instances: matched, total_entries: matched.length });
  }
  const runOnLatestVersion = body.run_on_latest_version ?? null;
  model.clearing.clearRun(run, { ...options, owner: call.user, runOnLatestVersion });
  if (body.note !== undefined && body.note !== null) model.setNote(run, body.note);
  return json(200, runV2(run, model.version));
}

const IS_RUNNING =
  "AirflowClearRunningTaskException: Disable 'prevent_running_task' to proceed, or wait until the task is not running, queued, or scheduled state.";

export function clearTasks(call: Call): AirflowResponse {
  const { model } = call;
  const body = parseClearTasks(call.body, model.version);
  requireDag(call);
  const key = { dagId: param(call, 'dag_id'), dagRunId: body.dag_run_id ?? '' };
  const run = model.run(key);
  if (body.dag_run_id !== null && run === undefined) {
    refuse(404, `Dag Run id ${key.dagRunId} not found in dag ${key.dagId}`);
  }
  const options = {
    owner: call.user,
    taskIds: body.task_ids,
    includeUpstream: body.include_upstream,
    includeDownstream: body.include_downstream,
    onlyFailed: body.only_failed,
    onlyRunning: body.only_running,
    resetDagRuns: body.reset_dag_runs,
    preventRunningTask: body.prevent_running_task ?? false,
  };
  // Without a run, those of the whole Dag are meant.
  const targets = run === undefined ? runsOf(call) : [run];
  const cleared = targets.flatMap((target) => {
    if (body.dry_run) return model.clearing.matchTasks(target, options).map((one) => taskInstanceV2(target, one));
    const instances = model.clearing.clearTasks(target, options) ?? refuse(409, IS_RUNNING);
    return instances.map((one) => taskInstanceV2(target, one));
  });
  return json(200, collectionV2('task_instances', cleared, cleared.length, model.version));
}
