import { z } from 'zod';
import type { ActiveRuns } from '../port.ts';
import { toUnavailable, unavailable } from './answers.ts';
import type { ObserveDeps } from './observe.ts';
import { ALL } from './paths.ts';
import { readNamedRun } from './runs.ts';
import type { TimeLimit } from './time-limit.ts';

/** The most that Airflow gives at once unless its `maximum_page_limit` says otherwise. */
const PAGE = 100;

const Page = z.object({ dag_runs: z.array(z.unknown()), total_entries: z.int().nonnegative() });

/** Reads a page of the queued and running runs of these Dags, in the order of their creation. */
export async function readActiveRuns(
  { client, versions }: ObserveDeps,
  dagIds: readonly string[],
  skip: number,
  limit: TimeLimit,
): Promise<ActiveRuns> {
  // To Airflow, no names mean all Dags.
  if (dagIds.length === 0) return { type: 'found', runs: [], rows: 0, total: 0 };
  const version = await versions.current();
  if (version.type === 'unavailable') return version;
  const body = { dag_ids: dagIds, states: ['queued', 'running'], page_limit: PAGE, page_offset: skip };
  const call = { api: version.api, method: 'POST', segments: ['dags', ALL, 'dagRuns', 'list'], body } as const;
  const { name, result } = await client.call(call, limit);
  if (result.type === 'answer' && result.status === 404) versions.doubt();
  if (result.type === 'failure' || result.status !== 200) return toUnavailable(name, result);
  const page = Page.safeParse(result.json);
  if (!page.success) return unavailable('unexpected_answer', `${name} answered 200 with something else than runs`);
  const { dag_runs: rows, total_entries: total } = page.data;
  const understood = rows.map(readNamedRun).filter((one) => typeof one !== 'string');
  // A filter that went unheard must not make finished runs active, nor others ours.
  const runs = understood.filter(({ key, run }) => isActive(run.state) && dagIds.includes(key.dagId));
  return { type: 'found', runs, rows: rows.length, total };
}

function isActive(state: string): boolean {
  return state === 'queued' || state === 'running';
}
