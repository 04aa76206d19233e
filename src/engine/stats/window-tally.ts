import { JOURNAL_TYPES, type JournalEntry, type JournalType } from '../../core/journal.ts';

const MINUTE_MS = 60_000;
/** The first that makes at most 60 buckets; next to each other they differ so little that there are always 24. */
const BUCKET_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720];
const MAX_BUCKETS = 60;
const TOP = 10;
/** Ids that are counted one by one; a journal holds no more entries than a few of these. */
const MAX_COUNTED = 50_000;

export interface Bucket {
  readonly fromMs: number;
  readonly failed: number;
  readonly retried: number;
  readonly recovered: number;
  readonly gave_up: number;
}

/** What the journal tells of a stretch of time. */
export interface WindowTally {
  readonly totals: Readonly<Record<JournalType, number>>;
  /** Oldest first, 24 to 60 of one length. */
  readonly buckets: readonly Bucket[];
  /** The ten with the most give-ups and retries. */
  readonly topDags: readonly { dagId: string; retried: number; recovered: number; gaveUp: number }[];
  /** The ten that failed most often. */
  readonly topTasks: readonly { dagId: string; taskId: string; failed: number }[];
  /** False: older entries of the window may have been dropped. */
  readonly isComplete: boolean;
}

/** Counts entries from `fromMs` up to `toMs`. */
export function createWindowTally(fromMs: number, toMs: number) {
  const bucketMs = bucketLengthMs(toMs - fromMs);
  const buckets = Array.from({ length: Math.ceil((toMs - fromMs) / bucketMs) }, (_, index) => ({
    fromMs: fromMs + index * bucketMs,
    ...{ failed: 0, retried: 0, recovered: 0, gave_up: 0 },
  }));
  const totals = Object.fromEntries(JOURNAL_TYPES.map((type) => [type, 0])) as Record<JournalType, number>;
  const dags = new Map<string, { dagId: string; retried: number; recovered: number; gaveUp: number }>();
  const tasks = new Map<string, { dagId: string; taskId: string; failed: number }>();

  function countDag(dagId: string, type: JournalType): void {
    if (type !== 'retried' && type !== 'recovered' && type !== 'gave_up') return;
    const counts = dags.get(dagId) ?? { dagId, retried: 0, recovered: 0, gaveUp: 0 };
    counts[type === 'gave_up' ? 'gaveUp' : type] += 1;
    if (dags.has(dagId) || dags.size < MAX_COUNTED) dags.set(dagId, counts);
  }

  function countTask(dagId: string, taskId: string): void {
    const name = `${dagId}/${taskId}`;
    const counts = tasks.get(name) ?? { dagId, taskId, failed: 0 };
    counts.failed += 1;
    if (tasks.has(name) || tasks.size < MAX_COUNTED) tasks.set(name, counts);
  }

  return {
    add({ atMs, type, dagId, taskId }: JournalEntry): void {
      if (atMs < fromMs) return;
      totals[type] += 1;
      // A replica whose clock is ahead writes of what is to come.
      const bucket = buckets[Math.min(Math.floor((atMs - fromMs) / bucketMs), buckets.length - 1)];
      if (bucket !== undefined && isShown(type)) bucket[type] += 1;
      if (dagId === null) return;
      countDag(dagId, type);
      if (type === 'failed' && taskId !== null) countTask(dagId, taskId);
    },
    result: (isComplete: boolean): WindowTally => ({
      totals,
      buckets,
      topDags: topOf([...dags.values()], ({ gaveUp, retried }) => gaveUp + retried),
      topTasks: topOf([...tasks.values()], ({ failed }) => failed),
      isComplete,
    }),
  };
}

function bucketLengthMs(windowMs: number): number {
  const minutes = BUCKET_MINUTES.find((one) => windowMs <= one * MINUTE_MS * MAX_BUCKETS);
  return (minutes ?? 720) * MINUTE_MS;
}

function isShown(type: JournalType): type is 'failed' | 'retried' | 'recovered' | 'gave_up' {
  return type === 'failed' || type === 'retried' || type === 'recovered' || type === 'gave_up';
}

function topOf<T extends { readonly dagId: string }>(counted: readonly T[], weight: (one: T) => number): T[] {
  return counted
    .toSorted((a, b) => weight(b) - weight(a) || (a.dagId < b.dagId ? -1 : a.dagId > b.dagId ? 1 : 0))
    .slice(0, TOP);
}
