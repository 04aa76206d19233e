import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Operated, Operation } from '../core/event.ts';
import { DECISIONS, REASONS } from '../core/reason.ts';
import type { Operations } from '../engine/operations.ts';
import { sendJson } from './answer.ts';
import { parseJson, readBody, requireJson } from './body.ts';
import { parseWith } from './field-errors.ts';
import { HttpProblem } from './problems.ts';
import type { Route } from './route.ts';
import { RunView, toRunView } from './run-view.ts';
import { runKeyInPath } from './runs.ts';

/** More at once than anybody means; the limits are far below. */
const MAX_GRANT = 100;

const Actor = z.string().trim().min(1, 'must name who acts').max(200);
const Comment = z.string().trim().max(1_000).nullish().describe('Why; shown in the timeline.');

/** Who acts, and why. */
export const OperationBody = z.strictObject({ actor: Actor, comment: Comment });
export const GrantBody = OperationBody.extend({
  retries: z.int().min(1).max(MAX_GRANT).describe('How many more than the policy allows.'),
});

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

/** What people do to a run. */
export function operationRoutes(operations: Operations): Route[] {
  return Object.entries(OPERATION_PATHS).map(([path, action]) => ({
    method: 'post',
    path: `/v1/runs/:dag_id/:dag_run_id/${path}`,
    access: 'operator',
    handle: (request, response) => operate(operations, action, request, response),
  }));
}

async function operate(operations: Operations, action: Operation, request: Request, response: Response): Promise<void> {
  const key = runKeyInPath(request);
  requireJson(request);
  const event = toEvent(action, parseJson(await readBody(request, response)));
  const { decision, reason, record } = await operations.act(key, event);
  if (decision === 'unknown_run') throw new HttpProblem('run_not_found', 'Nothing is kept of this run');
  if (decision === 'stale') throw new HttpProblem('operation_not_possible', `${action} is not possible now: ${reason}`);
  const view: OperationView = { decision, reason, run: record === null ? null : toRunView(record) };
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
