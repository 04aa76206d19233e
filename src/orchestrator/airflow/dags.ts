import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { DagDescription, FailedTasks } from '../port.ts';
import { asPassing, toUnavailable, toUnreadable, unavailable, whatIsMissing } from './answers.ts';
import type { HttpAnswer } from './http.ts';
import type { ObserveDeps } from './observe.ts';
import type { TimeLimit } from './time-limit.ts';

/** More failed tasks than this tell nothing new. */
const MAX_FAILED_TASKS = 100;

const Dag = z.object({
  dag_id: z.string(),
  tags: z
    .array(z.object({ name: z.string() }))
    .nullish()
    .transform((tags) => tags ?? []),
  is_paused: z.boolean().nullish(),
});

const TaskInstances = z.object({
  task_instances: z.array(
    z.object({
      task_id: z.string(),
      map_index: z.int().nullish(),
      try_number: z.int().nullish(),
      operator: z.string().nullish(),
      state: z.string().nullish(),
    }),
  ),
});

/** Reads a Dag's tags and whether it is paused. */
export async function describeDag(
  { client, versions }: ObserveDeps,
  dagId: string,
  limit: TimeLimit,
): Promise<DagDescription> {
  const version = await versions.current();
  if (version.type === 'unavailable') return asPassing(version);
  const call = { api: version.api, method: 'GET', segments: ['dags', dagId] } as const;
  const { name, result } = await client.call(call, limit);
  if (result.type === 'answer' && result.status === 404) {
    if (isUnknownDag(result, dagId)) return { type: 'missing' };
    // A path that this Airflow does not have: it may have been upgraded since its version was read.
    versions.doubt();
  }
  if (result.type === 'failure') return toUnavailable(name, result);
  if (result.status !== 200) return toUnreadable(name, result);
  const dag = Dag.safeParse(result.json);
  if (!dag.success || dag.data.dag_id !== dagId) {
    return unavailable('unexpected_answer', `${name} answered 200 with something else than this Dag`);
  }
  return { type: 'found', tags: dag.data.tags.map((tag) => tag.name), isPaused: dag.data.is_paused ?? false };
}

const Sentence = z.object({ detail: z.string() });

/** Whether a 404 is Airflow's own word, 3's or 2's, on this very Dag; a proxy's page says nothing. */
function isUnknownDag(answer: HttpAnswer, dagId: string): boolean {
  const said = Sentence.safeParse(answer.json).data?.detail;
  return (
    said === `The Dag with ID: \`${dagId}\` was not found` || said === `The DAG with dag_id: ${dagId} was not found`
  );
}

/** Reads which tasks of a run have failed, the first hundred. */
export async function readFailedTasks(
  { client, versions }: ObserveDeps,
  key: RunKey,
  limit: TimeLimit,
): Promise<FailedTasks> {
  const version = await versions.current();
  if (version.type === 'unavailable') return version;
  const segments = ['dags', key.dagId, 'dagRuns', key.dagRunId, 'taskInstances'];
  const query = { state: 'failed', limit: String(MAX_FAILED_TASKS) };
  const { name, result } = await client.call({ api: version.api, method: 'GET', segments, query }, limit);
  if (result.type === 'answer' && result.status === 404 && whatIsMissing(result, key) !== 'run') versions.doubt();
  if (result.type === 'failure' || result.status !== 200) return toUnavailable(name, result);
  const read = TaskInstances.safeParse(result.json);
  if (!read.success) return unavailable('unexpected_answer', `${name} answered 200 with something else than tasks`);
  // A filter that went unheard must not turn tasks that succeeded into failures.
  const failed = read.data.task_instances.filter(({ state }) => state == null || state === 'failed');
  const tasks = failed.slice(0, MAX_FAILED_TASKS).map((task) => ({
    taskId: task.task_id,
    mapIndex: task.map_index ?? -1,
    tryNumber: task.try_number ?? null,
    operator: task.operator ?? null,
  }));
  return { type: 'found', tasks };
}
