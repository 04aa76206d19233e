import type { JournalEntry } from '../../src/core/journal.ts';
import type { FailureClass } from '../../src/core/policy.ts';
import { type Failure, type HistoryEntry, PHASES, type Phase, type RunRecord } from '../../src/core/record.ts';
import type { RunStore } from '../../src/store/port.ts';
import { journalEntry } from '../support/journal-entries.ts';
import {
  ALERT,
  clearingRecord,
  confirmingRecord,
  FAILURE,
  gaveUpRecord,
  givingUpRecord,
  waitingRecord,
  watchingRecord,
} from '../support/records.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const MAX_RETRIES = 3;
/** From one failure of a run to the next. */
const ROUND_MS = 31 * MINUTE_MS;

const DAGS = [
  'etl_orders',
  'etl_customers',
  'daily_sales',
  'sync_inventory',
  'ml_features',
  'billing_close',
  'export_partners',
];

interface Mishap {
  readonly taskId: string;
  readonly exceptionType: string;
  readonly message: string;
  readonly failureClass: FailureClass;
}

const MISHAPS: readonly Mishap[] = [
  {
    taskId: 'load_warehouse',
    exceptionType: 'snowflake.connector.errors.OperationalError',
    message: '250003: Failed to connect to the warehouse: connection reset by peer',
    failureClass: 'task_error',
  },
  {
    taskId: 'extract',
    exceptionType: 'requests.exceptions.ReadTimeout',
    message: "HTTPSConnectionPool(host='api.partner.example', port=443): Read timed out. (read timeout=30)",
    failureClass: 'timeout',
  },
  {
    taskId: 'transform',
    exceptionType: 'KilledWorker',
    message: 'exit code 137: out of memory',
    failureClass: 'infra',
  },
  {
    taskId: 'publish',
    exceptionType: 'ValueError',
    message: 'expected 24 partitions, found 23',
    failureClass: 'task_error',
  },
];

/** One of a list, the same for the same number. */
function pick<T>(list: readonly [T, ...T[]] | readonly T[], number: number): T {
  const one = list[number % list.length];
  if (one === undefined) throw new Error('the list is empty');
  return one;
}

/** By weight: most runs wait or are watched. */
const PHASE_OF: readonly Phase[] = [
  ...['waiting', 'watching', 'waiting', 'gave_up', 'waiting', 'watching', 'confirming', 'waiting', 'watching'],
  ...['gave_up', 'waiting', 'watching', 'giving_up', 'waiting', 'clearing', 'watching', 'waiting', 'gave_up'],
].map((name) =>
  pick(
    PHASES.filter((phase) => phase === name),
    0,
  ),
);

/** Run number `index` of the seeded ones. Nothing of it is due before long, so that the worker leaves it as it is. */
export function seededRun(index: number, nowMs: number): RunRecord {
  const dagId = pick(DAGS, index * 5 + Math.floor(index / 7));
  const failedAtMs = nowMs - (((index * 37) % 1_380) + 4) * MINUTE_MS;
  const startedAtMs = failedAtMs - 25 * MINUTE_MS;
  const dagRunId = `scheduled__${new Date(startedAtMs - (index % 50) * 1_000).toISOString().replace(/\.\d+Z$/, '+00:00')}`;
  const mishap = pick(MISHAPS, index * 3 + (index % 5));
  const failure: Failure = { ...FAILURE, ...mishap, id: `failure-${index}`, failedAtMs, tryNumber: 1 + (index % 3) };
  const fingerprint = { queuedAtMs: startedAtMs - 5_000, startedAtMs, endedAtMs: failedAtMs };
  const held =
    index % 23 === 5 ? { actor: 'ada', comment: 'the warehouse is being moved', atMs: failedAtMs + MINUTE_MS } : null;
  const phase = pick(PHASE_OF, index);
  const isSpent = phase === 'giving_up' || phase === 'gave_up';
  const retriesUsed = isSpent ? MAX_RETRIES : index % MAX_RETRIES;
  const common = {
    dagId,
    dagRunId,
    firstFailedAtMs: failedAtMs - retriesUsed * ROUND_MS,
    failures: [failure],
    retriesUsed,
    retriesUsedByClass: { [mishap.failureClass]: retriesUsed },
    attempt: retriesUsed + 1,
    clearsSent: retriesUsed,
    maxRetries: MAX_RETRIES,
    held,
    history: historyOf(failure, retriesUsed),
  };
  const { failureClass } = mishap;
  const laterMs = nowMs + HOUR_MS + index * 1_000;
  switch (phase) {
    case 'confirming':
      return confirmingRecord({ ...common, sinceMs: failedAtMs, dueAtMs: laterMs, expectedRetryAtMs: laterMs });
    case 'waiting': {
      const retryAtMs = nowMs + (45 + ((index * 13) % 55)) * MINUTE_MS;
      return waitingRecord({ ...common, dueAtMs: retryAtMs, retryAtMs, fingerprint, failureClass });
    }
    case 'clearing':
      return clearingRecord({
        ...common,
        dueAtMs: laterMs,
        sendByMs: failedAtMs + MINUTE_MS,
        fingerprint,
        failureClass,
      });
    case 'watching':
      return watchingRecord({ ...common, failures: [], dueAtMs: laterMs, clearedAtMs: failedAtMs + 5 * MINUTE_MS });
    case 'giving_up': {
      const alert = { ...ALERT, createdAtMs: failedAtMs, nextTryAtMs: laterMs };
      return givingUpRecord({
        ...common,
        held: null,
        reason: 'max_retries_reached',
        gaveUpAtMs: failedAtMs,
        fingerprint,
        outbox: [alert],
      });
    }
    case 'gave_up': {
      const reason = 'max_retries_reached';
      return gaveUpRecord({
        ...common,
        held: null,
        reason,
        gaveUpAtMs: failedAtMs,
        dueAtMs: laterMs,
        expiresAtMs: laterMs,
        fingerprint,
      });
    }
  }
}

