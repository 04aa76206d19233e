import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Operated } from '../core/event.ts';
import { DECISIONS, REASONS } from '../core/reason.ts';
import { PHASES } from '../core/record.ts';
import { type Bulk, MAX_BULK_RUNS } from '../engine/bulk.ts';
import { sendJson } from './answer.ts';
import { parseJson, readBody, requireJson } from './body.ts';
import { parseWith } from './field-errors.ts';
import { Actor, Comment, Retries } from './operation-body.ts';
import { OPERATION_NAMES, OPERATION_PATHS } from './operations.ts';
import { HttpProblem } from './problems.ts';
import type { Route } from './route.ts';
import { FilterBody, toRunFilter } from './run-filter.ts';

const ONLY_GIVEN_UP = 'must be giving_up, gave_up or both to grant: asking again could grant others twice';

/** One action on all runs that the filter leaves in. */
export const BulkBody = z
  .strictObject({
    action: z.enum(OPERATION_NAMES),
    retries: Retries.optional().describe('With `grant` only: how many more than the policy allows.'),
    filter: FilterBody.describe(
      'All that is given must hold; `{}`, every run, only together with `max_runs`. `grant` needs `phase`, with `giving_up` ' +
        'and `gave_up` at most: what it takes up again then leaves the filter, so that asking again grants nothing twice.',
    ),
    actor: Actor,
    comment: Comment,
    dry_run: z.boolean().describe('True: says what would happen, and changes nothing.'),
    max_runs: z
      .int()
      .min(0)
      .max(1_000_000)
      .optional()
      .describe('Nothing is done where more runs match: 409 `more_runs_than_expected`.'),
  })
  .superRefine(({ action, retries, filter, max_runs }, context) => {
    if (action === 'grant' && retries === undefined) {
      context.addIssue({ code: 'custom', path: ['retries'], message: 'is required to grant' });
    }
    if (action !== 'grant' && retries !== undefined) {
      context.addIssue({ code: 'custom', path: ['retries'], message: 'goes with grant only' });
    }
    if (action === 'grant' && !isOfGivenUp(filter)) {
      context.addIssue({ code: 'custom', path: ['filter', 'phase'], message: ONLY_GIVEN_UP });
    }
    if (Object.keys(filter).length === 0 && max_runs === undefined) {
      context.addIssue({ code: 'custom', path: ['max_runs'], message: 'is required with an empty filter' });
    }
  });
type BulkBody = z.infer<typeof BulkBody>;

export const BulkView = z.object({
  dry_run: z.boolean(),
  matched: z
    .int()
    .describe(`All that match, also where these are more than the ${MAX_BULK_RUNS} that one call acts on.`),
  changed: z.int().describe('With `dry_run`: that would change.'),
  outcomes: z.array(z.object({ decision: z.enum(DECISIONS), reason: z.enum(REASONS), count: z.int() })),
  sample: z
    .array(
      z.object({
        dag_id: z.string(),
        dag_run_id: z.string(),
        phase: z.enum(PHASES),
        decision: z.enum(DECISIONS),
        reason: z.enum(REASONS),
      }),
    )
    .describe('The first 20 runs; `phase` is as it was before.'),
  is_complete: z.boolean().describe(`False: more than ${MAX_BULK_RUNS} runs match; the others are untouched.`),
});
export type BulkView = z.infer<typeof BulkView>;

export function bulkRoute(bulk: Bulk): Route {
  return {
    method: 'post',
    path: '/v1/runs/bulk',
    access: 'operator',
    handle: (request, response) => act(bulk, request, response),
  };
}

async function act(bulk: Bulk, request: Request, response: Response): Promise<void> {
  requireJson(request);
  const body = parseWith(BulkBody, parseJson(await readBody(request, response)), 'invalid_body');
  const { filter, dry_run: isDryRun, max_runs: maxRuns = null } = body;
  const isAwaited = () => !response.destroyed;
  const answer = await bulk.act({ filter: toRunFilter(filter), event: toEvent(body), isDryRun, maxRuns, isAwaited });
  if (answer.type === 'abandoned') return;
  if (answer.type === 'busy') {
    const detail = 'One call acts on many runs at a time, and enough others wait: nothing was done';
    throw new HttpProblem('too_many_bulk_calls', detail, { headers: { 'Retry-After': '5' } });
  }
  if (answer.type === 'too_many') {
    const detail = `${answer.matched} runs match, max_runs is ${maxRuns}: nothing was done`;
    throw new HttpProblem('more_runs_than_expected', detail);
  }
  const { matched, changed, outcomes, isComplete } = answer;
  const view: BulkView = {
    ...{ dry_run: isDryRun, matched, changed, outcomes: [...outcomes] },
    sample: answer.sample.map(({ key, phase, decision, reason }) => ({
      ...{ dag_id: key.dagId, dag_run_id: key.dagRunId, phase, decision, reason },
    })),
    is_complete: isComplete,
  };
  sendJson(response, 200, view);
}

/** Whether what a grant does to a run takes it out of the filter. */
function isOfGivenUp({ phase }: BulkBody['filter']): boolean {
  return phase?.every((one) => one === 'giving_up' || one === 'gave_up') ?? false;
}

function toEvent({ action, actor, comment, retries }: BulkBody): Operated {
  return { type: 'operated', action: OPERATION_PATHS[action], actor, comment: comment ?? '', retries: retries ?? 0 };
}
