import { queryText } from './api.ts';

export type Route =
  | { readonly view: 'overview' | 'runs' | 'dags' | 'events' | 'missing'; readonly query: URLSearchParams }
  | { readonly view: 'run'; readonly query: URLSearchParams; readonly dagId: string; readonly dagRunId: string };

/** Which view an address shows, and how views link to each other. */
export interface Router {
  current(): Route;
  /** Called after every change; returns how to stop. */
  listen(onChange: (route: Route) => void): () => void;
  /** `path` as `pathTo` made it. */
  go(path: string, options?: { readonly replace?: boolean }): void;
  href(path: string): string;
}

/** `root`: where the page is served, with a slash at its end. */
export function createRouter(window: Window, root: string): Router {
  const listeners = new Set<(route: Route) => void>();
  const prefix = new URL(root).pathname;
  const current = () => routeOf(window.location, prefix);
  const tell = () => {
    for (const listener of listeners) listener(current());
  };
  window.addEventListener('popstate', tell);
  return {
    current,
    listen(onChange) {
      listeners.add(onChange);
      return () => listeners.delete(onChange);
    },
    go(path, { replace = false } = {}) {
      window.history[replace ? 'replaceState' : 'pushState'](null, '', root + path);
      if (!replace) window.scrollTo(0, 0);
      tell();
    },
    href: (path) => root + path,
  };
}

function routeOf(location: Location, prefix: string): Route {
  const query = new URLSearchParams(location.search);
  const path = location.pathname.startsWith(prefix) ? location.pathname.slice(prefix.length) : '';
  const [first = '', dag, run, ...rest] = path.replace(/\/$/, '').split('/');
  if (first === '') return { view: 'overview', query };
  if (first === 'runs' && dag !== undefined && run !== undefined && rest.length === 0) {
    const [dagId, dagRunId] = [decoded(dag), decoded(run)];
    return dagId === null || dagRunId === null ? { view: 'missing', query } : { view: 'run', query, dagId, dagRunId };
  }
  if ((first === 'runs' || first === 'dags' || first === 'events') && dag === undefined) return { view: first, query };
  return { view: 'missing', query };
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

export function pathTo(view: '' | 'runs' | 'dags' | 'events', query: Readonly<Record<string, string>> = {}): string {
  return view + queryText(query);
}

export function pathToRun(run: { readonly dag_id: string; readonly dag_run_id: string }): string {
  return `runs/${encodeURIComponent(run.dag_id)}/${encodeURIComponent(run.dag_run_id)}`;
}