function historyOf(failure: Failure, retriesUsed: number): HistoryEntry[] {
  const lines: HistoryEntry[] = [];
  for (let attempt = 1; attempt <= retriesUsed + 1; attempt++) {
    const atMs = failure.failedAtMs - (retriesUsed + 1 - attempt) * ROUND_MS;
    const detail = `${failure.taskId}: ${failure.exceptionType}`;
    lines.push({ atMs, type: 'failure_reported', attempt, reason: 'failure_reported', detail });
    lines.push({ atMs: atMs + 20_000, type: 'failed', attempt, reason: 'settled', detail });
    if (attempt > retriesUsed) break;
    lines.push({ atMs: atMs + 5 * MINUTE_MS, type: 'clearing', attempt, reason: 'clear_due', detail: 'all_tasks' });
    lines.push({
      atMs: atMs + 5 * MINUTE_MS + 900,
      type: 'attempt_started',
      attempt: attempt + 1,
      reason: 'clear_accepted',
    });
  }
  return lines;
}

/** What the journal tells of a run that is still here: its failures and retries, and its give-up. */
function entriesOf(record: RunRecord): JournalEntry[] {
  const { dagId, dagRunId } = record;
  const [failure] = record.failures;
  const of = { dagId, dagRunId, taskId: failure?.taskId ?? 'extract', failureClass: failure?.failureClass ?? 'infra' };
  const entries: JournalEntry[] = [];
  for (const { atMs, type, attempt, reason } of record.history) {
    const retriesUsed = attempt - 1;
    if (type === 'failed') entries.push(journalEntry({ ...of, atMs, type: 'failed', attempt, retriesUsed, reason }));
    if (type === 'clearing')
      entries.push(journalEntry({ ...of, atMs, type: 'retried', attempt, retriesUsed: attempt, reason }));
  }
  if ('gaveUpAtMs' in record) {
    entries.push(
      journalEntry({ ...of, atMs: record.gaveUpAtMs, type: 'gave_up', attempt: record.attempt, reason: record.reason }),
    );
  }
  return entries;
}

/** Runs that are over, of which only the journal knows. */
function entriesOfRecovered(index: number, nowMs: number): JournalEntry[] {
  const atMs = nowMs - (((index * 53) % 1_400) + 10) * MINUTE_MS;
  const dagId = pick(DAGS, index * 3);
  const dagRunId = `scheduled__${new Date(atMs - HOUR_MS).toISOString().replace(/\.\d+Z$/, '+00:00')}`;
  const { taskId, failureClass } = pick(MISHAPS, index);
  const of = { dagId, dagRunId, taskId, failureClass };
  return [
    journalEntry({ ...of, atMs: atMs - 10 * MINUTE_MS, type: 'failed', reason: 'settled' }),
    journalEntry({ ...of, atMs: atMs - 5 * MINUTE_MS, type: 'retried', retriesUsed: 1, reason: 'clear_due' }),
    journalEntry({ ...of, atMs, type: 'recovered', attempt: 2, retriesUsed: 1, reason: 'run_succeeded' }),
  ];
}

export interface SeedOptions {
  readonly runs: number;
  readonly recovered: number;
  readonly nowMs: number;
}

/** Fills an empty store with runs in all phases, and with what happened before. */
export async function seed(store: RunStore, { runs, recovered, nowMs }: SeedOptions): Promise<readonly RunRecord[]> {
  const records = Array.from({ length: runs }, (_, index) => seededRun(index, nowMs));
  const entries = Array.from({ length: recovered }, (_, index) => entriesOfRecovered(index, nowMs)).flat();
  const all = [...records.flatMap(entriesOf), ...entries].toSorted((a, b) => a.atMs - b.atMs);
  const [first, ...rest] = records;
  if (first === undefined) return [];
  await swap(store, first, all);
  await Promise.all(rest.map((record) => swap(store, record, [])));
  return records;
}

async function swap(store: RunStore, record: RunRecord, entries: readonly JournalEntry[]): Promise<void> {
  const { dagId, dagRunId } = record;
  const version = await store.compareAndSwap({ dagId, dagRunId }, 0, record, entries);
  if (version === null) throw new Error(`two seeded runs are called ${dagId} ${dagRunId}`);
}
