import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { LeastClears } from '../port.ts';
import { asPassing, toUnavailable, toUnreadable, type Unavailable, unavailable, whatIsMissing } from './answers.ts';
import type { HttpAnswer } from './http.ts';
import type { ObserveDeps } from './observe.ts';
import type { TimeLimit } from './time-limit.ts';

const MAX_INSTANCES = 100;
/** Tasks whose retries are asked for, those with the most tries first: one that has run in each attempt tells it all. */
const MAX_TASKS = 3;

const TaskInstances = z.object({
  task_instances: z.array(z.object({ task_id: z.string(), max_tries: z.int().nullish() })),
});
const Task = z.object({ task_id: z.string(), retries: z.number().nonnegative().nullish() });

/**
 * Reads how often a run has been cleared at least, by what its tasks' tries tell. Airflow begins with `max_tries` at the
 * retries of the task, and each clear sets it to the tries made so far and the retries once more.
 */
export async function readLeastClears(deps: ObserveDeps, key: RunKey, limit: TimeLimit): Promise<LeastClears> {
  const mostTries = await readMostTries(deps, key, limit);
  if ('reason' in mostTries) return mostTries;
  const tasks = [...mostTries].filter(([, tries]) => tries > 0).toSorted(([, a], [, b]) => b - a);
  let clears = 0;
  for (const [taskId, tries] of tasks.slice(0, MAX_TASKS)) {
    const retries = await readRetries(deps, key.dagId, taskId, limit);
    if (retries !== null && typeof retries !== 'number') return retries;
    // No attempt makes more tries than one and the retries.
    if (retries !== null) clears = Math.max(clears, Math.ceil((tries - retries) / (retries + 1)));
  }
  return { type: 'found', clears };
}

function isGone(missing: ReturnType<typeof whatIsMissing>): boolean {
  return missing === 'run' || missing === 'dag';
}

/** The highest `max_tries` of each task. */
async function readMostTries(
  { client, versions }: ObserveDeps,
  key: RunKey,
  limit: TimeLimit,
): Promise<ReadonlyMap<string, number> | Unavailable> {
  const version = await versions.current();
  if (version.type === 'unavailable') return asPassing(version);
  const segments = ['dags', key.dagId, 'dagRuns', key.dagRunId, 'taskInstances'];
  const call = { api: version.api, method: 'GET', segments, query: { limit: String(MAX_INSTANCES) } } as const;
  const { name, result } = await client.call(call, limit);
  if (result.type === 'failure') return toUnavailable(name, result);
  // Without the run, or its Dag, nothing is cleared anyway; that it is gone is for others to find out.
  if (result.status === 404 && isGone(whatIsMissing(result, key))) return new Map();
  if (result.status !== 200) return toUnreadable(name, result);
  const read = TaskInstances.safeParse(result.json);
  if (!read.success) return unavailable('unexpected_answer', `${name} answered 200 with something else than tasks`);
  const most = new Map<string, number>();
  for (const { task_id: taskId, max_tries: tries } of read.data.task_instances) {
    most.set(taskId, Math.max(most.get(taskId) ?? 0, tries ?? 0));
  }
  return most;
}

/** As the Dag has them now; null: it has no such task any more. */
async function readRetries(
  { client, versions }: ObserveDeps,
  dagId: string,
  taskId: string,
  limit: TimeLimit,
): Promise<number | null | Unavailable> {
  const version = await versions.current();
  if (version.type === 'unavailable') return asPassing(version);
  const call = { api: version.api, method: 'GET', segments: ['dags', dagId, 'tasks', taskId] } as const;
  const { name, result } = await client.call(call, limit);
  if (result.type === 'failure') return toUnavailable(name, result);
  if (result.status === 404 && isUnknownTask(result, taskId)) return null;
  if (result.status !== 200) return toUnreadable(name, result);
  const task = Task.safeParse(result.json);
  if (!task.success || task.data.task_id !== taskId) {
    return unavailable('unexpected_answer', `${name} answered 200 with something else than this task`);
  }
  return task.data.retries ?? 0;
}

const Sentences = z.object({ detail: z.string().nullish(), title: z.string().nullish() });

/** Whether a 404 is Airflow's own word, 3's or 2's, on this very task; a proxy's page says nothing. */
function isUnknownTask(answer: HttpAnswer, taskId: string): boolean {
  const said = Sentences.safeParse(answer.json).data;
  return said?.detail === `Task with id ${taskId} was not found` || said?.title === 'Task not found';
}
