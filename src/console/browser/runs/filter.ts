import type { RunSummary } from '../../../http/run-view.ts';
import type { Action } from '../actions.ts';

/** As the body of a bulk action writes it. */
export type BulkFilter = Readonly<Record<string, string | boolean | readonly string[]>>;

/** The part of a filter that the service applies, as its query names it. */
const SERVED = ['phase', 'dag_id', 'failure_class', 'held', 'reason', 'older_than', 'newer_than'] as const;

export function servedPart(query: URLSearchParams): Record<string, string> {
  const entries = SERVED.map((name) => [name, query.get(name) ?? ''] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== ''));
}

const GIVEN_UP = ['giving_up', 'gave_up'];

/** The same as the body of a bulk action writes it; retries are granted to given-up runs only. */
export function bulkFilterOf(served: Readonly<Record<string, string>>, action: Action): BulkFilter {
  const { phase, held, ...rest } = served;
  const phases = phase?.split(',') ?? null;
  const meant = action === 'grant' ? GIVEN_UP.filter((one) => phases === null || phases.includes(one)) : [];
  // Where none of them is asked for, the service says so.
  const sent = meant.length > 0 ? meant : phases;
  return {
    ...rest,
    ...(sent === null ? {} : { phase: sent }),
    ...(held === undefined ? {} : { held: held === 'true' }),
  };
}

/**
 * Whether a run that has changed still belongs to what the service was asked for. Ages change too slowly to matter between
 * two full loads.
 */
export function stillMatches(run: RunSummary, served: Readonly<Record<string, string>>): boolean {
  const { phase, dag_id, failure_class, held, reason } = served;
  if (phase !== undefined && !phase.split(',').includes(run.phase)) return false;
  if (dag_id !== undefined && !globMatches(dag_id, run.dag_id)) return false;
  if (failure_class !== undefined && run.failure_class !== failure_class) return false;
  if (held !== undefined && (run.held !== null) !== (held === 'true')) return false;
  return reason === undefined || run.reason === reason;
}

function globMatches(glob: string, text: string): boolean {
  const pattern = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${pattern}$`, 'su').test(text);
}

export function containsText(run: RunSummary, text: string): boolean {
  if (text === '') return true;
  const { last_failure: failure } = run;
  const words = [run.dag_id, run.dag_run_id, failure?.task_id, failure?.exception_type, run.reason];
  const wanted = text.toLowerCase();
  return words.some((word) => word?.toLowerCase().includes(wanted) === true);
}

export const SORTS = ['failed', 'due', 'dag', 'retries'] as const;
export type Sort = (typeof SORTS)[number];

/** Latest failure first by default; what is due next first; by ids; most retries first. */
export function sorted(runs: readonly RunSummary[], sort: Sort): RunSummary[] {
  return runs.toSorted(BY[sort]);
}

const LAST = '~';
const BY: Readonly<Record<Sort, (a: RunSummary, b: RunSummary) => number>> = {
  failed: (a, b) => compare(b.first_failed_at ?? '', a.first_failed_at ?? ''),
  due: (a, b) => compare(a.due_at ?? LAST, b.due_at ?? LAST),
  dag: (a, b) => compare(a.dag_id, b.dag_id) || compare(a.dag_run_id, b.dag_run_id),
  retries: (a, b) => b.retries_used - a.retries_used,
};

/** By code units: many times faster than by language, and ids have none. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
