import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { ClearOutcome, ClearRequest, FoundRun } from '../port.ts';
import { describe, toUnavailable, whatIsMissing } from './answers.ts';
import type { ApiCall, Client } from './client.ts';
import type { HttpAnswer } from './http.ts';
import { observeRun } from './observe.ts';
import { isAbout, readRun } from './runs.ts';
import type { TimeLimit } from './time-limit.ts';
import type { AirflowVersion, Versions } from './versions.ts';

export interface ClearDeps {
  readonly client: Client;
  readonly versions: Versions;
}

/** Sends the clear of a run, once, and says what became of it. */
export async function clearRun(
  { client, versions }: ClearDeps,
  key: RunKey,
  request: ClearRequest,
  limit: TimeLimit,
): Promise<ClearOutcome> {
  const version = await versions.current();
  if (version.type === 'unavailable') {
    const { reason, detail, retryAfterMs } = version;
    return { type: 'not_applied', reason, detail, retryAfterMs };
  }
  const { name, result } = await client.call(callFor(version, key, request), limit);
  if (result.type === 'answer') {
    if (clearedNoTask(name, result)) return { type: 'accepted', run: await readBack({ client, versions }, key, limit) };
    return await lookAgain(versions, version, result, key, outcomeOf(name, result, key));
  }
  const { reason, detail, retryAfterMs } = result;
  return result.sent ? { type: 'unknown', reason, detail } : { type: 'not_applied', reason, detail, retryAfterMs };
}

/** The request for this version. `dry_run` is always named: left out, it means true, and 200 would mean nothing. */
export function callFor(
  { api, clearTakes }: AirflowVersion,
  key: RunKey,
  request: ClearRequest,
  isDryRun = false,
): ApiCall {
  if (request.mode === 'from_failure' && !clearTakes.onlyFailed) return clearFailedTasks(api, key, isDryRun);
  const body = {
    dry_run: isDryRun,
    ...(request.mode === 'from_failure' ? { only_failed: true } : {}),
    ...(request.runOnLatestVersion && clearTakes.runOnLatestVersion ? { run_on_latest_version: true } : {}),
  };
  return { api, method: 'POST', segments: ['dags', key.dagId, 'dagRuns', key.dagRunId, 'clear'], body };
}

/**
 * Airflow 2 clears only whole runs by run; failed tasks (upstream_failed ones too) go through their own endpoint, which
 * has to be told to set the run going again. Its `include_subdags` stays off: it would also reach into other Dags, through
 * ExternalTaskMarker, and a SubDagOperator that runs again resets its failed tasks by itself.
 */
function clearFailedTasks(api: AirflowVersion['api'], key: RunKey, isDryRun: boolean): ApiCall {
  const body = { dry_run: isDryRun, dag_run_id: key.dagRunId, only_failed: true, reset_dag_runs: true };
  return { api, method: 'POST', segments: ['dags', key.dagId, 'clearTaskInstances'], body };
}

/** A refusal by another Airflow than the request was made for is not its last word. */
export async function lookAgain<Outcome extends ClearOutcome>(
  versions: Versions,
  used: AirflowVersion,
  answer: HttpAnswer,
  key: RunKey,
  outcome: Outcome,
): Promise<Outcome | Extract<ClearOutcome, { type: 'not_applied' }>> {
  if (!contradicts(answer, key)) return outcome;
  versions.doubt();
  if (outcome.type !== 'refused') return outcome;
  const now = await versions.current();
  if (now.type !== 'known' || now.version === used.version) return outcome;
  const detail = `Airflow has changed from ${used.version} to ${now.version}: ${outcome.detail}`;
  return { type: 'not_applied', reason: 'unexpected_answer', detail, retryAfterMs: null };
}

/** Whether the answer shows an Airflow of another version than believed, after an upgrade or a rollback. */
function contradicts(answer: HttpAnswer, key: RunKey): boolean {
  if (answer.status === 404) return ['route', 'unknown'].includes(whatIsMissing(answer, key));
  return answer.status === 405 || answer.status === 422;
}

function outcomeOf(name: string, answer: HttpAnswer, key: RunKey): ClearOutcome {
  const { status } = answer;
  if (status >= 200 && status < 300) return appliedOutcome(name, answer, key);
  return refusedOutcome(name, answer, key);
}

/** What an answer other than 2xx to a clear, or to its dry run, means. */
export function refusedOutcome(
  name: string,
  answer: HttpAnswer,
  key: RunKey,
): Exclude<ClearOutcome, { type: 'accepted' }> {
  const { status } = answer;
  const { reason, detail, retryAfterMs } = toUnavailable(name, answer);
  const notApplied = { type: 'not_applied', reason, detail, retryAfterMs } as const;
  switch (status) {
    case 400:
    case 405:
    case 422:
      return { type: 'refused', detail };
    case 401:
    case 403:
    // Airflow 3.3 answers 409 when two writes of the run met in its database: this one was rolled back, and may be repeated.
    case 409:
    case 429:
      return notApplied;
    case 404:
      return missingOutcome(answer, key, notApplied);
    default:
      return { type: 'unknown', reason, detail };
  }
}

/** Only Airflow's own words about this run make it missing; that its Dag is not loaded may pass. */
function missingOutcome(
  answer: HttpAnswer,
  key: RunKey,
  notApplied: Extract<ClearOutcome, { type: 'not_applied' }>,
): Exclude<ClearOutcome, { type: 'accepted' }> {
  const missing = whatIsMissing(answer, key);
  if (missing === 'run') return { type: 'missing' };
  if (missing === 'dag' || missing === 'route') return notApplied;
  return { type: 'unknown', reason: notApplied.reason, detail: notApplied.detail };
}

const ClearedTasks = z.object({ task_instances: z.array(z.unknown()) });

function appliedOutcome(name: string, answer: HttpAnswer, key: RunKey): ClearOutcome {
  // A run that has been cleared is queued or running in this answer. One in which nothing matched is as it was: still
  // failed, e.g. `only_failed` after a dagrun_timeout, which skips the unfinished tasks; or successful.
  const run = readRun(answer.json, key);
  if (typeof run !== 'string') return { type: 'accepted', run };
  const isTasks = name.endsWith('/clearTaskInstances') && ClearedTasks.safeParse(answer.json).success;
  if (isTasks || isAbout(answer.json, key)) return { type: 'accepted', run: null };
  return { type: 'unknown', reason: 'unexpected_answer', detail: describe(name, answer) };
}

const NoTasks = z.object({ task_instances: z.array(z.unknown()).length(0) });

/** Airflow 2 answers the clear of failed tasks with these alone; where there are none, nothing was started. */
function clearedNoTask(name: string, answer: HttpAnswer): boolean {
  return name.endsWith('/clearTaskInstances') && answer.status === 200 && NoTasks.safeParse(answer.json).success;
}

/** The run as it is now, which tells the caller that it did not change; null if it cannot be read. */
async function readBack(deps: ClearDeps, key: RunKey, limit: TimeLimit): Promise<FoundRun | null> {
  const run = await observeRun(deps, key, limit);
  return run.type === 'found' ? run : null;
}
