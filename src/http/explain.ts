import type { Request, Response } from 'express';
import type { Explainer, Explanation } from '../engine/explain.ts';
import { sendJson } from './answer.ts';
import { toEventView } from './event-view.ts';
import type { ExplainView } from './explain-view.ts';
import { isoTime } from './iso-time.ts';
import { toPolicyView } from './policy-view.ts';
import { readQuery } from './query.ts';
import type { Route } from './route.ts';
import { toRunView } from './run-view.ts';
import { runKeyInPath } from './runs.ts';

export function explainRoute(explainer: Explainer): Route {
  return {
    method: 'get',
    path: '/v1/runs/:dag_id/:dag_run_id/explain',
    access: 'operator',
    handle: (request, response) => explain(explainer, request, response),
  };
}

async function explain(explainer: Explainer, request: Request, response: Response): Promise<void> {
  const key = runKeyInPath(request);
  readQuery(request.url, []);
  sendJson(response, 200, toExplainView(await explainer.explain(key)));
}

function toExplainView({ verdict, summary, because, advice, facts }: Explanation): ExplainView {
  const { key, stored, policy, surroundings } = facts;
  return {
    dag_id: key.dagId,
    dag_run_id: key.dagRunId,
    ...{ verdict, summary, because: [...because], advice: [...advice] },
    run: stored.record === null ? null : toRunView(stored.record, surroundings),
    store: { status: stored.status },
    orchestrator: orchestratorOf(facts),
    audit_log: auditLogOf(facts),
    policy: policy === null ? null : { max_retries: policy.maxRetries, ...toPolicyView(key.dagId, policy.explained) },
    events: stored.events.map(toEventView),
  };
}

function orchestratorOf({ observation }: Explanation['facts']): ExplainView['orchestrator'] {
  switch (observation.type) {
    case 'missing':
      return { status: 'missing' };
    case 'unavailable':
      return { status: 'unavailable', reason: observation.reason, detail: observation.detail };
    case 'found': {
      const { queuedAtMs, startedAtMs, endedAtMs } = observation.fingerprint;
      return {
        status: 'found',
        state: observation.state,
        run_type: observation.runType,
        queued_at: isoTime(queuedAtMs),
        started_at: isoTime(startedAtMs),
        ended_at: isoTime(endedAtMs),
      };
    }
  }
}

function auditLogOf({ trail }: Explanation['facts']): ExplainView['audit_log'] {
  if (trail.type === 'unavailable') return { status: 'unavailable', entries: [] };
  return {
    status: trail.knowsUs ? 'found' : 'untold',
    entries: trail.entries.map(({ atMs, action, owner, isOurs, taskId }) => ({
      ...{ at: isoTime(atMs), action, by: owner, is_ours: isOurs, task_id: taskId },
    })),
  };
}
