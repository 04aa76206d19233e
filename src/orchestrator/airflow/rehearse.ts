import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { ClearRequest, Rehearsal } from '../port.ts';
import { describe } from './answers.ts';
import { type ClearDeps, callFor, lookAgain, refusedOutcome } from './clear.ts';
import type { TimeLimit } from './time-limit.ts';

const Tasks = z.object({ task_instances: z.array(z.unknown()), total_entries: z.int().nonnegative().optional() });

/**
 * Sends the clear of a run as a dry run: Airflow checks the permission and lists the task instances that it would clear.
 * Whatever goes wrong, nothing was done, so that there is no unknown outcome.
 */
export async function rehearseClear(
  { client, versions }: ClearDeps,
  key: RunKey,
  request: ClearRequest,
  limit: TimeLimit,
): Promise<Rehearsal> {
  const version = await versions.current();
  if (version.type === 'unavailable') return { ...version, type: 'not_applied' };
  const { name, result } = await client.call(callFor(version, key, request, true), limit);
  if (result.type === 'failure') {
    const { reason, detail, retryAfterMs } = result;
    return { type: 'not_applied', reason, detail, retryAfterMs };
  }
  if (result.status === 200) {
    const tasks = Tasks.safeParse(result.json).data;
    if (tasks !== undefined) {
      return { type: 'rehearsed', tasks: tasks.total_entries ?? tasks.task_instances.length };
    }
    const detail = describe(name, result);
    return { type: 'not_applied', reason: 'unexpected_answer', detail, retryAfterMs: null };
  }
  const outcome = await lookAgain(versions, version, result, key, refusedOutcome(name, result, key));
  if (outcome.type !== 'unknown') return outcome;
  const { reason, detail } = outcome;
  return { type: 'not_applied', reason, detail, retryAfterMs: result.retryAfterMs };
}
