import type { AirflowModel } from '../model/model.ts';
import type { Run } from '../model/run-state.ts';
import type { Auth } from './auth.ts';
import type { ReadBody } from './json-body.ts';
import type { AirflowResponse } from './messages.ts';

/** What a handler works on: a request that was routed and whose sender is known. */
export interface Call {
  readonly model: AirflowModel;
  readonly auth: Auth;
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: ReadBody;
  readonly user: string;
}

export interface Route {
  /** By which faults and counters name it. */
  readonly name: string;
  readonly method: string;
  /** Segments in braces are parameters. */
  readonly path: string;
  /** Open to callers that have not logged in. */
  readonly isPublic?: boolean;
  handle(call: Call): AirflowResponse;
}

export interface Routed {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

export type Routing = { readonly type: 'routed'; readonly routed: Routed } | { readonly type: 'other_method' | 'none' };

/** Percent-decodes once and before routing, as both of Airflow's frameworks do: `%2F` splits an id into two segments. */
export function findRoute(routes: readonly Route[], method: string, path: string): Routing {
  const segments = decode(path).split('/');
  let type: 'other_method' | 'none' = 'none';
  for (const route of routes) {
    const params = match(route.path.split('/'), segments);
    if (params === null) continue;
    if (route.method === method) return { type: 'routed', routed: { route, params } };
    type = 'other_method';
  }
  return { type };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    const name = /^\{(.+)\}$/.exec(part)?.[1];
    if (name === undefined ? part !== segment : segment === '') return null;
    if (name !== undefined) params[name] = segment;
  }
  return params;
}

export function param(call: Call, name: string): string {
  const value = call.params[name];
  if (value === undefined) throw new Error(`this route has no parameter ${name}`);
  return value;
}

export function keyOf(call: Call): { dagId: string; dagRunId: string } {
  return { dagId: param(call, 'dag_id'), dagRunId: param(call, 'dag_run_id') };
}

/** The runs of a Dag, or with `~` those of all. */
export function runsOf(call: Call): Run[] {
  const dagId = param(call, 'dag_id');
  return call.model.runs(dagId === '~' ? undefined : dagId);
}
