import type { RunKey } from '../../core/run-key.ts';
import type { RunObservation } from '../port.ts';
import { toUnavailable, unavailable, whatIsMissing } from './answers.ts';
import type { Client } from './client.ts';
import { readRun } from './runs.ts';
import type { TimeLimit } from './time-limit.ts';
import type { AirflowVersion, Versions } from './versions.ts';

export interface ObserveDeps {
  readonly client: Client;
  readonly versions: Versions;
}

/** Reads a run; `missing` only when the read and a dry run of its clear both say so. */
export async function observeRun(
  { client, versions }: ObserveDeps,
  key: RunKey,
  limit: TimeLimit,
): Promise<RunObservation> {
  const version = await versions.current();
  if (version.type === 'unavailable') return version;
  const segments = ['dags', key.dagId, 'dagRuns', key.dagRunId];
  const { name, result } = await client.call({ api: version.api, method: 'GET', segments }, limit);
  if (result.type === 'answer' && result.status === 200) {
    const run = readRun(result.json, key);
    if (typeof run !== 'string') return run;
    const detail = result.json === undefined ? `text that is not JSON: ${result.excerpt}` : run;
    return unavailable('unexpected_answer', `${name} answered 200 with ${detail}`);
  }
  if (result.type === 'answer' && result.status === 404) {
    if (whatIsMissing(result, key) === 'run') return confirmMissing({ client, versions }, version, key, limit);
    // A path that this Airflow does not have: it may have been upgraded since its version was read.
    versions.doubt();
  }
  return toUnavailable(name, result);
}

/** Asks a second way, since a proxy or a permission may hide the read of a run that is there. Clears nothing. */
async function confirmMissing(
  { client, versions }: ObserveDeps,
  version: AirflowVersion,
  key: RunKey,
  limit: TimeLimit,
): Promise<RunObservation> {
  const segments = ['dags', key.dagId, 'dagRuns', key.dagRunId, 'clear'];
  const call = { api: version.api, method: 'POST', segments, body: { dry_run: true } } as const;
  const { name, result } = await client.call(call, limit);
  if (result.type === 'answer' && result.status === 404) {
    if (whatIsMissing(result, key) === 'run') return { type: 'missing' };
    versions.doubt();
  }
  if (result.type === 'answer' && result.status === 200) {
    return unavailable('unexpected_answer', `the run is there for a dry run (${name}), but reading it answers 404`);
  }
  return toUnavailable(`${name} (a dry run)`, result);
}
