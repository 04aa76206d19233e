import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { AuditAction, AuditEntry } from '../port.ts';

/** A row of `eventLogs`, the same in both versions of the API. */
export const AuditRow = z.object({
  when: z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
  event: z.string(),
  dag_id: z.string().nullable(),
  run_id: z.string().nullish(),
  task_id: z.string().nullish(),
  map_index: z.int().nullish(),
  owner: z.string().nullish(),
  extra: z.string().nullish(),
});
export type AuditRow = z.infer<typeof AuditRow>;

/**
 * What requests that name their runs in the body are called, without the prefix that tells where they came from. What
 * Airflow 3.3's list of runs sends is filed under `~` for any Dag, and Airflow shows such rows to nobody.
 */
const NAMED_IN_BODY = [
  'post_clear_task_instances',
  'clear_dag_runs',
  'post_set_task_instances_state',
  'bulk_task_instances',
  'bulk_dag_runs',
];
const NAMED_IN_PATH = [
  'clear_dag_run',
  'update_dag_run_state',
  'patch_dag_run',
  'patch_task_instance',
  'patch_mapped_task_instance',
  'patch_task_group_instances',
];
/** Of Airflow 2's own pages. */
const PAGES = ['clear', 'dagrun_clear', 'dagrun_queued', 'dagrun_failed', 'dagrun_success', 'failed', 'success'];
/** Of the scheduler, when it finds that a task's process is gone or never came to be. */
export const LOST = ['heartbeat timeout', 'state mismatch', 'stuck in queued tries exceeded', 'task launch failure'];

// Airflow 2 puts before the name whether a request came from its own pages or from elsewhere.
const prefixed = (names: readonly string[]) => names.flatMap((name) => [name, `api.${name}`, `ui.${name}`]);

/** Events that tell something about a run and carry its id in a column of their own. */
export const EVENTS_OF_RUNS = [...prefixed([...NAMED_IN_PATH, ...NAMED_IN_BODY]), ...PAGES, ...LOST];
/** Events whose rows may carry the run's id only in `extra`. */
export const EVENTS_WITHOUT_RUN = prefixed(NAMED_IN_BODY);
/** Events of the requests by which this service clears. */
export const EVENTS_OF_OUR_CLEARS = prefixed(['clear_dag_run', 'post_clear_task_instances']);

/** What the row tells of the run, or null if it is about another one or tells nothing of interest. */
export function readEntry(row: AuditRow, key: RunKey, ourName: string | null): AuditEntry | null {
  const about = partsAbout(row, key);
  const action = about.length === 0 ? null : actionOf(row, about);
  if (action === null) return null;
  const owner = row.owner ?? null;
  const isOurs = ourName !== null && owner === ourName && action !== 'task_lost';
  return { action, atMs: row.when, isOurs, owner, taskId: row.task_id ?? null };
}

/** The run that a row about one of our own clears is about. */
export function clearedRun(row: AuditRow): RunKey | null {
  if (row.dag_id === null || actionOf(row, []) !== 'cleared') return null;
  const dagRunId = row.run_id ?? InBody.safeParse(bodyOf(row)).data?.dag_run_id;
  return dagRunId === undefined ? null : { dagId: row.dag_id, dagRunId };
}

const InBody = z.object({ dag_run_id: z.string() });

/** What of the request concerns the run: all of it, or the entries of its body that name the run. None: it does not. */
function partsAbout(row: AuditRow, key: RunKey): readonly unknown[] {
  if (row.run_id != null) return row.run_id === key.dagRunId && row.dag_id === key.dagId ? [bodyOf(row)] : [];
  if (row.dag_id !== key.dagId) return [];
  // One request may set one run to failed and another to success.
  return objectsIn(bodyOf(row)).filter((one) => InBody.safeParse(one).data?.dag_run_id === key.dagRunId);
}

function objectsIn(body: unknown): readonly object[] {
  if (body === null || typeof body !== 'object') return [];
  return [body, ...Object.values(body).flatMap(objectsIn)];
}

function bodyOf({ extra }: AuditRow): unknown {
  try {
    return JSON.parse(extra ?? '');
  } catch {
    return null;
  }
}

const Flags = z.object({ dry_run: z.unknown(), confirmed: z.unknown() }).partial();

function actionOf(row: AuditRow, about: readonly unknown[]): AuditAction | null {
  if (LOST.includes(row.event)) return 'task_lost';
  const { dry_run: dryRun, confirmed } = Flags.safeParse(bodyOf(row)).data ?? {};
  // A page is asked twice: what it would do, and to do it. The rows that tasks write themselves have other contents.
  if (PAGES.includes(row.event)) return confirmed === 'true' || confirmed === true ? ofPage(row.event) : null;
  if (dryRun === true || (dryRun === undefined && isDryByDefault(row.event))) return null;
  if (row.event.includes('clear')) return 'cleared';
  const states = about.flatMap(statesIn);
  if (states.includes('failed')) return 'marked_failed';
  if (states.includes('success')) return 'marked_success';
  return states.includes('queued') ? 'cleared' : null;
}

/** Airflow 2 sets the state of a task only when asked in earnest, and both clear only then. */
function isDryByDefault(event: string): boolean {
  const ofAirflow2 = /^(api|ui)\.(post_set_task_instances_state|patch_(mapped_)?task_instance)$/;
  return event.includes('clear') || ofAirflow2.test(event);
}

function ofPage(event: string): AuditAction {
  if (event.includes('clear') || event === 'dagrun_queued') return 'cleared';
  return event.includes('failed') ? 'marked_failed' : 'marked_success';
}

/** The states that a request asks for, at whatever depth of its body: bulk requests hold lists. */
function statesIn(body: unknown): string[] {
  if (Array.isArray(body)) return body.flatMap(statesIn);
  if (body === null || typeof body !== 'object') return [];
  return Object.entries(body).flatMap(([name, value]) => {
    if ((name === 'state' || name === 'new_state') && typeof value === 'string') return [value];
    return statesIn(value);
  });
}
