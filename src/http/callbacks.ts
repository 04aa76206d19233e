import type { Request, Response } from 'express';
import { z } from 'zod';
import type { FailureReported, SuccessReported } from '../core/event.ts';
import { DECISIONS, REASONS } from '../core/reason.ts';
import type { RunKey } from '../core/run-key.ts';
import type { Intake, IntakeAnswer } from '../engine/intake.ts';
import { sendJson } from './answer.ts';
import type { Auth } from './auth.ts';
import { parseJson, readBody, requireJson } from './body.ts';
import { RunFailedBody, RunSucceededBody, TaskFailedBody } from './callback-body.ts';
import { runFailure, runKeyOf, taskFailure } from './callback-event.ts';
import { parseWith } from './field-errors.ts';
import { isoTime } from './iso-time.ts';
import type { Route } from './route.ts';

/** What every callback is answered; all fields are always there. */
export const CallbackAnswer = z.object({
  decision: z.enum(DECISIONS),
  dag_id: z.string(),
  dag_run_id: z.string(),
  next_attempt: z.int().nullable().describe('The attempt that the pending retry will start.'),
  retries_used: z.int(),
  max_retries: z.int(),
  due_at: z.iso
    .datetime()
    .nullable()
    .describe('When the delay will be over; a run that is not settled by then waits longer.'),
  reason: z.enum(REASONS).describe('A stable word: the same in logs, metrics and alerts.'),
});
export type CallbackAnswer = z.infer<typeof CallbackAnswer>;

export interface CallbackDeps {
  readonly intake: Intake;
  readonly auth: Auth;
  readonly nowMs: () => number;
}

/** The three callbacks. A 202 is sent only after the intake has stored what was reported. */
export function callbackRoutes(deps: CallbackDeps): Route[] {
  const { nowMs } = deps;
  return [
    callback('task-failed', TaskFailedBody, (body) => taskFailure(body, nowMs()), deps),
    callback('run-failed', RunFailedBody, (body) => runFailure(body, nowMs()), deps),
    callback('run-succeeded', RunSucceededBody, () => SUCCESS, deps),
  ];
}

const SUCCESS: SuccessReported = { type: 'success_reported' };

function callback<B extends RunSucceededBody>(
  name: string,
  schema: z.ZodType<B>,
  toEvent: (body: B) => FailureReported | SuccessReported,
  { intake, auth }: CallbackDeps,
): Route {
  return {
    method: 'post',
    path: `/v1/callbacks/${name}`,
    access: 'callback',
    async handle(request: Request, response: Response) {
      const signature = auth.requireCallback(request);
      requireJson(request);
      const bytes = await readBody(request, response);
      await signature?.verify(bytes);
      const body = parseWith(schema, parseJson(bytes), 'invalid_body');
      const key = runKeyOf(body);
      sendJson(response, 202, toAnswer(key, await intake.report(key, toEvent(body))));
    },
  };
}

function toAnswer(key: RunKey, answer: IntakeAnswer): CallbackAnswer {
  return {
    decision: answer.decision,
    dag_id: key.dagId,
    dag_run_id: key.dagRunId,
    next_attempt: answer.nextAttempt,
    retries_used: answer.retriesUsed,
    max_retries: answer.maxRetries,
    due_at: isoTime(answer.retryAtMs),
    reason: answer.reason,
  };
}
