import { z } from 'zod';
import { type Finding, fail, ok, warn } from '../../core/finding.ts';
import type { RunKey } from '../../core/run-key.ts';
import { toUnavailable, type Unavailable } from './answers.ts';
import type { Credentials } from './auth.ts';
import type { ApiCall } from './client.ts';
import type { AirflowLink } from './connect.ts';
import { ALL } from './paths.ts';
import { notAllowed, remedyFor } from './remedies.ts';
import type { AirflowVersion } from './versions.ts';

/**
 * Tries a clear that changes nothing (`dry_run`) on a finished run. In every version the note of a run needs the same
 * permission as its clear, and has no dry run: what is found holds for both.
 */
export async function probeClear(
  link: AirflowLink,
  { api }: AirflowVersion,
  credentials: Credentials,
): Promise<Finding> {
  const run = await findFinishedRun(link, api);
  if (run !== null && 'reason' in run) return notAllowed(run, credentials, 'read runs');
  if (run === null) {
    return warn(
      'not tried: there is no finished run to try it on',
      `Once a run has ended, try again. ${remedyFor({ reason: 'forbidden' }, credentials, 'clear runs')}`,
    );
  }
  const segments = ['dags', run.dagId, 'dagRuns', run.dagRunId, 'clear'];
  const call: ApiCall = { api, method: 'POST', segments, body: { dry_run: true } };
  const { name, result } = await link.client.call(call, link.startLimit());
  const logged = api === 'v1' ? '; Airflow 2 has noted the dry run in its audit log' : '';
  const where = `in a dry run on ${run.dagId}, and so are notes`;
  if (result.type === 'answer' && result.status === 200) return ok(`allowed ${where}${logged}`);
  const outage = toUnavailable(name, result);
  if (outage.reason === 'forbidden') {
    return fail(`refused ${where}: ${outage.detail}`, remedyFor(outage, credentials, 'clear runs'));
  }
  if (result.type === 'answer' && result.status === 404) {
    return warn(
      `not tried: ${outage.detail}`,
      'The run that was found has no Dag any more; try again after another run.',
    );
  }
  return notAllowed(outage, credentials, 'clear runs');
}

const Runs = z.object({ dag_runs: z.array(z.object({ dag_id: z.string(), dag_run_id: z.string() })) });

/** A run that has ended, failed ones first; null if there is none. */
async function findFinishedRun(link: AirflowLink, api: AirflowVersion['api']): Promise<RunKey | Unavailable | null> {
  for (const state of ['failed', 'success']) {
    const query = { state, limit: '1', order_by: '-start_date' };
    const call: ApiCall = { api, method: 'GET', segments: ['dags', ALL, 'dagRuns'], query };
    const { name, result } = await link.client.call(call, link.startLimit());
    if (result.type === 'failure' || result.status !== 200) return toUnavailable(name, result);
    const [run] = Runs.safeParse(result.json).data?.dag_runs ?? [];
    if (run !== undefined) return { dagId: run.dag_id, dagRunId: run.dag_run_id };
  }
  return null;
}
