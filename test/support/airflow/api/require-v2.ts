import type { Dag, Task } from '../model/dag-definition.ts';
import type { Run } from '../model/run-state.ts';
import { refuse } from './errors.ts';
import { type Call, keyOf, param } from './routing.ts';

export function requireDag(call: Call): Dag {
  const dagId = param(call, 'dag_id');
  return call.model.dag(dagId) ?? refuse(404, `The Dag with ID: \`${dagId}\` was not found`);
}

export function requireTask(call: Call): Task {
  const taskId = param(call, 'task_id');
  const dag = requireDag(call);
  if (dag.isUnloadable) refuse(404, `The Dag with ID: \`${dag.dagId}\` was not found`);
  return dag.tasks.get(taskId) ?? refuse(404, `Task with id ${taskId} was not found`);
}

export function requireRun(call: Call): Run {
  const { dagId, dagRunId } = keyOf(call);
  const detail = `The DagRun with dag_id: \`${dagId}\` and run_id: \`${dagRunId}\` was not found`;
  return call.model.run({ dagId, dagRunId }) ?? refuse(404, detail);
}
