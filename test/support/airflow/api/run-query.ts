import type { Run } from '../model/run-state.ts';

export interface TimeRange {
  readonly attribute: TimeAttribute;
  readonly bound: Bound;
  readonly timeMs: number;
}

export type Bound = 'gte' | 'gt' | 'lte' | 'lt';
export type TimeAttribute = 'run_after' | 'logical_date' | 'start_date' | 'end_date' | 'updated_at';

export interface RunQuery {
  readonly dagIds: readonly string[] | null;
  readonly states: readonly string[] | null;
  readonly ranges: readonly TimeRange[];
  /** An attribute, with `-` in front for descending order. */
  readonly orderBy: string;
  readonly limit: number;
  readonly offset: number;
}

export const BOUNDS = ['gte', 'gt', 'lte', 'lt'] as const;
export const TIME_ATTRIBUTES = ['run_after', 'logical_date', 'start_date', 'end_date', 'updated_at'] as const;

type Attribute = (run: Run) => string | number | null;

const TIMES: Readonly<Record<TimeAttribute, (run: Run) => number | null>> = {
  run_after: (run) => run.runAfterMs,
  logical_date: (run) => run.logicalDateMs,
  start_date: (run) => run.startedAtMs,
  end_date: (run) => run.endedAtMs,
  updated_at: (run) => run.updatedAtMs,
};

const ATTRIBUTES: Readonly<Record<string, Attribute>> = {
  ...TIMES,
  id: (run) => run.id,
  state: (run) => run.state,
  dag_id: (run) => run.dagId,
  run_id: (run) => run.dagRunId,
  dag_run_id: (run) => run.dagRunId,
  execution_date: (run) => run.logicalDateMs ?? run.runAfterMs,
};

/** One page of the runs that match, or null when there is no such attribute to order by. */
export function queryRuns(runs: readonly Run[], query: RunQuery): { page: Run[]; total: number } | null {
  const attribute = ATTRIBUTES[query.orderBy.replace(/^-/, '')];
  if (attribute === undefined) return null;
  const matching = runs.filter((run) => matches(run, query));
  const direction = query.orderBy.startsWith('-') ? -1 : 1;
  const sorted = matching.sort((a, b) => compare(attribute(a), attribute(b), direction) || a.id - b.id);
  return { page: sorted.slice(query.offset, query.offset + query.limit), total: matching.length };
}

function matches(run: Run, { dagIds, states, ranges }: RunQuery): boolean {
  if (dagIds !== null && !dagIds.includes(run.dagId)) return false;
  if (states !== null && states.length > 0 && !states.includes(run.state)) return false;
  return ranges.every((range) => isWithin(TIMES[range.attribute](run), range));
}

/** As in SQL, what is null is within no range. */
function isWithin(timeMs: number | null, { bound, timeMs: limitMs }: TimeRange): boolean {
  if (timeMs === null) return false;
  switch (bound) {
    case 'gte':
      return timeMs >= limitMs;
    case 'gt':
      return timeMs > limitMs;
    case 'lte':
      return timeMs <= limitMs;
    case 'lt':
      return timeMs < limitMs;
  }
}

/** Null comes last, whatever the direction. */
function compare(a: string | number | null, b: string | number | null, direction: 1 | -1): number {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  return a < b ? -direction : direction;
}
