import { z } from 'zod';
import { FailureClass, Strategy } from './policy.ts';
import {
  Count,
  EarlierCount,
  Failure,
  Fingerprint,
  Held,
  HistoryEntry,
  PendingAlert,
  PreviousAttempt,
  TimeMs,
  Told,
} from './record-parts.ts';
import { Id, type RunKey } from './run-key.ts';

export {
  AlertKind,
  EarlierCount,
  Failure,
  Fingerprint,
  HistoryEntry,
  PendingAlert,
  PreviousAttempt,
  sameFingerprint,
  Told,
} from './record-parts.ts';

const common = {
  schema: z.literal(1),
  dagId: Id,
  dagRunId: Id,
  /** The latest attempt that has started; the original is 1. */
  attempt: z.int().positive(),
  /** Retries spent through us, over all failure classes. */
  retriesUsed: Count,
  retriesUsedByClass: z.partialRecord(FailureClass, Count),
  /** Clear requests sent, repeats included; the latest one goes by this number. */
  clearsSent: Count,
  /** How many more clears of ours the audit log showed than we sent for this count: those of earlier ones, less what got lost. */
  logOffset: z.int(),
  /** How the count stands against the orchestrator's audit log: not held against it yet, held, or known to be lost. */
  countIs: z.enum(['unchecked', 'checked', 'lost']),
  /** The count of the given-up run that this one replaces because a person seemed to restart it; null once that is held against the log. */
  earlierCount: EarlierCount.nullable(),
  /** The cap as last decided, for display: the policy in force decides anew each time. */
  maxRetries: Count,
  firstFailedAtMs: TimeMs,
  /** Retries that an operator granted on top of the policy's cap. */
  granted: Count,
  runType: z.string().nullable(),
  /** The highest `clear_number` that a callback of this run has carried. */
  clearNumber: z.int().nullable(),
  /** Failures of the current attempt, the first ones kept. */
  failures: z.array(Failure),
  /** Ids of failures that belong to earlier attempts, the latest ones kept. */
  earlierFailureIds: z.array(z.string()),
  /** The `retry` object of the callback, validated; a policy layer of its own. */
  override: z.record(z.string(), z.unknown()).nullable(),
  /** The run just before it was last restarted, by us or by a person; null before that. */
  previous: PreviousAttempt.nullable(),
  held: Held.nullable(),
  outbox: z.array(PendingAlert),
  /** Who has been told that the run fails and not yet that it has recovered, the latest ones kept. */
  told: z.array(Told),
  history: z.array(HistoryEntry),
};

/** A failure was reported; Airflow is asked until the run has really failed. */
export const ConfirmingRecord = z.strictObject({
  ...common,
  phase: z.literal('confirming'),
  sinceMs: TimeMs,
  dueAtMs: TimeMs,
  /** When the delay will be over if the run is found failed; null if no retry would follow. */
  expectedRetryAtMs: TimeMs.nullable(),
  /** The start of the attempt that failed, where the callback told it. */
  attemptStartedAtMs: TimeMs.nullable(),
  checks: Count,
  /** Since when Airflow has not answered, or null while it does. */
  unavailableSinceMs: TimeMs.nullable(),
});

/** The run has failed; the retry is due at `dueAtMs`. */
export const WaitingRecord = z.strictObject({
  ...common,
  phase: z.literal('waiting'),
  /** When to look next: at `retryAtMs`, or earlier when there is news, or later while Airflow does not answer. */
  dueAtMs: TimeMs,
  /** The end of the delay: no clear before. */
  retryAtMs: TimeMs,
  /** Null only where `mayInterrupt`, since nobody has seen the run failed. */
  fingerprint: Fingerprint.nullable(),
  /** Whether a run that has not finished may be cleared: `gate: immediate`, or `on_settle_timeout: clear`. */
  mayInterrupt: z.boolean(),
  /** The start of the attempt that failed, where a callback told it; `mayInterrupt` needs it to know the attempt again. */
  attemptStartedAtMs: TimeMs.nullable(),
  failureClass: FailureClass,
  checks: Count,
});

/** The retry is spent; the clear is being sent, or its outcome is not known yet. */
export const ClearingRecord = z.strictObject({
  ...common,
  phase: z.literal('clearing'),
  /** When a request sent under this swap can no longer be under way, so that its outcome can be read. */
  dueAtMs: TimeMs,
  /** The sender must not send after this. */
  sendByMs: TimeMs,
  mode: Strategy,
  fingerprint: Fingerprint,
  /** False only under `gate: immediate`, when a run that is still running is cleared. */
  wasFailed: z.boolean(),
  failureClass: FailureClass,
  /** Failures that arrived since the clear was sent and may be the new attempt's. */
  failuresMeanwhile: z.array(Failure),
  checks: Count,
});

/** The new attempt runs. */
export const WatchingRecord = z.strictObject({
  ...common,
  phase: z.literal('watching'),
  dueAtMs: TimeMs,
  clearedAtMs: TimeMs,
  startedBy: z.enum(['dagain', 'person']),
  checks: Count,
});

/** No more retries; alerts go out until each is accepted. */
export const GivingUpRecord = z.strictObject({
  ...common,
  phase: z.literal('giving_up'),
  /** Null: only the outbox decides when this record needs work. */
  dueAtMs: TimeMs.nullable(),
  reason: z.string(),
  gaveUpAtMs: TimeMs,
  fingerprint: Fingerprint.nullable(),
  /** Failures that may be of an attempt after it, until the run is looked at. */
  failuresMeanwhile: z.array(Failure),
});

/** The tombstone: late callbacks start nothing until it expires. */
export const GaveUpRecord = z.strictObject({
  ...common,
  phase: z.literal('gave_up'),
  dueAtMs: TimeMs,
  expiresAtMs: TimeMs,
  reason: z.string(),
  gaveUpAtMs: TimeMs,
  fingerprint: Fingerprint.nullable(),
  /** As above. */
  failuresMeanwhile: z.array(Failure),
});

/** What the store holds for a run that is being retried. */
export const RunRecord = z.discriminatedUnion('phase', [
  ConfirmingRecord,
  WaitingRecord,
  ClearingRecord,
  WatchingRecord,
  GivingUpRecord,
  GaveUpRecord,
]);
export type RunRecord = z.infer<typeof RunRecord>;
export type Phase = RunRecord['phase'];
export type RecordIn<P extends Phase> = Extract<RunRecord, { phase: P }>;

export const PHASES = ['confirming', 'waiting', 'clearing', 'watching', 'giving_up', 'gave_up'] as const;

export function keyOf(record: RunRecord): RunKey {
  return { dagId: record.dagId, dagRunId: record.dagRunId };
}

/**
 * When the record next needs work, in epoch milliseconds, or null for never: the earlier of its phase and its unsent
 * alerts. While it is held only the alerts and a tombstone's end count. The store's due index holds exactly this.
 */
export function dueAtOf(record: RunRecord): number | null {
  const times = record.outbox.map((alert) => alert.nextTryAtMs);
  const phaseDueAtMs = phaseDueAtOf(record);
  if (phaseDueAtMs !== null) times.push(phaseDueAtMs);
  return times.length === 0 ? null : Math.min(...times);
}

/** When the record's phase next needs work, its alerts aside; a held tombstone ends all the same, since nobody may ever resume it. */
export function phaseDueAtOf(record: RunRecord): number | null {
  if (record.held === null) return record.dueAtMs;
  return record.phase === 'gave_up' ? record.expiresAtMs : null;
}
