import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { RunSummary, RunView } from '../../../http/run-view.ts';
import type { RunSummaryPage } from '../../../http/runs.ts';
import { type Api, ApiError, runPath } from '../api.ts';
import { usePage } from '../context.ts';
import type { RunId } from '../live.ts';
import { useLoaded } from '../loading.ts';
import { stillMatches } from './filter.ts';

const PAGE = 500;
/** Beyond this the page asks for a narrower filter instead. */
const MAX_RUNS = 20_000;
/** Up to so many changed runs are read one by one; above, the whole list is. */
const MAX_SINGLES = 10;

export interface RunList {
  /** Null until they are there. */
  readonly runs: readonly RunSummary[] | null;
  /** False where there are more than the page takes. */
  readonly isComplete: boolean;
  readonly error: unknown;
  reload(): void;
}

/** The runs that the service's filter lets through, kept up to date. */
export function useRunList(served: Readonly<Record<string, string>>): RunList {
  const { api, live } = usePage();
  const key = JSON.stringify(served);
  const isMany = (runs: readonly RunId[] | null) => runs === null || runs.length > MAX_SINGLES;
  const loaded = useLoaded(`runs ${key}`, (signal) => readRuns(api, served, signal), isMany);
  const [changes, setChanges] = useState<ReadonlyMap<string, Change>>(new Map());
  const latest = useRef(served);
  latest.current = served;
  const { data } = loaded;

  useEffect(() => {
    if (data !== null) setChanges((before) => new Map([...before].filter(([, change]) => isNewer(change, data))));
  }, [data]);

  const refresh = useCallback(
    async (id: RunId) => {
      const askedAtMs = performance.now();
      const found = await readOne(api, id);
      const run = found !== null && stillMatches(found, latest.current) ? found : null;
      setChanges((before) => {
        // Answers may overtake each other.
        const isLate = (before.get(idOf(id))?.askedAtMs ?? 0) > askedAtMs;
        return isLate ? before : new Map(before).set(idOf(id), { askedAtMs, run });
      });
    },
    [api],
  );
  useEffect(
    () =>
      live.onChange((runs) => {
        if (runs === null || runs.length > MAX_SINGLES) return;
        for (const run of runs) refresh(run).catch(loaded.reload);
      }),
    [live, refresh, loaded.reload],
  );

  return {
    runs: data === null ? null : withChanges(data, changes),
    isComplete: data?.isComplete ?? true,
    error: loaded.error,
    reload: loaded.reload,
  };
}

export function idOf(run: RunId): string {
  return `${run.dag_id}/${run.dag_run_id}`;
}

interface Whole {
  readonly runs: readonly RunSummary[];
  readonly isComplete: boolean;
  readonly startedAtMs: number;
}

/** What one run was found to be since; null: it is gone, or belongs here no more. */
interface Change {
  readonly askedAtMs: number;
  readonly run: RunSummary | null;
}

/** A load takes a while, and may have passed the place of a run before that changed. */
function isNewer({ askedAtMs }: Change, { startedAtMs }: Whole): boolean {
  return askedAtMs >= startedAtMs;
}

function withChanges(whole: Whole, changes: ReadonlyMap<string, Change>): readonly RunSummary[] {
  const newer = new Map([...changes].filter(([, change]) => isNewer(change, whole)));
  if (newer.size === 0) return whole.runs;
  const kept = whole.runs.filter((run) => !newer.has(idOf(run)));
  return [...kept, ...[...newer.values()].map(({ run }) => run).filter((run) => run !== null)];
}

async function readRuns(api: Api, served: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Whole> {
  const startedAtMs = performance.now();
  const runs: RunSummary[] = [];
  let cursor: string | null = null;
  do {
    const query = { ...served, view: 'summary', limit: PAGE, cursor };
    const page: RunSummaryPage = await api.get<RunSummaryPage>('v1/runs', query, signal);
    runs.push(...page.runs);
    cursor = page.next_cursor;
  } while (cursor !== null && runs.length < MAX_RUNS);
  return { runs, isComplete: cursor === null, startedAtMs };
}

async function readOne(api: Api, run: RunId): Promise<RunSummary | null> {
  try {
    return toSummary(await api.get<RunView>(runPath(run)));
  } catch (error) {
    if (error instanceof ApiError && error.code === 'run_not_found') return null;
    throw error;
  }
}

function toSummary({ failures, history: _history, ...run }: RunView): RunSummary {
  const last = failures.at(-1);
  if (last === undefined) return { ...run, last_failure: null };
  const { task_id, failure_class, exception, failed_at } = last;
  return { ...run, last_failure: { task_id, failure_class, exception_type: exception?.type ?? null, failed_at } };
}
