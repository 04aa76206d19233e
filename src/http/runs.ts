import type { Request, Response } from 'express';
import { z } from 'zod';
import { Id, type RunKey } from '../core/run-key.ts';
import type { Runs } from '../engine/runs.ts';
import { sendJson } from './answer.ts';
import { parseWith } from './field-errors.ts';
import { cursorOf, DEFAULT_LIMIT, encodeCursor, Limit } from './paging.ts';
import { HttpProblem } from './problems.ts';
import { readQuery } from './query.ts';
import type { Route } from './route.ts';
import { FilterQuery, toRunFilter } from './run-filter.ts';
import { RunSummary, RunView, toRunSummary, toRunView } from './run-view.ts';

const NextCursor = z
  .string()
  .nullable()
  .describe('Asks for the following page; null at the end. A page may hold fewer than asked for, also in the middle.');

export const RunPage = z.object({ runs: z.array(RunView), next_cursor: NextCursor });
export type RunPage = z.infer<typeof RunPage>;

/** With `view=summary`. */
export const RunSummaryPage = z.object({ runs: z.array(RunSummary), next_cursor: NextCursor });
export type RunSummaryPage = z.infer<typeof RunSummaryPage>;

export const RunsQuery = z.object({
  ...FilterQuery,
  view: z.enum(['full', 'summary']).optional(),
  limit: Limit.optional(),
  cursor: cursorOf(z.tuple([Id, Id])).optional(),
});
const QUERY_NAMES = Object.keys(RunsQuery.shape);

export const RunPath = z.object({ dag_id: Id, dag_run_id: Id });

/** What people read of the runs that are being retried. */
export function runRoutes(runs: Runs): Route[] {
  return [
    {
      method: 'get',
      path: '/v1/runs',
      access: 'operator',
      handle: (request, response) => list(runs, request, response),
    },
    {
      method: 'get',
      path: '/v1/runs/:dag_id/:dag_run_id',
      access: 'operator',
      handle: (request, response) => show(runs, request, response),
    },
  ];
}

/** The run that a route's path names. @throws HttpProblem `invalid_path` */
export function runKeyInPath(request: Request): RunKey {
  const path = parseWith(RunPath, request.params, 'invalid_path');
  return { dagId: path.dag_id, dagRunId: path.dag_run_id };
}

async function list(runs: Runs, request: Request, response: Response): Promise<void> {
  const query = parseWith(RunsQuery, readQuery(request.url, QUERY_NAMES), 'invalid_query');
  const [dagId, dagRunId] = query.cursor ?? [];
  const after = dagId === undefined || dagRunId === undefined ? null : { dagId, dagRunId };
  const page = await runs.list(toRunFilter(query), query.limit ?? DEFAULT_LIMIT, after);
  const surroundings = await runs.surroundings();
  const { next } = page;
  const next_cursor = next === null ? null : encodeCursor([next.dagId, next.dagRunId]);
  const answer: RunPage | RunSummaryPage =
    query.view === 'summary'
      ? { runs: page.runs.map((record) => toRunSummary(record, surroundings)), next_cursor }
      : { runs: page.runs.map((record) => toRunView(record, surroundings)), next_cursor };
  sendJson(response, 200, answer);
}

async function show(runs: Runs, request: Request, response: Response): Promise<void> {
  const record = await runs.find(runKeyInPath(request));
  if (record === null) {
    throw new HttpProblem('run_not_found', 'No failure of this run was reported, or all that was to do for it is done');
  }
  sendJson(response, 200, toRunView(record, await runs.surroundings()));
}
