import {
  ClearingRecord,
  ConfirmingRecord,
  type Failure,
  type Fingerprint,
  GaveUpRecord,
  GivingUpRecord,
  type PendingAlert,
  type Phase,
  type RecordIn,
  type RunRecord,
  WaitingRecord,
  WatchingRecord,
} from '../../src/core/record.ts';
import type { RunKey } from '../../src/core/run-key.ts';

/** 2026-01-01T00:00:00Z: when the runs of these records failed. */
export const FAILED_AT_MS = Date.UTC(2026, 0, 1);

export const RUN: RunKey = { dagId: 'daily_sales', dagRunId: 'scheduled__2026-01-01T00:00:00+00:00' };

export const FINGERPRINT: Fingerprint = {
  queuedAtMs: FAILED_AT_MS - 600_000,
  startedAtMs: FAILED_AT_MS - 590_000,
  endedAtMs: FAILED_AT_MS,
};

export const FAILURE: Failure = {
  id: '01998a52-4f6a-7c1e-9f37-5b1f6f1d2c11',
  taskId: 'load',
  mapIndex: null,
  tryNumber: 1,
  operator: 'PythonOperator',
  exceptionType: 'ValueError',
  message: 'no rows',
  failureClass: 'task_error',
  failedAtMs: FAILED_AT_MS,
  logUrl: null,
  refused: false,
};

export const ALERT: PendingAlert = {
  dedupeKey: 'dagain/daily_sales/scheduled__2026-01-01T00:00:00+00:00/gave_up/3',
  incident: 'dagain/daily_sales/scheduled__2026-01-01T00:00:00+00:00',
  channel: 'webhook',
  kind: 'gave_up',
  reason: 'max_retries',
  attempt: 3,
  createdAtMs: FAILED_AT_MS,
  tries: 0,
  nextTryAtMs: FAILED_AT_MS,
};

/** Fields that every phase has, with the values of a first failure. */
const FIRST_FAILURE = {
  schema: 1,
  ...RUN,
  attempt: 1,
  retriesUsed: 0,
  retriesUsedByClass: {},
  clearsSent: 0,
  logOffset: 0,
  countIs: 'unchecked',
  earlierCount: null,
  maxRetries: 2,
  granted: 0,
  firstFailedAtMs: FAILED_AT_MS,
  runType: 'scheduled',
  clearNumber: null,
  failures: [FAILURE],
  earlierFailureIds: [],
  override: null,
  previous: null,
  held: null,
  outbox: [],
  told: [],
  history: [{ atMs: FAILED_AT_MS, type: 'failure_reported', attempt: 1, reason: 'retry_scheduled' }],
} as const;

const CLEARED = {
  retriesUsed: 1,
  retriesUsedByClass: { task_error: 1 },
  clearsSent: 1,
  countIs: 'checked',
} as const;

type Fields<P extends Phase> = Partial<Omit<RecordIn<P>, 'phase'>>;

export function confirmingRecord(fields: Fields<'confirming'> = {}): RecordIn<'confirming'> {
  return ConfirmingRecord.parse({
    ...FIRST_FAILURE,
    phase: 'confirming',
    sinceMs: FAILED_AT_MS,
    dueAtMs: FAILED_AT_MS,
    expectedRetryAtMs: FAILED_AT_MS + 60_000,
    attemptStartedAtMs: FINGERPRINT.startedAtMs,
    checks: 0,
    unavailableSinceMs: null,
    ...fields,
  });
}

export function waitingRecord(fields: Fields<'waiting'> = {}): RecordIn<'waiting'> {
  return WaitingRecord.parse({
    ...FIRST_FAILURE,
    phase: 'waiting',
    dueAtMs: FAILED_AT_MS + 60_000,
    retryAtMs: FAILED_AT_MS + 60_000,
    fingerprint: FINGERPRINT,
    mayInterrupt: false,
    attemptStartedAtMs: null,
    failureClass: 'task_error',
    checks: 0,
    ...fields,
  });
}

export function clearingRecord(fields: Fields<'clearing'> = {}): RecordIn<'clearing'> {
  return ClearingRecord.parse({
    ...FIRST_FAILURE,
    ...CLEARED,
    phase: 'clearing',
    dueAtMs: FAILED_AT_MS + 90_000,
    sendByMs: FAILED_AT_MS + 65_000,
    mode: 'all_tasks',
    fingerprint: FINGERPRINT,
    wasFailed: true,
    failureClass: 'task_error',
    failuresMeanwhile: [],
    checks: 0,
    ...fields,
  });
}

export function watchingRecord(fields: Fields<'watching'> = {}): RecordIn<'watching'> {
  return WatchingRecord.parse({
    ...FIRST_FAILURE,
    ...CLEARED,
    phase: 'watching',
    attempt: 2,
    failures: [],
    earlierFailureIds: [FAILURE.id],
    dueAtMs: FAILED_AT_MS + 120_000,
    previous: { fingerprint: FINGERPRINT, wasFailed: true, mode: 'all_tasks' },
    clearedAtMs: FAILED_AT_MS + 60_000,
    startedBy: 'dagain',
    checks: 0,
    ...fields,
  });
}

export function givingUpRecord(fields: Fields<'giving_up'> = {}): RecordIn<'giving_up'> {
  return GivingUpRecord.parse({
    ...FIRST_FAILURE,
    phase: 'giving_up',
    dueAtMs: null,
    reason: 'max_retries',
    gaveUpAtMs: FAILED_AT_MS,
    fingerprint: FINGERPRINT,
    failuresMeanwhile: [],
    outbox: [ALERT],
    ...fields,
  });
}

export function gaveUpRecord(fields: Fields<'gave_up'> = {}): RecordIn<'gave_up'> {
  return GaveUpRecord.parse({
    ...FIRST_FAILURE,
    phase: 'gave_up',
    dueAtMs: FAILED_AT_MS + 86_400_000,
    expiresAtMs: FAILED_AT_MS + 86_400_000,
    reason: 'max_retries',
    gaveUpAtMs: FAILED_AT_MS,
    fingerprint: FINGERPRINT,
    failuresMeanwhile: [],
    ...fields,
  });
}

/** A valid record of each phase. */
export function recordsOfAllPhases(key: RunKey = RUN): readonly RunRecord[] {
  return [
    confirmingRecord(key),
    waitingRecord(key),
    clearingRecord(key),
    watchingRecord(key),
    givingUpRecord(key),
    gaveUpRecord(key),
  ];
}

/** A record whose place in the due index is exactly `dueAtMs`; null: it never needs work by itself. */
export function recordDueAt(key: RunKey, dueAtMs: number | null): RunRecord {
  if (dueAtMs !== null) return confirmingRecord({ ...key, dueAtMs });
  return confirmingRecord({ ...key, held: { actor: 'operator', comment: 'paused', atMs: FAILED_AT_MS } });
}
