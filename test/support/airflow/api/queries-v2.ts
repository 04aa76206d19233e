import { z } from 'zod';
import { refuse } from './errors.ts';
import { check, NonNegativeInt, NullableTime } from './fields.ts';
import { type Call, runsOf } from './routing.ts';
import { BOUNDS, queryRuns, type RunQuery, TIME_ATTRIBUTES, type TimeRange } from './run-query.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 100;

const Page = z.object({ limit: NonNegativeInt.default(DEFAULT_LIMIT), offset: NonNegativeInt.default(0) });
const Times = z.record(z.string(), NullableTime);

const RUN_STATES = ['queued', 'running', 'success', 'failed'];
const TASK_STATES = [
  'removed',
  'scheduled',
  'queued',
  'running',
  'success',
  'restarting',
  'failed',
  'up_for_retry',
  'up_for_reschedule',
  'upstream_failed',
  'skipped',
  'deferred',
];

export function pageOf(query: URLSearchParams): { limit: number; offset: number } {
  const page = check(Page, Object.fromEntries(query), 'query');
  return { limit: Math.min(page.limit, MAX_LIMIT), offset: page.offset };
}

export function readRunQuery({ query }: Call): RunQuery {
  return {
    dagIds: null,
    states: readStates(query.getAll('state'), RUN_STATES),
    ranges: readRanges(Object.fromEntries(query)),
    orderBy: query.get('order_by') ?? 'id',
    ...pageOf(query),
  };
}

export function runPage(call: Call, query: RunQuery) {
  return queryRuns(runsOf(call), query) ?? refuseOrder(query.orderBy);
}

export function readRanges(input: Readonly<Record<string, unknown>>): TimeRange[] {
  const given: Record<string, unknown> = {};
  const names = TIME_ATTRIBUTES.flatMap((attribute) => BOUNDS.map((bound) => ({ attribute, bound })));
  for (const { attribute, bound } of names) {
    const value = input[`${attribute}_${bound}`];
    if (value !== undefined && value !== null) given[`${attribute}_${bound}`] = value;
  }
  // Bodies were checked before: their times are numbers by now.
  const isRead = Object.values(given).every((value) => typeof value === 'number');
  const times = isRead ? z.record(z.string(), z.number()).parse(given) : check(Times, given, 'query');
  return names.flatMap(({ attribute, bound }) => {
    const timeMs = times[`${attribute}_${bound}`];
    return timeMs === undefined || timeMs === null ? [] : [{ attribute, bound, timeMs }];
  });
}

export function readTaskStates(query: URLSearchParams): string[] {
  return readStates(query.getAll('state'), [...TASK_STATES, 'none', 'no_status']);
}

function readStates(states: string[], known: readonly string[]): string[] {
  if (states.every((state) => known.includes(state))) return states;
  const names = known.filter((state) => state !== 'none' && state !== 'no_status').join(', ');
  return refuse(422, `Invalid value for state. Valid values are ${names}`);
}

export function refuseOrder(orderBy: string): never {
  const name = orderBy.replace(/^-/, '');
  return refuse(400, `Ordering with '${name}' is disallowed or the attribute does not exist on the model`);
}
