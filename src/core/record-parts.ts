import { z } from 'zod';
import { FailureClass, Strategy } from './policy.ts';

/** Milliseconds since the epoch. */
export const TimeMs = z.number();
export const Count = z.int().nonnegative();

/**
 * What tells one attempt of a run from the next, in epoch milliseconds as Airflow reports them. Airflow 3 changes
 * `queuedAtMs` with every clear of a finished run; Airflow 2 shows no `queued_at`, but a new `start_date`.
 */
export const Fingerprint = z.strictObject({
  queuedAtMs: TimeMs.nullable(),
  startedAtMs: TimeMs.nullable(),
  endedAtMs: TimeMs.nullable(),
});
export type Fingerprint = z.infer<typeof Fingerprint>;

/**
 * Whether both are of one attempt. The end counts only where there is nothing else: on Airflow 2 it moves when a
 * left-over process ends after the run. A `queued_at` that one side does not show (Airflow 2, before an upgrade) says
 * nothing where both have started.
 */
export function sameFingerprint(a: Fingerprint, b: Fingerprint): boolean {
  if (a.startedAtMs !== b.startedAtMs) return false;
  if (a.startedAtMs === null && a.queuedAtMs === null && b.queuedAtMs === null) return a.endedAtMs === b.endedAtMs;
  const isShownOnce = a.queuedAtMs === null || b.queuedAtMs === null;
  return a.queuedAtMs === b.queuedAtMs || (isShownOnce && a.startedAtMs !== null);
}

/** One reported failure of the current attempt. `taskId` is null for a failure of the run as a whole. */
export const Failure = z.strictObject({
  /** Names this failure over all deliveries: the task instance's id where Airflow has one. */
  id: z.string(),
  taskId: z.string().nullable(),
  mapIndex: z.int().nullable(),
  tryNumber: z.int().nullable(),
  operator: z.string().nullable(),
  exceptionType: z.string().nullable(),
  message: z.string().nullable(),
  failureClass: FailureClass,
  failedAtMs: TimeMs,
  logUrl: z.string().nullable(),
  /** The failing code itself said that no attempt would help. */
  refused: z.boolean(),
});
export type Failure = z.infer<typeof Failure>;

/** One line of a run's timeline; `reason` is one of the stable words that logs, metrics and alerts use too. */
export const HistoryEntry = z.strictObject({
  atMs: TimeMs,
  type: z.string(),
  attempt: Count,
  reason: z.string(),
  detail: z.string().optional(),
});
export type HistoryEntry = z.infer<typeof HistoryEntry>;

export const AlertKind = z.enum(['gave_up', 'attempt_failed', 'first_failure', 'recovered']);
export type AlertKind = z.infer<typeof AlertKind>;

/** An alert that one channel has not accepted yet. */
export const PendingAlert = z.strictObject({
  /** Stable over retries and replicas: receivers can deduplicate by it. */
  dedupeKey: z.string(),
  /** What the alerts of one count of a run share: receivers open one incident for them, and close it on recovery. */
  incident: z.string(),
  channel: z.string(),
  kind: AlertKind,
  reason: z.string(),
  attempt: Count,
  createdAtMs: TimeMs,
  tries: Count,
  nextTryAtMs: TimeMs,
});
export type PendingAlert = z.infer<typeof PendingAlert>;

/** A channel that has accepted an alert of this incident, and so is to hear of the recovery too. */
export const Told = PendingAlert.pick({ channel: true, incident: true });
export type Told = z.infer<typeof Told>;

export const Held = z.strictObject({ actor: z.string(), comment: z.string(), atMs: TimeMs });

/** What a count that was begun anew had come to before. */
export const EarlierCount = z.strictObject({
  retriesUsed: Count,
  retriesUsedByClass: z.partialRecord(FailureClass, Count),
  granted: Count,
  firstFailedAtMs: TimeMs,
});
export type EarlierCount = z.infer<typeof EarlierCount>;

/** What an attempt looked like when it was restarted. */
export const PreviousAttempt = z.strictObject({
  fingerprint: Fingerprint,
  /** False where a run that had not finished was cleared. */
  wasFailed: z.boolean(),
  /** How we cleared it, or null if a person did. */
  mode: Strategy.nullable(),
});
export type PreviousAttempt = z.infer<typeof PreviousAttempt>;
