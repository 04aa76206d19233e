import type { RunKey } from '../../core/run-key.ts';
import type { FailedTasks } from '../port.ts';
import { type AuditDeps, readRows } from './audit.ts';
import { LOST } from './audit-entry.ts';
import { readFailedTasks } from './dags.ts';
import type { TimeLimit } from './time-limit.ts';

const BEGUN = 'running';
/** What is written of a task that fails by itself; the second where another task's failure ends it (`fail_fast`). */
const ENDED = ['failed', 'fail task', ...LOST];
const MAX_PAGES = 3;

/**
 * Reads which failed tasks of the attempt that began at `sinceMs` were running and never failed, as far as the audit log
 * tells: somebody has set them to failed in a way that it does not show, such as the lists of runs and tasks on Airflow's
 * own pages. Where the log does not tell of tasks at all (3.0), there are none.
 */
export async function readStoppedTasks(
  deps: AuditDeps,
  key: RunKey,
  sinceMs: number,
  limit: TimeLimit,
): Promise<FailedTasks> {
  const ofAttempt = { dag_id: key.dagId, run_id: key.dagRunId, after: new Date(sinceMs - 1).toISOString() };
  const log = await readRows(deps, [BEGUN, ...ENDED], ofAttempt, MAX_PAGES, limit);
  if (log.type === 'unavailable') return log;
  const isLatestBegun = new Map<string, boolean>();
  // The newest comes first: a task that was tried again has begun again.
  for (const row of log.rows) {
    const name = nameOf(row.task_id, row.map_index);
    if (row.dag_id !== key.dagId || row.run_id !== key.dagRunId || row.when < sinceMs) continue;
    if (!isLatestBegun.has(name)) isLatestBegun.set(name, row.event === BEGUN);
  }
  if (![...isLatestBegun.values()].includes(true)) return { type: 'found', tasks: [] };
  const failed = await readFailedTasks(deps, key, limit);
  if (failed.type === 'unavailable') return failed;
  const tasks = failed.tasks.filter(({ taskId, mapIndex }) => isLatestBegun.get(nameOf(taskId, mapIndex)) === true);
  return { type: 'found', tasks };
}

function nameOf(taskId: string | null | undefined, mapIndex: number | null | undefined): string {
  return `${mapIndex ?? -1} ${taskId ?? ''}`;
}
