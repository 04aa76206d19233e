import { randomUUID } from 'node:crypto';
import express, { type Express, type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import helmet from 'helmet';
import type { Registry } from 'prom-client';
import type { Intake } from '../engine/intake.ts';
import type { Log } from '../engine/log.ts';
import type { Runs } from '../engine/runs.ts';
import type { Tracer } from '../engine/tracer.ts';
import { sendProblem } from './answer.ts';
import { type Auth, type AuthSettings, createAuth, isAnonymous, type SeenWebhookIds } from './auth.ts';
import { callbackRoutes } from './callbacks.ts';
import { type HealthCheck, healthRoutes } from './health.ts';
import { createHttpMetrics } from './http-metrics.ts';
import { createHostCheck } from './known-host.ts';
import { metricsRoute } from './metrics.ts';
import { openApiRoute } from './openapi.ts';
import { CallerGone, HttpProblem, toProblem } from './problems.ts';
import type { Route } from './route.ts';
import { runRoutes } from './runs.ts';

export interface HttpAppDeps {
  readonly intake: Intake;
  readonly runs: Runs;
  readonly auth: AuthSettings;
  /** By which names besides loopback's it may be called while nobody needs a token. Null: by any. */
  readonly knownHosts: readonly string[] | null;
  readonly nowMs: () => number;
  readonly log: Log;
  readonly registry: Registry;
  /** Without one nothing is traced. */
  readonly tracer?: Tracer;
  readonly checks: readonly HealthCheck[];
  /** True from the moment that the service has been told to stop. */
  readonly isClosing: () => boolean;
  readonly version: string;
  readonly seenWebhookIds?: SeenWebhookIds;
  /** Further routes, guarded, measured and answered like the others. */
  readonly routes?: readonly Route[];
  /** Shows a person that an address leads nowhere; everybody else gets a problem. */
  readonly missingPage?: Route['handle'];
}

/** The whole HTTP interface as one Express app. @throws DagainError `configuration_invalid` for unusable secrets */
export function createHttpApp(deps: HttpAppDeps): Express {
  const auth = createAuth({ ...deps, settings: deps.auth });
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing');
  app.use(createHttpMetrics(deps), helmet(SECURITY_HEADERS));
  if (isAnonymous(deps.auth) && deps.knownHosts !== null) app.use(onlyFor(deps.knownHosts));
  const routes = [
    ...callbackRoutes({ ...deps, auth }),
    ...runRoutes(deps.runs),
    ...healthRoutes(deps),
    metricsRoute(deps.registry),
    openApiRoute(deps.version),
    ...(deps.routes ?? []),
  ];
  mount(app, routes, auth);
  app.use((request, response) => {
    if (deps.missingPage !== undefined && isNavigation(request)) return deps.missingPage(request, response);
    throw new HttpProblem('not_found', 'There is no such route; GET /openapi.json lists them all');
  });
  app.use(createErrorHandler(deps.log));
  return app;
}

/** Nothing that is answered here is a page; a route that serves one sets a policy of its own. */
const SECURITY_HEADERS = {
  contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
  // Only whoever ends TLS knows what else lives on the host that a browser would be bound to for a year.
  strictTransportSecurity: false,
  // These say something about pages and their links only, and each costs every answer a little.
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  referrerPolicy: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
} as const;

function onlyFor(names: readonly string[]): RequestHandler {
  const checkHost = createHostCheck(names);
  return (request, _response, next) => {
    checkHost(request);
    next();
  };
}

/** Puts routes in; a path that is asked for with a method it does not have is a 405 that names those it has. */
function mount(app: Express, routes: readonly Route[], auth: Auth): void {
  for (const [path, ofPath] of Map.groupBy(routes, (route) => route.path)) {
    const mounted = app.route(path);
    for (const route of ofPath) mounted[route.method](guarded(route, auth));
    const allow = ofPath
      .flatMap(({ method }) => (method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]))
      .join(', ');
    mounted.all((request) => {
      const detail = `${path} has no ${request.method}; it has ${allow}`;
      throw new HttpProblem('method_not_allowed', detail, { headers: { Allow: allow } });
    });
  }
}

function guarded({ access, handle }: Route, auth: Auth): Route['handle'] {
  if (access !== 'operator') return handle;
  return (request, response) => {
    auth.requireOperator(request);
    return handle(request, response);
  };
}

/** Answers what a handler threw. Our own failures are logged whole, under an id that the answer repeats. */
function createErrorHandler(log: Log) {
  function tell(request: Request, problem: HttpProblem, error: unknown, requestId: string | null): void {
    const fields = { method: request.method, path: request.path, status: problem.status, code: problem.code };
    if (requestId !== null) {
      // The store's outages end by themselves, and the sender reports again; all else of ours needs a person.
      const level = problem.status === 503 ? 'warn' : 'error';
      log[level]({ ...fields, request_id: requestId, err: problem.cause ?? error }, problem.detail);
    } else if (isLostReport(request, problem)) log.warn({ ...fields, errors: problem.errors }, problem.detail);
    else log.debug(fields, problem.detail);
  }

  return function answerError(error: unknown, request: Request, response: Response, _next: NextFunction): void {
    if (error instanceof CallerGone) return;
    const problem = toProblem(error);
    const requestId = problem.status >= 500 ? randomUUID() : null;
    tell(request, problem, error, requestId);
    if (response.headersSent) response.destroy();
    else if (!response.destroyed) sendProblem(request, response, problem, requestId);
  };
}

/** A browser that opens an address asks for a page by name; tools take anything. */
function isNavigation({ method, path, headers }: Request): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  return !path.startsWith('/v1/') && /\btext\/html\b/i.test(headers.accept ?? '');
}

const LOST = new Set([400, 409, 413, 415]);

/** A callback that was let in and refused all the same: somebody's report is malformed, and its run stays failed. */
function isLostReport(request: Request, { code, status }: HttpProblem): boolean {
  return request.path.startsWith('/v1/callbacks/') && (code === 'host_not_allowed' || LOST.has(status));
}
