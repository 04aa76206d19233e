import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { AuditTrail, OwnClear, OwnClears } from '../port.ts';
import { asPassing, toUnavailable, toUnreadable, type Unavailable, unavailable } from './answers.ts';
import {
  AuditRow,
  clearedRun,
  EVENTS_OF_OUR_CLEARS,
  EVENTS_OF_RUNS,
  EVENTS_WITHOUT_RUN,
  readEntry,
} from './audit-entry.ts';
import type { ObserveDeps } from './observe.ts';
import type { TimeLimit } from './time-limit.ts';

export interface AuditDeps extends ObserveDeps {
  /** The name under which the audit log knows this service; null if that is not known. */
  readonly ourName: string | null;
  readonly clock: { nowMs(): number };
}

const PAGE = 100;
const MAX_PAGES_OF_RUN = 3;
const MAX_PAGES_OF_CLEARS = 10;
/** Rows that name their run only in the request's body are looked for this far back: retries last a day. */
const LOOK_BACK_MS = 7 * 24 * 3_600_000;

const Page = z.object({ event_logs: z.array(z.unknown()), total_entries: z.int().nonnegative().nullish() });

interface Rows {
  readonly type: 'rows';
  readonly rows: readonly AuditRow[];
  /** False: there are older ones that were not read. */
  readonly isComplete: boolean;
}

/** Reads what was done to a run, by whom. */
export async function readAuditTrail(deps: AuditDeps, key: RunKey, limit: TimeLimit): Promise<AuditTrail> {
  const ofRun = { dag_id: key.dagId, run_id: key.dagRunId };
  const byColumn = await readRows(deps, EVENTS_OF_RUNS, ofRun, MAX_PAGES_OF_RUN, limit);
  if (byColumn.type === 'unavailable') return byColumn;
  const lately = { dag_id: key.dagId, after: new Date(deps.clock.nowMs() - LOOK_BACK_MS).toISOString() };
  const byBody = await readRows(deps, EVENTS_WITHOUT_RUN, lately, MAX_PAGES_OF_RUN, limit);
  if (byBody.type === 'unavailable') return byBody;
  // Rows with the run in both places come with both answers.
  const rows = [...byColumn.rows, ...byBody.rows.filter(({ run_id: runId }) => runId == null)];
  const entries = rows
    .map((row) => readEntry(row, key, deps.ourName))
    .filter((entry) => entry !== null)
    .toSorted((a, b) => a.atMs - b.atMs);
  const isComplete = byColumn.isComplete && byBody.isComplete;
  return { type: 'found', entries, isComplete, knowsUs: deps.ourName !== null };
}

/** Reads which runs this service has cleared since then. */
export async function readOwnClears(deps: AuditDeps, sinceMs: number, limit: TimeLimit): Promise<OwnClears> {
  if (deps.ourName === null) {
    return unavailable('forbidden', 'it is not known by which name the audit log calls us (DAGAIN_AIRFLOW_AUDIT_USER)');
  }
  const since = { owner: deps.ourName, after: new Date(sinceMs).toISOString() };
  const found = await readRows(deps, EVENTS_OF_OUR_CLEARS, since, MAX_PAGES_OF_CLEARS, limit);
  if (found.type === 'unavailable') return found;
  // Nothing found is not nothing there, and it will not pass by itself.
  if (!found.isComplete && found.rows.length === 0)
    return unavailable('forbidden', 'an Airflow before 2.9 cannot tell them from the rest of its audit log');
  const clears: OwnClear[] = [];
  for (const row of found.rows.toReversed()) {
    const key = row.owner === deps.ourName && row.when >= sinceMs ? clearedRun(row) : null;
    if (key !== null) clears.push({ key, atMs: row.when });
  }
  return { type: 'found', clears, isComplete: found.isComplete };
}

/** Reads rows, the newest first, page by page. */
export async function readRows(
  { client, versions }: AuditDeps,
  events: readonly string[],
  filters: Readonly<Record<string, string>>,
  maxPages: number,
  limit: TimeLimit,
): Promise<Rows | Unavailable> {
  const version = await versions.current();
  if (version.type === 'unavailable') return asPassing(version);
  const { api } = version;
  const included = api === 'v1' ? events.join(',') : events;
  const rows: AuditRow[] = [];
  for (let page = 0; page < maxPages; page += 1) {
    const paging = { order_by: '-when', limit: String(PAGE), offset: String(rows.length) };
    const query = { ...filters, included_events: included, ...paging };
    const { name, result } = await client.call({ api, method: 'GET', segments: ['eventLogs'], query }, limit);
    if (result.type === 'answer' && result.status === 404) versions.doubt();
    // Before 2.9 it knows no such filters: the log is there, but nothing can be told by it. A proxy's page tells nothing.
    if (result.type === 'answer' && result.status === 400 && api === 'v1' && result.json !== undefined)
      return { type: 'rows', rows, isComplete: false };
    if (result.type === 'failure') return toUnavailable(name, result);
    if (result.status !== 200) return toUnreadable(name, result);
    const read = Page.safeParse(result.json);
    if (!read.success) return unavailable('unexpected_answer', `${name} answered 200 with something else than a log`);
    for (const one of read.data.event_logs) {
      const row = AuditRow.safeParse(one);
      // A row that is not understood might be a clear of ours.
      if (!row.success) return unavailable('unexpected_answer', `${name} answered with a row that is not understood`);
      rows.push(row.data);
    }
    const { event_logs: found, total_entries: total } = read.data;
    // A page may be shorter than asked for: Airflow's `maximum_page_limit` decides.
    const isLast = found.length === 0 || (total == null ? found.length < PAGE : rows.length >= total);
    if (isLast) return { type: 'rows', rows, isComplete: true };
  }
  return { type: 'rows', rows, isComplete: false };
}
