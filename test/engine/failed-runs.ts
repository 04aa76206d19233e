import type { FailedRun, FailedRuns, FailedRunsCursor } from '../../src/orchestrator/port.ts';

const PAGE = 100;

/** The failed runs of an orchestrator, which a test adds and takes away. */
export interface FailedRunsList {
  /** Every page that was asked for. */
  readonly asked: FailedRunsCursor[];
  outage: Extract<FailedRuns, { type: 'unavailable' }> | null;
  add(dagId: string, dagRunId: string, endedAtMs: number, startedAtMs?: number): FailedRun;
  remove(dagRunId: string): void;
  page(from: FailedRunsCursor): Promise<FailedRuns>;
}

export function createFailedRunsList(): FailedRunsList {
  let runs: FailedRun[] = [];
  const endOf = ({ run }: FailedRun) => run.fingerprint.endedAtMs ?? 0;
  const list: FailedRunsList = {
    asked: [],
    outage: null,
    add(dagId, dagRunId, endedAtMs, startedAtMs = endedAtMs - 5_000) {
      const fingerprint = { queuedAtMs: startedAtMs - 1_000, startedAtMs, endedAtMs };
      const found: FailedRun = {
        key: { dagId, dagRunId },
        run: { type: 'found', state: 'failed', fingerprint, runType: 'scheduled' },
      };
      list.remove(dagRunId);
      runs.push(found);
      return found;
    },
    remove(dagRunId) {
      runs = runs.filter(({ key }) => key.dagRunId !== dagRunId);
    },
    async page(from) {
      list.asked.push(from);
      if (list.outage !== null) return list.outage;
      const all = runs
        .filter((one) => endOf(one) >= from.endedAtMs)
        .toSorted((a, b) => endOf(a) - endOf(b))
        .slice(from.skip);
      const page = all.slice(0, PAGE);
      const lastMs = Math.max(from.endedAtMs, ...page.map(endOf));
      const isSame = lastMs === from.endedAtMs;
      const next = { endedAtMs: lastMs, skip: isSame ? from.skip + page.length : 0 };
      return { type: 'found', runs: page, unreadable: 0, next: all.length > PAGE ? next : null };
    },
  };
  return list;
}
