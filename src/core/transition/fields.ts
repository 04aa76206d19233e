import type { EarlierCount, Failure, HistoryEntry, RecordIn, RunRecord } from '../record.ts';
import type { RunKey } from '../run-key.ts';

const MAX_HISTORY = 60;
const KEPT_FROM_START = 10;
/** How many failures of earlier attempts are remembered by their ids. */
export const MAX_EARLIER_FAILURE_IDS = 100;
/** More failures of one attempt than this are counted in the timeline only by their first ones. */
export const MAX_FAILURES = 20;

/** What a line of the timeline says in detail is cut there. */
export const MAX_DETAIL_LENGTH = 300;

/** The fields that every phase shares. */
export type CommonFields = Omit<RecordIn<'confirming'>, PhaseFields>;
type PhaseFields =
  | 'phase'
  | 'sinceMs'
  | 'dueAtMs'
  | 'expectedRetryAtMs'
  | 'attemptStartedAtMs'
  | 'checks'
  | 'unavailableSinceMs';

/** Takes the phase's own fields off, so that the next phase starts with exactly its own. */
export function commonOf(record: RunRecord): CommonFields {
  return {
    schema: record.schema,
    dagId: record.dagId,
    dagRunId: record.dagRunId,
    attempt: record.attempt,
    retriesUsed: record.retriesUsed,
    retriesUsedByClass: record.retriesUsedByClass,
    clearsSent: record.clearsSent,
    logOffset: record.logOffset,
    countIs: record.countIs,
    earlierCount: record.earlierCount,
    maxRetries: record.maxRetries,
    firstFailedAtMs: record.firstFailedAtMs,
    granted: record.granted,
    runType: record.runType,
    clearNumber: record.clearNumber,
    failures: record.failures,
    earlierFailureIds: record.earlierFailureIds,
    override: record.override,
    previous: record.previous,
    held: record.held,
    outbox: record.outbox,
    told: record.told,
    history: record.history,
  };
}

/** A count that begins now: attempt 1, nothing spent. */
export function freshFields(key: RunKey, nowMs: number): CommonFields {
  return {
    schema: 1,
    dagId: key.dagId,
    dagRunId: key.dagRunId,
    attempt: 1,
    retriesUsed: 0,
    retriesUsedByClass: {},
    clearsSent: 0,
    logOffset: 0,
    countIs: 'unchecked',
    earlierCount: null,
    maxRetries: 0,
    firstFailedAtMs: nowMs,
    granted: 0,
    runType: null,
    clearNumber: null,
    failures: [],
    earlierFailureIds: [],
    override: null,
    previous: null,
    held: null,
    outbox: [],
    told: [],
    history: [],
  };
}

/** What a person restarts after we gave up is counted anew; what was counted is kept until it is sure that it was a person. */
export function earlierCountOf(record: CommonFields): EarlierCount {
  return record.earlierCount ?? countOf(record);
}

export function countOf({ retriesUsed, retriesUsedByClass, granted, firstFailedAtMs }: CommonFields): EarlierCount {
  return { retriesUsed, retriesUsedByClass, granted, firstFailedAtMs };
}

/** Adds a line to the timeline; the first lines and the latest ones are kept. */
export function withHistory(history: readonly HistoryEntry[], entry: HistoryEntry): HistoryEntry[] {
  if (history.length < MAX_HISTORY) return [...history, entry];
  const start = history.slice(0, KEPT_FROM_START);
  return [...start, ...history.slice(KEPT_FROM_START + 1), entry];
}

/** One line that names what failed, for the timeline. */
export function describeFailures(failures: readonly Failure[]): string {
  const [first] = failures;
  if (first === undefined) return 'no failure was reported';
  const what = first.taskId === null ? 'the run' : `task ${first.taskId}`;
  const why = first.exceptionType ?? first.message ?? first.failureClass;
  const more = failures.length > 1 ? ` and ${failures.length - 1} more` : '';
  return `${what}: ${why}${more}`.slice(0, MAX_DETAIL_LENGTH);
}
