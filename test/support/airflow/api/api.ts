import type { AirflowModel } from '../model/model.ts';
import { type Auth, type AuthOptions, createAuth, type Verdict } from './auth.ts';
import { problem, refuse } from './errors.ts';
import { createFaults, type Faults } from './faults.ts';
import { inject } from './inject.ts';
import { readBody } from './json-body.ts';
import { type AirflowRequest, type AirflowResponse, html, json, Refusal } from './messages.ts';
import { createRequestLog, type RequestLog } from './request-log.ts';
import { ROUTES_V1 } from './routes-v1.ts';
import { ROUTES_V2 } from './routes-v2.ts';
import { findRoute, type Routing } from './routing.ts';

export interface AirflowApiOptions {
  readonly model: AirflowModel;
  readonly auth?: AuthOptions;
  /** A prefix such as `/airflow`, when Airflow is not at the root of its host. */
  readonly basePath?: string;
}

/** Airflow's REST API over the model, without a network. */
export interface AirflowApi {
  /**
   * Answers one request.
   * @throws ConnectionResetError when a fault breaks the connection; with `hang`, it settles only when `signal` aborts.
   */
  handle(request: AirflowRequest): Promise<AirflowResponse>;
  readonly auth: Auth;
  readonly faults: Faults;
  readonly requests: RequestLog;
}

export function createAirflowApi({ model, auth: authOptions = {}, basePath = '' }: AirflowApiOptions): AirflowApi {
  const { api } = model.traits;
  const auth = createAuth({ ...authOptions, timers: model.timers, api });
  const faults = createFaults();
  const requests = createRequestLog({ timers: model.timers });
  const routes = api === 'v1' ? ROUTES_V1 : ROUTES_V2;

  const serve = (request: AirflowRequest, path: string, query: string, routing: Routing): AirflowResponse => {
    try {
      if (routing.type !== 'routed') return answerUnknown(model, request.method, path, routing.type);
      const { route, params } = routing.routed;
      const user = route.isPublic === true ? '' : requireUser(model, auth, request.headers['authorization']);
      const body = readBody(request.body, request.headers['content-type']);
      return route.handle({ model, auth, params, query: new URLSearchParams(query), body, user });
    } catch (error) {
      if (error instanceof Refusal) return error.response;
      throw error;
    }
  };

  return {
    auth,
    faults,
    requests,
    async handle(request) {
      const [, rawPath = '', query = ''] = /^([^?]*)\??(.*)$/s.exec(request.path) ?? [];
      const isWithin = rawPath.startsWith(`${basePath}/`);
      const path = isWithin ? rawPath.slice(basePath.length) : '/outside';
      const routing = findRoute(routes, request.method, path);
      const route = routing.type === 'routed' ? routing.routed.route.name : 'unknown';
      const { method, body } = request;
      const logged = requests.add({ method, path: request.path, route, body });
      const action = faults.pick(request, route);
      const answer = () => serve(request, path, query, routing);
      const response = action === null ? answer() : await inject(action, request, model.timers, answer);
      logged.status = response.status;
      return response;
    },
  };
}

function requireUser(model: AirflowModel, auth: Auth, header: string | undefined): string {
  const verdict = auth.check(header);
  if (verdict.type === 'refused') return refuseUser(model, verdict.why);
  if (auth.mayAct(verdict.name)) return verdict.name;
  if (model.traits.api === 'v2') return refuse(403, 'Forbidden');
  return problem(model.traits.release, { status: 403, title: 'Forbidden' });
}

function refuseUser(model: AirflowModel, why: Extract<Verdict, { type: 'refused' }>['why']): never {
  if (model.traits.api === 'v1') {
    const headers = { 'www-authenticate': 'Basic' };
    return problem(model.traits.release, { status: 401, title: 'Unauthorized', headers });
  }
  switch (why) {
    case 'missing':
      return refuse(401, 'Not authenticated');
    case 'expired':
      return refuse(401, 'Token Expired');
    case 'invalid':
      return refuse(403, 'Invalid JWT token');
  }
}

/** Airflow 3 serves its web interface under every path that it does not know, but for those of an API. */
function answerUnknown(
  { traits }: AirflowModel,
  method: string,
  path: string,
  type: 'other_method' | 'none',
): AirflowResponse {
  if (traits.api === 'v1') return answerUnknownV1(traits.release, path, type);
  if (method !== 'GET') return json(405, { detail: 'Method Not Allowed' }, { allow: 'GET' });
  if (path.startsWith('/api/v1/')) {
    const error = '/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead.';
    return json(404, { error });
  }
  if (path.startsWith('/api/')) return json(404, { error: 'API route not found' });
  return html(200, '<!doctype html><html lang="en"><head><title>Airflow</title></head></html>');
}

function answerUnknownV1(release: string, path: string, type: 'other_method' | 'none'): AirflowResponse {
  if (!path.startsWith('/api/v1')) return html(404, '<!doctype html><html><body>404 = lots of circles</body></html>');
  const isGeneric = true;
  if (type === 'other_method') {
    const detail = 'The method is not allowed for the requested URL.';
    return problem(release, { status: 405, title: 'Method Not Allowed', detail, isGeneric });
  }
  const detail =
    'The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.';
  return problem(release, { status: 404, title: 'Not Found', detail, isGeneric });
}
