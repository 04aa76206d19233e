import type { Request, Response } from 'express';
import { z } from 'zod';
import { Id } from '../core/run-key.ts';
import type { PolicySource } from '../engine/policy-source.ts';
import { sendJson } from './answer.ts';
import { parseWith } from './field-errors.ts';
import { toPolicyView } from './policy-view.ts';
import { readQuery } from './query.ts';
import type { Route } from './route.ts';

export { PolicyView } from './policy-view.ts';

export const PolicyQuery = z.object({ dag_id: Id });

export function policyRoute(policies: Pick<PolicySource, 'explain'>): Route {
  return {
    method: 'get',
    path: '/v1/policy',
    access: 'operator',
    handle: (request, response) => explain(policies, request, response),
  };
}

async function explain(policies: Pick<PolicySource, 'explain'>, request: Request, response: Response): Promise<void> {
  const { dag_id } = parseWith(PolicyQuery, readQuery(request.url, ['dag_id']), 'invalid_query');
  sendJson(response, 200, toPolicyView(dag_id, await policies.explain(dag_id)));
}
