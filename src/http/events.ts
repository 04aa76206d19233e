import type { Request, Response } from 'express';
import { z } from 'zod';
import { JOURNAL_TYPES } from '../core/journal.ts';
import { Id } from '../core/run-key.ts';
import type { Events } from '../engine/events.ts';
import { sendJson } from './answer.ts';
import { EventView, toEventView } from './event-view.ts';
import { parseWith } from './field-errors.ts';
import { IsoTime } from './iso-time.ts';
import { cursorOf, DEFAULT_LIMIT, encodeCursor, Limit } from './paging.ts';
import { readQuery } from './query.ts';
import type { Route } from './route.ts';
import { Age, DagPattern } from './run-filter.ts';
import { wordsOf } from './words.ts';

export const EventPage = z.object({
  events: z.array(EventView),
  next_cursor: z
    .string()
    .nullable()
    .describe(
      'Asks for the following page; null at the end. A page may hold fewer than asked for, also in the middle.',
    ),
});
export type EventPage = z.infer<typeof EventPage>;

/** A time, or how long ago: `24h`. */
const Since = z.union(
  [IsoTime.transform((atMs) => ({ atMs })), Age.transform((agoMs) => ({ agoMs }))],
  'must be a time in ISO 8601 with an offset, or a duration such as 24h',
);

export const EventsQuery = z.object({
  type: wordsOf(JOURNAL_TYPES).optional(),
  dag_id: DagPattern.optional(),
  dag_run_id: Id.optional(),
  actor: z.string().min(1).max(200).optional(),
  since: Since.optional(),
  limit: Limit.optional(),
  cursor: cursorOf(z.string().min(1).max(200)).optional(),
});
const QUERY_NAMES = Object.keys(EventsQuery.shape);

export function eventsRoute({ events, nowMs }: { readonly events: Events; readonly nowMs: () => number }): Route {
  return {
    method: 'get',
    path: '/v1/events',
    access: 'operator',
    handle: (request, response) => list(events, nowMs(), request, response),
  };
}

async function list(events: Events, nowMs: number, request: Request, response: Response): Promise<void> {
  const query = parseWith(EventsQuery, readQuery(request.url, QUERY_NAMES), 'invalid_query');
  const { since } = query;
  const filter = {
    types: query.type ?? null,
    dagId: query.dag_id ?? null,
    dagRunId: query.dag_run_id ?? null,
    actor: query.actor ?? null,
    sinceMs: since === undefined ? null : 'atMs' in since ? since.atMs : nowMs - since.agoMs,
  };
  const page = await events.list(filter, query.limit ?? DEFAULT_LIMIT, query.cursor ?? null);
  const answer: EventPage = {
    events: page.events.map(toEventView),
    next_cursor: page.next === null ? null : encodeCursor(page.next),
  };
  sendJson(response, 200, answer);
}
