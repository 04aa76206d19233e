import type { RunKey } from '../core/run-key.ts';
import type { FoundRun, Orchestrator } from '../orchestrator/port.ts';
import { createActiveReader } from './active-runs/reader.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** Dags in one question. */
const MAX_DAGS = 100;
/** Fewer looks than this are cheaper one by one. */
const MIN_LOOKS = 4;
/** Looks that wait for a list at the same time; the others are made one by one, so that retries keep their places. */
const MAX_WAITING = 8;
/** From this share of its time on, a list is read anew while it still serves, so that nobody waits for the next one. */
const REFRESH_SHARE = 0.75;
/** How long it is remembered that a Dag has too many other runs to be listed. */
const CROWDED_MS = 10 * 60_000;

export interface ActiveRunsDeps {
  readonly orchestrator: Pick<Orchestrator, 'activeRuns'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
}

/** Which runs are queued or running, read by the hundred where that saves requests. */
export interface ActiveRuns {
  /**
   * The run as a list shows it that was begun at most `maxAgeMs` ago and after `sinceMs`. Null says nothing: not in the
   * list, no such list, or one that would not be worth it.
   */
  find(key: RunKey, sinceMs: number, maxAgeMs: number): Promise<FoundRun | null>;
}

interface Dag {
  /** Looks in the window that began at `windowMs`, and in the one before. */
  windowMs: number;
  looks: number;
  looksBefore: number;
  list: List | null;
  /** The one before, while `list` is being read. */
  older: List | null;
  /** Pages that listing it alone would take, and until when that is believed. */
  crowdedPages: number;
  crowdedUntilMs: number;
}

interface List {
  readonly begunAtMs: number;
  readonly reading: Promise<void>;
  isRead: boolean;
  /** Null: not read yet, could not be read, or would not have been worth it. */
  runs: ReadonlyMap<string, FoundRun> | null;
}

export function createActiveRuns({ orchestrator, clock, log }: ActiveRunsDeps): ActiveRuns {
  const dags = new Map<string, Dag>();
  const reader = createActiveReader({ orchestrator, log, onCrowded });
  let waiting = 0;

  function onCrowded(dagId: string, pages: number): void {
    const dag = dags.get(dagId);
    if (dag === undefined) return;
    dag.crowdedPages = pages;
    dag.crowdedUntilMs = clock.nowMs() + CROWDED_MS;
  }

  /** Counts a look; a window is as long as a list serves, so that the count is what one list would save. */
  function counted(dagId: string, windowMs: number): Dag {
    const nowMs = clock.nowMs();
    const dag = dags.get(dagId) ?? {
      ...{ windowMs: nowMs, looks: 0, looksBefore: 0, list: null, older: null, crowdedPages: 0, crowdedUntilMs: 0 },
    };
    if (nowMs - dag.windowMs >= windowMs) {
      dag.looksBefore = nowMs - dag.windowMs < 2 * windowMs ? dag.looks : 0;
      dag.looks = 0;
      dag.windowMs = nowMs;
    }
    dag.looks += 1;
    dags.set(dagId, dag);
    return dag;
  }

  /** The Dags to list together with this one, with the looks that are expected at each. */
  function groupWith(dagId: string, maxAgeMs: number): Map<string, number> {
    const nowMs = clock.nowMs();
    const group = new Map<string, number>();
    for (const [name, dag] of [[dagId, dags.get(dagId)] as const, ...dags]) {
      if (dag === undefined) continue;
      if (nowMs - dag.windowMs > Math.max(CROWDED_MS, 2 * maxAgeMs)) dags.delete(name);
      if (
        nowMs - dag.windowMs >= 2 * maxAgeMs ||
        isServed(dag, nowMs, REFRESH_SHARE * maxAgeMs) ||
        isCrowded(dag, nowMs)
      )
        continue;
      group.set(name, expectedLooks(dag));
      if (group.size === MAX_DAGS) break;
    }
    return group;
  }

  /** Begins a list; whoever needs one of its Dags meanwhile shares it. */
  function begin(dagId: string, maxAgeMs: number): List | null {
    const group = groupWith(dagId, maxAgeMs);
    const looks = [...group.values()].reduce((sum, one) => sum + one, 0);
    if (!group.has(dagId) || looks < MIN_LOOKS) return null;
    const lists = new Map<string, List>();
    const reading = reader.read(group).then((found) => {
      for (const [name, list] of lists) {
        list.runs = found.get(name) ?? null;
        list.isRead = true;
      }
    });
    for (const name of group.keys()) {
      const dag = dags.get(name);
      if (dag === undefined) continue;
      dag.older = dag.list;
      dag.list = { begunAtMs: clock.nowMs(), reading, isRead: false, runs: null };
      lists.set(name, dag.list);
    }
    return dags.get(dagId)?.list ?? null;
  }

  /** False where others wait already. */
  async function isReadInTurn({ reading }: List): Promise<boolean> {
    if (waiting >= MAX_WAITING) return false;
    waiting += 1;
    await reading.finally(() => {
      waiting -= 1;
    });
    return true;
  }

  return {
    async find({ dagId, dagRunId }, sinceMs, maxAgeMs) {
      const dag = counted(dagId, maxAgeMs);
      const begun = isServed(dag, clock.nowMs(), REFRESH_SHARE * maxAgeMs) ? dag.list : begin(dagId, maxAgeMs);
      const list = begun?.isRead === false && isYoung(dag.older, clock.nowMs(), maxAgeMs) ? dag.older : begun;
      if (list === null || list.begunAtMs < sinceMs) return null;
      if (!list.isRead && !(await isReadInTurn(list))) return null;
      // Reading it may have taken long.
      return clock.nowMs() - list.begunAtMs <= maxAgeMs ? (list.runs?.get(dagRunId) ?? null) : null;
    },
  };
}

function isServed({ list }: Dag, nowMs: number, forMs: number): boolean {
  return isYoung(list, nowMs, forMs);
}

function isYoung(list: List | null, nowMs: number, forMs: number): list is List {
  return list !== null && nowMs - list.begunAtMs < forMs;
}

function isCrowded(dag: Dag, nowMs: number): boolean {
  return nowMs < dag.crowdedUntilMs && 2 * dag.crowdedPages > expectedLooks(dag);
}

function expectedLooks({ looks, looksBefore }: Dag): number {
  return Math.max(looks, looksBefore);
}
