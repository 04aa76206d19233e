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
  owner: z.string().nullish(),
  extra: z.string().nullish(),
});
export type AuditRow = z.infer<typeof AuditRow>;

/** What requests that name their runs in the body are called, without the prefix that tells where they came from. */
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
/** Of the scheduler, when it finds that a task's process is gone. */
const LOST = ['heartbeat timeout', 'state mismatch', 'stuck in queued tries exceeded', 'stuck in queued'];

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
  const isAbout =
    row.dag_id === key.dagId && (row.run_id == null ? names(row, key.dagRunId) : row.run_id === key.dagRunId);
  const action = isAbout ? actionOf(row) : null;
  if (action === null) return null;
  const owner = row.owner ?? null;
  const isOurs = ourName !== null && owner === ourName && action !== 'task_lost';
  return { action, atMs: row.when, isOurs, owner, taskId: row.task_id ?? null };
}

/** The run that a row about one of our own clears is about. */
export function clearedRun(row: AuditRow): RunKey | null {
  if (row.dag_id === null || actionOf(row) !== 'cleared') return null;
  const dagRunId = row.run_id ?? InBody.safeParse(bodyOf(row)).data?.dag_run_id;
  return dagRunId === undefined ? null : { dagId: row.dag_id, dagRunId };
}

const InBody = z.object({ dag_run_id: z.string() });

function names(row: AuditRow, dagRunId: string): boolean {
  return textsIn(bodyOf(row)).includes(dagRunId);
}

function textsIn(body: unknown): string[] {
  if (typeof body === 'string') return [body];
  return body === null || typeof body !== 'object' ? [] : Object.values(body).flatMap(textsIn);
}

function bodyOf({ extra }: AuditRow): unknown {
  try {
    return JSON.parse(extra ?? '');
  } catch {
    return null;
  }
}

const Flags = z.object({ dry_run: z.unknown(), confirmed: z.unknown() }).partial();

function actionOf(row: AuditRow): AuditAction | null {
  if (LOST.includes(row.event)) return 'task_lost';
  const body = bodyOf(row);
  const flags = Flags.safeParse(body).data ?? {};
  // A page is asked twice: what it would do, and to do it. The rows that tasks write themselves have other contents.
  if (PAGES.includes(row.event))
    return flags.confirmed === 'true' || flags.confirmed === true ? ofPage(row.event) : null;
  const name = row.event.replace(/^(api|ui)\./, '');
  if (name.includes('clear')) {
    // Dry unless it says otherwise; newer versions do not log dry runs at all.
    return name === 'clear_dag_runs' || flags.dry_run === false ? 'cleared' : null;
  }
  if (flags.dry_run === true) return null;
  const states = statesIn(body);
  if (states.includes('failed')) return 'marked_failed';
  if (states.includes('success')) return 'marked_success';
  return states.includes('queued') ? 'cleared' : null;
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
