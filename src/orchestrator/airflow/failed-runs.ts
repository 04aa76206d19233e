import { z } from 'zod';
import type { FailedRun, FailedRuns, FailedRunsCursor } from '../port.ts';
import { toUnavailable, unavailable } from './answers.ts';
import type { ObserveDeps } from './observe.ts';
import { ALL } from './paths.ts';
import { readNamedRun } from './runs.ts';
import type { TimeLimit } from './time-limit.ts';

/** The most that Airflow gives at once unless its `maximum_page_limit` says otherwise. */
const PAGE = 100;

const Page = z.object({ dag_runs: z.array(z.unknown()), total_entries: z.int().nonnegative().nullish() });

/**
 * Reads a page of failed runs by when they ended. Not by `updated_at`: no answer shows that time, so that one could only
 * count rows, and every run that is cleared meanwhile would push an unread one to a page that was read already.
 */
export async function readFailedRuns(
  { client, versions }: ObserveDeps,
  from: FailedRunsCursor,
  limit: TimeLimit,
): Promise<FailedRuns> {
  const version = await versions.current();
  if (version.type === 'unavailable') return version;
  const query = {
    state: 'failed',
    end_date_gte: new Date(from.endedAtMs).toISOString(),
    order_by: 'end_date',
    limit: String(PAGE),
    offset: String(from.skip),
  };
  const call = { api: version.api, method: 'GET', segments: ['dags', ALL, 'dagRuns'], query } as const;
  const { name, result } = await client.call(call, limit);
  if (result.type === 'answer' && result.status === 404) versions.doubt();
  if (result.type === 'failure' || result.status !== 200) return toUnavailable(name, result);
  const page = Page.safeParse(result.json);
  if (!page.success) return unavailable('unexpected_answer', `${name} answered 200 with something else than runs`);
  const { dag_runs: rows, total_entries: total } = page.data;
  const read = rows.map(readNamedRun);
  const understood = read.filter((one) => typeof one !== 'string');
  if (!isInOrder(understood)) return unavailable('unexpected_answer', `${name} answered with runs in another order`);
  // A filter that went unheard must not turn other runs into failures.
  const runs = understood.filter((one) => isWanted(one, from));
  const isLast = rows.length === 0 || (total == null ? rows.length < PAGE : from.skip + rows.length >= total);
  const next = isLast ? null : after(understood, rows.length, from);
  return { type: 'found', runs, unreadable: read.length - understood.length, next };
}

function isWanted({ run }: FailedRun, { endedAtMs }: FailedRunsCursor): boolean {
  return run.state === 'failed' && run.fingerprint.endedAtMs !== null && run.fingerprint.endedAtMs >= endedAtMs;
}

/** Without it the runs of the next page could be any. */
function isInOrder(runs: readonly FailedRun[]): boolean {
  const ends = runs.map(({ run }) => run.fingerprint.endedAtMs ?? 0);
  return ends.every((endMs, index) => endMs >= (ends[index - 1] ?? 0));
}

/** By time wherever that leads on; rows are counted only among runs that ended in one and the same millisecond. */
function after(runs: readonly FailedRun[], rows: number, from: FailedRunsCursor): FailedRunsCursor {
  const lastMs = Math.max(from.endedAtMs, ...runs.map(({ run }) => run.fingerprint.endedAtMs ?? from.endedAtMs));
  return lastMs > from.endedAtMs ? { endedAtMs: lastMs, skip: 0 } : { ...from, skip: from.skip + rows };
}
