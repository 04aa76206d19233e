import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Operated, Operation } from '../core/event.ts';
import { DECISIONS, REASONS } from '../core/reason.ts';
import type { Operations } from '../engine/operations.ts';
import type { Runs } from '../engine/runs.ts';
import { sendJson } from './answer.ts';
import { parseJson, readBody, requireJson } from './body.ts';
import { parseWith } from './field-errors.ts';
import { GrantBody, OperationBody } from './operation-body.ts';
import { HttpProblem } from './problems.ts';
import type { Route } from './route.ts';
import { RunView, toRunView } from './run-view.ts';
import { runKeyInPath } from './runs.ts';

/** What became of an operation; `run` is null when nothing is kept of the run any more. */
export const OperationView = z.object({
  decision: z.enum(DECISIONS),
  reason: z.enum(REASONS),
  run: RunView.nullable(),
});
export type OperationView = z.infer<typeof OperationView>;

/** How each operation is called in a path. */
export const OPERATION_PATHS = {
  pause: 'pause',
  resume: 'resume',
  cancel: 'cancel',
  'retry-now': 'retry_now',
  reset: 'reset',
  grant: 'grant',
} as const satisfies Record<string, Operation>;

export const OPERATION_NAMES = [
  'pause',
  'resume',
  'cancel',
  'retry-now',
  'reset',
  'grant',
] as const satisfies readonly (keyof typeof OPERATION_PATHS)[];

export interface OperationRoutesDeps {
  readonly operations: Pick<Operations, 'act'>;
  readonly runs: Pick<Runs, 'surroundings'>;
}

/** What people do to a run. */
export function operationRoutes(deps: OperationRoutesDeps): Route[] {
  return OPERATION_NAMES.map((name) => ({
    method: 'post',
    path: `/v1/runs/:dag_id/:dag_run_id/${name}`,
    access: 'operator',
    handle: (request, response) => operate(deps, OPERATION_PATHS[name], request, response),
  }));
}

async function operate(
  { operations, runs }: OperationRoutesDeps,
  action: Operation,
  request: Request,
  response: Response,
): Promise<void> {
  const key = runKeyInPath(request);
  requireJson(request);
  const event = toEvent(action, parseJson(await readBody(request, response)));
  // Before anything is done: an answer that cannot be given afterwards would look like a failure.
  const surroundings = await runs.surroundings();
  const { decision, reason, record } = await operations.act(key, event);
  if (decision === 'unknown_run') throw new HttpProblem('run_not_found', 'Nothing is kept of this run');
  if (decision === 'stale') throw new HttpProblem('operation_not_possible', `${action} is not possible now: ${reason}`);
  const view: OperationView = { decision, reason, run: record === null ? null : toRunView(record, surroundings) };
  sendJson(response, 200, view);
}

function toEvent(action: Operation, body: unknown): Operated {
  if (action === 'grant') {
    const { actor, comment, retries } = parseWith(GrantBody, body, 'invalid_body');
    return { type: 'operated', action, actor, comment: comment ?? '', retries };
  }
  const { actor, comment } = parseWith(OperationBody, body, 'invalid_body');
  return { type: 'operated', action, actor, comment: comment ?? '', retries: 0 };
}
