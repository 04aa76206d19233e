import { z } from 'zod';
import { VERDICTS } from '../core/verdict.ts';
import { EventView } from './event-view.ts';
import { PolicyView } from './policy-view.ts';
import { RunView } from './run-view.ts';

const Time = z.iso.datetime().nullable();

/** Why a run is where it is, for a person; also of a run that was never reported. */
export const ExplainView = z.object({
  dag_id: z.string(),
  dag_run_id: z.string(),
  verdict: z.enum(VERDICTS).describe('A stable word for where the run stands.'),
  summary: z.string().describe('The verdict in one sentence.'),
  because: z.array(z.string()).describe('What it rests on: one plain sentence each.'),
  advice: z.array(z.string()).describe('What a person can do; empty where nothing needs to be done.'),
  run: RunView.nullable(),
  store: z
    .object({ status: z.enum(['found', 'missing', 'unavailable']) })
    .describe("What the service's own store says."),
  orchestrator: z.discriminatedUnion('status', [
    z.object({
      status: z.literal('found'),
      state: z.enum(['queued', 'running', 'success', 'failed']),
      run_type: z.string().nullable(),
      queued_at: Time,
      started_at: Time,
      ended_at: Time,
    }),
    z.object({ status: z.literal('missing') }),
    z.object({ status: z.literal('unavailable'), reason: z.string(), detail: z.string() }),
  ]),
  audit_log: z.object({
    status: z.enum(['found', 'unavailable', 'untold']).describe('untold: it does not tell which entries are ours.'),
    entries: z.array(
      z.object({
        at: Time,
        action: z.enum(['cleared', 'marked_failed', 'marked_success', 'task_lost']),
        by: z.string().nullable(),
        is_ours: z.boolean(),
        task_id: z.string().nullable(),
      }),
    ),
  }),
  policy: PolicyView.extend({ max_retries: z.int().describe('The cap for this run, class caps and grants included.') })
    .nullable()
    .describe('The policy in force for this run; null where it could not be worked out.'),
  events: z.array(EventView).describe('What the journal knows of the run, newest first.'),
});
export type ExplainView = z.infer<typeof ExplainView>;
