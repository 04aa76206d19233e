import type { ActiveRuns, FoundRun, Orchestrator } from '../../orchestrator/port.ts';
import type { Log } from '../log.ts';

/** Pages that are read at the same time, over all lists. */
const CONCURRENCY = 4;
/** The orchestrator's own limit for one page, where it has not lowered it. */
const PAGE = 100;
/** A list longer than this is not read, whatever it would save. */
const MAX_PAGES = 300;

export interface ActiveReaderDeps {
  readonly orchestrator: Pick<Orchestrator, 'activeRuns'>;
  readonly log: Log;
  /** A Dag has so many active runs that listing them takes `pages` requests, and so is not worth it. */
  readonly onCrowded: (dagId: string, pages: number) => void;
}

/** By Dag, its active runs by their ids; a Dag that is not in it could not be read or was not worth it. */
export type ActiveByDag = ReadonlyMap<string, ReadonlyMap<string, FoundRun>>;

export interface ActiveReader {
  /** Lists the Dags of `looks`, each with the looks that its list would save. Never rejects for an outage. */
  read(looks: ReadonlyMap<string, number>): Promise<ActiveByDag>;
}

type Page = Extract<ActiveRuns, { type: 'found' }>;

export function createActiveReader({ orchestrator, log, onCrowded }: ActiveReaderDeps): ActiveReader {
  let free = CONCURRENCY;
  const queue: (() => void)[] = [];

  async function page(dagIds: readonly string[], skip: number): Promise<Page | null> {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
    try {
      const answer = await orchestrator.activeRuns(dagIds, skip);
      if (answer.type === 'found') return answer;
      log.debug({ reason: answer.reason, detail: answer.detail }, 'active runs could not be listed');
      return null;
    } finally {
      const next = queue.shift();
      if (next === undefined) free += 1;
      else next();
    }
  }

  async function read(looks: ReadonlyMap<string, number>): Promise<ActiveByDag> {
    const dagIds = [...looks.keys()];
    const first = await page(dagIds, 0);
    if (first === null) return new Map();
    const size = first.rows < first.total ? first.rows : PAGE;
    const pages = size === 0 ? MAX_PAGES + 1 : Math.ceil(first.total / size);
    const saved = [...looks.values()].reduce((sum, one) => sum + one, 0);
    if (pages > MAX_PAGES || (pages > 1 && 2 * pages > saved)) return await readApart(looks, pages);
    const rest = Array.from({ length: Math.max(0, pages - 1) }, (_, index) => page(dagIds, (index + 1) * size));
    const all = [first, ...(await Promise.all(rest))];
    // Without one of them nothing is wrong, but the rest of its runs would be looked at one by one all the same.
    return byDag(dagIds, all);
  }

  /** One crowded Dag must not keep the others from being listed: halves, down to single Dags. */
  async function readApart(looks: ReadonlyMap<string, number>, pages: number): Promise<ActiveByDag> {
    const entries = [...looks];
    const [only] = entries;
    if (entries.length <= 1 && only !== undefined) {
      onCrowded(only[0], pages);
      return new Map();
    }
    const half = Math.ceil(entries.length / 2);
    const halves = await Promise.all([read(new Map(entries.slice(0, half))), read(new Map(entries.slice(half)))]);
    return new Map(halves.flatMap((one) => [...one]));
  }

  return { read };
}

function byDag(dagIds: readonly string[], pages: readonly (Page | null)[]): ActiveByDag {
  const found = new Map(dagIds.map((dagId) => [dagId, new Map<string, FoundRun>()]));
  for (const { key, run } of pages.flatMap((page) => page?.runs ?? [])) found.get(key.dagId)?.set(key.dagRunId, run);
  return found;
}
