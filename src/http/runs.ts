import type { Request, Response } from 'express';
import { z } from 'zod';
import { PHASES } from '../core/record.ts';
import { Id, type RunKey } from '../core/run-key.ts';
import type { Runs } from '../engine/runs.ts';
import { sendJson } from './answer.ts';
import { parseWith } from './field-errors.ts';
import { HttpProblem } from './problems.ts';
import { readQuery } from './query.ts';
import type { Route } from './route.ts';
import { RunView, toRunView } from './run-view.ts';

const MAX_LIMIT = 500;
const DEFAULT_LIMIT = 100;
const BAD_CURSOR = 'must be the next_cursor of an earlier answer';

/** A page; `next_cursor` asks for the following one. A page may hold fewer runs than asked for, also in the middle. */
export const RunPage = z.object({ runs: z.array(RunView), next_cursor: z.string().nullable() });
export type RunPage = z.infer<typeof RunPage>;

const Limit = z
  .string()
  .regex(/^\d{1,3}$/, `must be a whole number from 1 to ${MAX_LIMIT}`)
  .transform(Number)
  .refine((limit) => limit >= 1 && limit <= MAX_LIMIT, `must be a whole number from 1 to ${MAX_LIMIT}`);

/** Where a page begins, opaque to callers. */
const Cursor = z
  .string()
  .max(4_000)
  .regex(/^[A-Za-z0-9_-]+$/, BAD_CURSOR)
  .transform((text, context) => {
    const key = decodeCursor(text);
    if (key !== null) return key;
    context.addIssue({ code: 'custom', message: BAD_CURSOR });
    return z.NEVER;
  });

export const RunsQuery = z.object({
  phase: z.enum(PHASES).optional(),
  dag_id: Id.optional(),
  limit: Limit.optional(),
  cursor: Cursor.optional(),
});
const QUERY_NAMES = ['phase', 'dag_id', 'limit', 'cursor'] as const satisfies readonly (keyof typeof RunsQuery.shape)[];

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
  const filter = { phase: query.phase ?? null, dagId: query.dag_id ?? null };
  const page = await runs.list(filter, query.limit ?? DEFAULT_LIMIT, query.cursor ?? null);
  const answer: RunPage = {
    runs: page.runs.map(toRunView),
    next_cursor: page.next === null ? null : encodeCursor(page.next),
  };
  sendJson(response, 200, answer);
}

async function show(runs: Runs, request: Request, response: Response): Promise<void> {
  const record = await runs.find(runKeyInPath(request));
  if (record === null) {
    throw new HttpProblem('run_not_found', 'No failure of this run was reported, or all that was to do for it is done');
  }
  sendJson(response, 200, toRunView(record));
}

const CursorContent = z.tuple([Id, Id]);

function encodeCursor({ dagId, dagRunId }: RunKey): string {
  return Buffer.from(JSON.stringify([dagId, dagRunId])).toString('base64url');
}

function decodeCursor(text: string): RunKey | null {
  try {
    const [dagId, dagRunId] = CursorContent.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    return { dagId, dagRunId };
  } catch {
    return null;
  }
}
