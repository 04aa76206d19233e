import type { Request, Response } from 'express';
import { z } from 'zod';
import { EVERYTHING } from '../core/pause.ts';
import { PHASES, type Phase } from '../core/record.ts';
import { Id } from '../core/run-key.ts';
import type { DagSummary, Dags } from '../engine/dags.ts';
import type { PauseRequest, Pauses } from '../engine/pauses.ts';
import { sendJson } from './answer.ts';
import { parseJson, readBody, requireJson } from './body.ts';
import { parseWith } from './field-errors.ts';
import { OperationBody } from './operation-body.ts';
import { cursorOf, DEFAULT_LIMIT, encodeCursor, Limit } from './paging.ts';
import { PauseView, toPauseView } from './pause-view.ts';
import { readQuery } from './query.ts';
import type { Route } from './route.ts';

export const DagView = z.object({
  dag_id: z.string(),
  phases: z.record(z.enum(PHASES), z.int()).describe('How many runs are in each phase.'),
  held: z.int().describe('Runs that somebody has paused one by one.'),
  paused: PauseView.nullable(),
});
export type DagView = z.infer<typeof DagView>;

/** Dags that have runs here, and paused ones, ordered by id; the counts may be seconds old. */
export const DagPage = z.object({ dags: z.array(DagView), next_cursor: z.string().nullable() });
export type DagPage = z.infer<typeof DagPage>;

/** What became of a pause; `changed` is false where it was so already. */
export const PauseAnswer = z.object({
  scope: z.string().describe('A Dag id, or `*` for everything.'),
  paused: PauseView.nullable(),
  changed: z.boolean(),
});
export type PauseAnswer = z.infer<typeof PauseAnswer>;

export const PauseList = z.object({ pauses: z.array(PauseView) });

export const DagsQuery = z.object({ limit: Limit.optional(), cursor: cursorOf(Id).optional() });
const QUERY_NAMES = Object.keys(DagsQuery.shape);

/** One Dag, by its exact id: a glob here would pause a Dag that does not exist, and nothing else. */
const DagPath = z.object({ dag_id: Id.refine((id) => !id.includes('*'), 'must be one Dag: `*` is not known here') });

export interface DagRoutesDeps {
  readonly dags: Dags;
  readonly pauses: Pauses;
}

/** Dags as a whole, and everything as a whole. */
export function dagRoutes({ dags, pauses }: DagRoutesDeps): Route[] {
  return [
    {
      method: 'get',
      path: '/v1/dags',
      access: 'operator',
      handle: (request, response) => list(dags, request, response),
    },
    {
      method: 'get',
      path: '/v1/pauses',
      access: 'operator',
      handle: async (request, response) => {
        readQuery(request.url, []);
        sendJson(response, 200, { pauses: (await pauses.read()).map(toPauseView) });
      },
    },
    ...(['pause', 'resume'] as const).flatMap((action) => pauseRoutes(pauses, action)),
  ];
}

function pauseRoutes(pauses: Pauses, action: PauseRequest['action']): Route[] {
  return [
    {
      method: 'post',
      path: `/v1/dags/:dag_id/${action}`,
      access: 'operator',
      handle(request, response) {
        const { dag_id } = parseWith(DagPath, request.params, 'invalid_path');
        return set(pauses, dag_id, action, request, response);
      },
    },
    {
      method: 'post',
      path: `/v1/${action}`,
      access: 'operator',
      handle: (request, response) => set(pauses, EVERYTHING, action, request, response),
    },
  ];
}

async function set(
  pauses: Pauses,
  scope: string,
  action: PauseRequest['action'],
  request: Request,
  response: Response,
): Promise<void> {
  requireJson(request);
  const body = parseWith(OperationBody, parseJson(await readBody(request, response)), 'invalid_body');
  const { paused, changed } = await pauses.set({ scope, action, actor: body.actor, comment: body.comment ?? '' });
  const answer: PauseAnswer = { scope, paused: paused === null ? null : toPauseView(paused), changed };
  sendJson(response, 200, answer);
}

async function list(dags: Dags, request: Request, response: Response): Promise<void> {
  const query = parseWith(DagsQuery, readQuery(request.url, QUERY_NAMES), 'invalid_query');
  const page = await dags.list(query.limit ?? DEFAULT_LIMIT, query.cursor ?? null);
  const answer: DagPage = {
    dags: page.dags.map(toDagView),
    next_cursor: page.next === null ? null : encodeCursor(page.next),
  };
  sendJson(response, 200, answer);
}

const NONE: Readonly<Record<Phase, number>> = {
  confirming: 0,
  waiting: 0,
  clearing: 0,
  watching: 0,
  giving_up: 0,
  gave_up: 0,
};

function toDagView({ dagId, census, pause }: DagSummary): DagView {
  return {
    dag_id: dagId,
    phases: census?.phases ?? NONE,
    held: census?.held ?? 0,
    paused: pause === null ? null : toPauseView(pause),
  };
}
