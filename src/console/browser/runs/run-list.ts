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
  const [changes, setChanges] = useState<ReadonlyMap<string, RunSummary | null>>(new Map());
  const latest = useRef(served);
  latest.current = served;

  // A whole load knows all that has changed before it.
  useEffect(() => setChanges(new Map()), [loaded.data]);

  const refresh = useCallback(
    async (run: RunId) => {
      const now = await readOne(api, run);
      setChanges((before) =>
        new Map(before).set(idOf(run), now !== null && stillMatches(now, latest.current) ? now : null),
      );
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

  const { data } = loaded;
  return {
    runs: data === null ? null : withChanges(data.runs, changes),
    isComplete: data?.isComplete ?? true,
    error: loaded.error,
    reload: loaded.reload,
  };
}

export function idOf(run: RunId): string {
  return `${run.dag_id}/${run.dag_run_id}`;
}

function withChanges(
  runs: readonly RunSummary[],
  changes: ReadonlyMap<string, RunSummary | null>,
): readonly RunSummary[] {
  if (changes.size === 0) return runs;
  const kept = runs.filter((run) => !changes.has(idOf(run)));
  return [...kept, ...[...changes.values()].filter((run) => run !== null)];
}

async function readRuns(api: Api, served: Readonly<Record<string, string>>, signal: AbortSignal) {
  const runs: RunSummary[] = [];
  let cursor: string | null = null;
  do {
    const query = { ...served, view: 'summary', limit: PAGE, cursor };
    const page: RunSummaryPage = await api.get<RunSummaryPage>('v1/runs', query, signal);
    runs.push(...page.runs);
    cursor = page.next_cursor;
  } while (cursor !== null && runs.length < MAX_RUNS);
  return { runs, isComplete: cursor === null };
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
