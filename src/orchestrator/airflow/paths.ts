import { DagainError } from '../../core/errors.ts';
import { idProblem } from '../../core/run-key.ts';

/**
 * Reads the configured address of Airflow: any path prefix stays, a slash or `/api/v1` or `/api/v2` at its end goes.
 * @throws DagainError `configuration_invalid`; the message never repeats the address, which may hold a password. */
export function parseRoot(address: string): URL {
  const refuse = (problem: string) => new DagainError('configuration_invalid', `the address of Airflow ${problem}`);
  if (!URL.canParse(address)) throw refuse('must be a whole URL such as http://airflow:8080');
  const url = new URL(address);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse('must begin with http:// or https://');
  if (url.username !== '' || url.password !== '') throw refuse('must not hold a user name or password');
  if (url.search !== '' || url.hash !== '') throw refuse('must not hold a query or fragment');
  url.pathname = url.pathname.replace(/\/+$/, '').replace(/\/api\/v[12]$/, '');
  return url;
}

/** In place of an id: all of them. Airflow's word for it, `~`, is refused where an id should be. */
export const ALL = Symbol('all');
export type Segment = string | typeof ALL;

/** A parameter with several values is sent several times. */
export type Query = Readonly<Record<string, string | readonly string[]>>;

/**
 * The URL of `segments` below `root`, each one encoded exactly once; null if one of them could lead elsewhere.
 * `encodeURIComponent` leaves `.` and `..` as they are and URLs then drop a segment, so a run's clear would become
 * something else: these are refused, and the path that comes out is compared with the one that was meant.
 */
export function urlOf(root: URL, segments: readonly Segment[], query: Query = {}): URL | null {
  if (segments.some((segment) => segment !== ALL && idProblem(segment) !== null)) return null;
  const encoded = segments.map((segment) => (segment === ALL ? '~' : encodeURIComponent(segment)));
  const path = `${root.pathname.replace(/\/$/, '')}/${encoded.join('/')}`;
  const url = new URL(path, root.origin);
  if (url.pathname !== path || url.origin !== root.origin || url.search !== '') return null;
  for (const [name, values] of Object.entries(query)) {
    for (const value of typeof values === 'string' ? [values] : values) url.searchParams.append(name, value);
  }
  return url;
}
