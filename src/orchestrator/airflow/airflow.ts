import { z } from 'zod';
import type { RunKey } from '../../core/run-key.ts';
import type { Orchestrator, OrchestratorHealth } from '../port.ts';
import { readActiveRuns } from './active-runs.ts';
import { toUnavailable, type Unavailable } from './answers.ts';
import { readAuditTrail, readOwnClears } from './audit.ts';
import { readStoppedTasks } from './audit-stopped.ts';
import { clearRun } from './clear.ts';
import type { Client } from './client.ts';
import { type AirflowOptions, connectAirflow } from './connect.ts';
import { describeDag, readFailedTasks } from './dags.ts';
import { readFailedRuns } from './failed-runs.ts';
import { annotateRun } from './note.ts';
import { observeRun } from './observe.ts';
import { urlOf } from './paths.ts';
import { rehearseClear } from './rehearse.ts';
import type { TimeLimit } from './time-limit.ts';
import { readLeastClears } from './tries.ts';
import type { Versions } from './versions.ts';

export { type AirflowOptions, clearTimeLimitMs } from './connect.ts';

/**
 * Airflow 3 through API v2 and Airflow 2 (2.4 or later) through API v1; which of them is found out from the server.
 * @throws DagainError `configuration_invalid` for an address that cannot be Airflow's.
 */
export function createAirflow(options: AirflowOptions): Orchestrator {
  const { root, client, versions, ourName, startLimit, close } = connectAirflow(options);
  const deps = { client, versions };
  const audit = { ...deps, clock: options.clock, ourName };
  return {
    observe: (key) => observeRun(deps, key, startLimit()),
    clear: (key, request) => clearRun(deps, key, request, startLimit()),
    rehearse: (key, request) => rehearseClear(deps, key, request, startLimit()),
    describeDag: (dagId) => describeDag(deps, dagId, startLimit()),
    failedTasks: (key) => readFailedTasks(deps, key, startLimit()),
    auditTrail: (key) => readAuditTrail(audit, key, startLimit()),
    leastClears: (key) => readLeastClears(deps, key, startLimit()),
    ownClears: (sinceMs) => readOwnClears(audit, sinceMs, startLimit()),
    stoppedTasks: (key, sinceMs) => readStoppedTasks(audit, key, sinceMs, startLimit()),
    failedRuns: (from) => readFailedRuns(deps, from, startLimit()),
    activeRuns: (dagIds, skip) => readActiveRuns(deps, dagIds, skip, startLimit()),
    annotate: (key, line) => annotateRun(deps, key, line, startLimit()),
    health: () => checkHealth(client, versions, startLimit()),
    linkTo: (key) => linkTo(root, versions, key),
    close,
  };
}

/** Reads one Dag, because a version says nothing about our credentials. */
async function checkHealth(client: Client, versions: Versions, limit: TimeLimit): Promise<OrchestratorHealth> {
  const version = await versions.current();
  if (version.type === 'unavailable') return withoutWait(version);
  const call = { api: version.api, method: 'GET', segments: ['dags'], query: { limit: '1' } } as const;
  const { name, result } = await client.call(call, limit);
  if (result.type === 'answer' && result.status === 200 && DagList.safeParse(result.json).success) {
    return { type: 'reachable', name: 'airflow', version: version.version };
  }
  if (result.type === 'answer' && result.status === 404) versions.doubt();
  return withoutWait(toUnavailable(name, result));
}

const DagList = z.object({ dags: z.array(z.unknown()) });

function withoutWait({ reason, detail }: Unavailable): OrchestratorHealth {
  return { type: 'unavailable', reason, detail };
}

/** Airflow's page of the run. Synchronous, and so null until the version has been found out once. */
function linkTo(root: URL, versions: Versions, { dagId, dagRunId }: RunKey): string | null {
  const api = versions.known()?.api;
  if (api === undefined) return null;
  const url =
    api === 'v1'
      ? urlOf(root, ['dags', dagId, 'grid'], { dag_run_id: dagRunId })
      : urlOf(root, ['dags', dagId, 'runs', dagRunId]);
  return url?.href ?? null;
}
