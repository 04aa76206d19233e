import { EVERYTHING, type Pause, pauseOf } from '../core/pause.ts';
import type { Census, DagCensus } from './census.ts';
import type { Pauses } from './pauses.ts';

/** A Dag that has records, or is paused. */
export interface DagSummary {
  readonly dagId: string;
  /** Null: it has no records. */
  readonly census: DagCensus | null;
  readonly pause: Pause | null;
}

export interface Dags {
  /** Up to `limit` Dags ordered by id, after `after`; `next` is null at the end. @throws DagainError `store_unavailable` */
  list(limit: number, after: string | null): Promise<{ dags: DagSummary[]; next: string | null }>;
}

export interface DagsDeps {
  readonly census: () => Promise<Census>;
  readonly pauses: Pick<Pauses, 'known'>;
}

export function createDags({ census, pauses }: DagsDeps): Dags {
  return {
    async list(limit, after) {
      const [{ dags }, paused] = await Promise.all([census(), pauses.known()]);
      const scopes = paused.map(({ scope }) => scope).filter((scope) => scope !== EVERYTHING);
      const ids = [...new Set([...dags.keys(), ...scopes])].sort();
      const from = after === null ? 0 : ids.findIndex((id) => id > after);
      const page = from < 0 ? [] : ids.slice(from, from + limit);
      const last = page.at(-1);
      return {
        dags: page.map((dagId) => ({ dagId, census: dags.get(dagId) ?? null, pause: pauseOf(dagId, paused) })),
        next: last === undefined || last === ids.at(-1) ? null : last,
      };
    },
  };
}
