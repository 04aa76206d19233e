import { z } from 'zod';
import { RunKey } from '../../core/run-key.ts';
import type { FoundRun } from '../port.ts';

/** Airflow writes microseconds, and `Z` or `+00:00`; a time without a zone could mean anything and is refused. */
const Time = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .nullable();

/** The part of a run that we need. Airflow 2 has no `queued_at`; `run_type` is for display and may be anything. */
const DagRun = z.object({
  dag_id: z.string(),
  dag_run_id: z.string(),
  state: z.enum(['queued', 'running', 'success', 'failed']),
  queued_at: Time.optional(),
  start_date: Time,
  end_date: Time,
  run_type: z.string().nullish(),
});

/** Reads a run from an answer; a text that says why not if it is none, is another run, or is in a state unheard of. */
export function readRun(json: unknown, key: RunKey): FoundRun | string {
  const parsed = DagRun.safeParse(json);
  if (!parsed.success) return notARun(parsed.error);
  const run = parsed.data;
  if (run.dag_id !== key.dagId || run.dag_run_id !== key.dagRunId) return 'another run than the one asked for';
  return found(run);
}

/** Reads a run of a list, with its name; a text that says why not, also if its name is one that no request can hold. */
export function readNamedRun(json: unknown): { readonly key: RunKey; readonly run: FoundRun } | string {
  const parsed = DagRun.safeParse(json);
  if (!parsed.success) return notARun(parsed.error);
  const { dag_id: dagId, dag_run_id: dagRunId } = parsed.data;
  const key = RunKey.safeParse({ dagId, dagRunId });
  return key.success ? { key: key.data, run: found(parsed.data) } : 'a run whose name no request can hold';
}

function found(run: z.infer<typeof DagRun>): FoundRun {
  return {
    type: 'found',
    state: run.state,
    fingerprint: { queuedAtMs: run.queued_at ?? null, startedAtMs: run.start_date, endedAtMs: run.end_date },
    runType: run.run_type ?? null,
  };
}

function notARun({ issues: [issue] }: z.ZodError): string {
  return `not a run as Airflow describes it: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`;
}

const NamedRun = z.object({ dag_id: z.string(), dag_run_id: z.string() });

/** True if the answer is about this run at all, even if the rest of it is not understood. */
export function isAbout(json: unknown, key: RunKey): boolean {
  const run = NamedRun.safeParse(json);
  return run.success && run.data.dag_id === key.dagId && run.data.dag_run_id === key.dagRunId;
}
