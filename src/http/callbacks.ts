import type { Request, Response } from 'express';
import { z } from 'zod';
import type { FailureReported, SuccessReported } from '../core/event.ts';
import { DECISIONS, REASONS } from '../core/reason.ts';
import type { RunKey } from '../core/run-key.ts';
import type { Intake, IntakeAnswer } from '../engine/intake.ts';
import type { OpenSpan, Tracer } from '../engine/tracer.ts';
import { sendJson } from './answer.ts';
import type { Auth } from './auth.ts';
import { parseJson, readBody, requireJson } from './body.ts';
import { RunFailedBody, RunSucceededBody, TaskFailedBody } from './callback-body.ts';
import { runFailure, runKeyOf, taskFailure } from './callback-event.ts';
import { parseWith } from './field-errors.ts';
import { isoTime } from './iso-time.ts';
import { toProblem } from './problems.ts';
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
  /** Without one nothing is traced. */
  readonly tracer?: Tracer;
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
  { intake, auth, tracer }: CallbackDeps,
): Route {
  const path = `/v1/callbacks/${name}`;
  async function handle(request: Request, response: Response, span?: OpenSpan): Promise<void> {
    const signature = auth.requireCallback(request);
    requireJson(request);
    const bytes = await readBody(request, response);
    await signature?.verify(bytes);
    const body = parseWith(schema, parseJson(bytes), 'invalid_body');
    const key = runKeyOf(body);
    span?.note({ 'dagain.dag_id': key.dagId, 'dagain.dag_run_id': key.dagRunId });
    const answer = await intake.report(key, toEvent(body));
    span?.note({ 'dagain.decision': answer.decision, 'dagain.reason': answer.reason });
    sendJson(response, 202, toAnswer(key, answer));
  }
  return {
    method: 'post',
    path,
    access: 'callback',
    handle: (request: Request, response: Response) =>
      tracer === undefined
        ? handle(request, response)
        : traced(tracer, path, request, (span) => handle(request, response, span)),
  };
}

/** Within a span as OpenTelemetry names those of HTTP servers, linked to the caller's where he tells his. */
function traced(tracer: Tracer, path: string, request: Request, work: (span: OpenSpan) => Promise<void>) {
  const fields = { 'http.request.method': 'POST', 'http.route': path, 'url.scheme': 'http' };
  const options = { kind: 'server', traceparent: request.get('traceparent') } as const;
  return tracer.span(
    `POST ${path}`,
    fields,
    async (span) => {
      try {
        await work(span);
        span.note({ 'http.response.status_code': 202 });
      } catch (error) {
        const { status, code } = toProblem(error);
        span.note({ 'http.response.status_code': status, 'dagain.reason': code });
        throw error;
      }
    },
    options,
  );
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
