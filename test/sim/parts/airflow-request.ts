import { z } from 'zod';
import type { RunKey } from '../../../src/core/run-key.ts';
import type { AirflowRequest, AirflowResponse } from '../../support/airflow/api/messages.ts';
import type { Sight } from '../events.ts';

export interface Meaning {
  /** `clear` only where it is no dry run. */
  readonly type: 'read' | 'clear' | 'other';
  readonly key: RunKey | null;
  /** The Dag that is read. */
  readonly dagId: string | null;
}

const ClearBody = z.object({ dry_run: z.boolean(), dag_run_id: z.string().optional() });

/** What a request is about, whichever version of Airflow it is for. */
export function meaningOf({ method, path, body }: Pick<AirflowRequest, 'method' | 'path' | 'body'>): Meaning {
  const [, dag, rest = ''] = /^\/api\/v[12]\/dags\/([^/?]+)\/?(.*)$/.exec(path) ?? [];
  if (dag === undefined) return { type: 'other', key: null, dagId: null };
  const dagId = decodeURIComponent(dag);
  if (rest === '') return { type: 'other', key: null, dagId };
  const run = /^dagRuns\/([^/?]+)(\/clear)?$/.exec(rest);
  if (method === 'GET' && run?.[1] !== undefined && run[2] === undefined) {
    return { type: 'read', key: { dagId, dagRunId: decodeURIComponent(run[1]) }, dagId: null };
  }
  const isClear = method === 'POST' && (run?.[2] !== undefined || rest === 'clearTaskInstances');
  const sent = isClear ? ClearBody.parse(JSON.parse(body)) : null;
  if (sent === null || sent.dry_run) return { type: 'other', key: null, dagId: null };
  const dagRunId = sent.dag_run_id ?? decodeURIComponent(run?.[1] ?? '');
  return { type: 'clear', key: { dagId, dagRunId }, dagId: null };
}

const Run = z.object({
  dag_run_id: z.string(),
  state: z.enum(['queued', 'running', 'success', 'failed']),
  queued_at: z.string().nullish(),
  start_date: z.string().nullable(),
});

/** The run that an answer shows, or null if it shows none. */
export function sightOf({ status, body }: AirflowResponse): Sight | null {
  if (status !== 200) return null;
  const run = Run.safeParse(parseJson(body)).data;
  return run === undefined ? null : { state: run.state, queuedAt: run.queued_at ?? null, startedAt: run.start_date };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
