import type { AirflowModel } from '../model/model.ts';
import { type Auth, type AuthOptions, createAuth } from './auth.ts';
import { createFaults, type Faults } from './faults.ts';
import { inject } from './inject.ts';
import { readBody } from './json-body.ts';
import { type AirflowRequest, type AirflowResponse, Refusal } from './messages.ts';
import { answerUnknown, forbid, refuseUser } from './refusals.ts';
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

  const requireUser = (request: AirflowRequest): string => {
    const verdict = auth.check(request.headers['authorization']);
    if (verdict.type === 'refused') return refuseUser(model, verdict.why, authOptions.unauthenticatedStatus ?? 403);
    return auth.mayAct(verdict.name) ? verdict.name : forbid(model);
  };

  const serve = (request: AirflowRequest, path: string, query: string, routing: Routing): AirflowResponse => {
    try {
      if (routing.type !== 'routed') return answerUnknown(model, request.method, path, routing.type);
      const { route, params } = routing.routed;
      const user = route.isPublic === true ? '' : requireUser(request);
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
