import type { Evidence } from './evidence.ts';
import type { Failure, Fingerprint } from './record.ts';

/** What a callback says about the attempt it belongs to; null where it does not say. Times are epoch milliseconds. */
export interface AttemptEvidence {
  readonly startedAtMs: number | null;
  readonly clearNumber: number | null;
  readonly runType: string | null;
}

/** A failure was reported: of a task, or (`failure.taskId` null) of the run as a whole. */
export interface FailureReported {
  readonly type: 'failure_reported';
  readonly failure: Failure;
  readonly evidence: AttemptEvidence;
  /** The callback's own policy layer, validated. */
  readonly override: Readonly<Record<string, unknown>> | null;
}

/** The run was reported to have succeeded; it is believed once the orchestrator agrees. */
export interface SuccessReported {
  readonly type: 'success_reported';
}

/** A run as decisions see it; the orchestrator port's own type holds at least this. */
export interface SeenRun {
  readonly type: 'found';
  readonly state: 'queued' | 'running' | 'success' | 'failed';
  readonly fingerprint: Fingerprint;
  readonly runType: string | null;
}

/** What one read of the orchestrator said, taken for exactly the version of the record that it is applied to. */
export interface Observed {
  readonly type: 'observed';
  /** When the orchestrator was asked: what it said counts for nothing once that is long ago. Absent: just now. */
  readonly askedAtMs?: number;
  readonly observation:
    | SeenRun
    | { readonly type: 'missing' }
    | { readonly type: 'unavailable'; readonly reason: string; readonly retryAfterMs: number | null };
  /** Which tasks have failed, where no callback has told and the orchestrator was asked. */
  readonly failedTasks?: readonly SeenTask[];
  /** What speaks for or against the count, read before the run was: without it no retry is spent. */
  readonly evidence?: Evidence;
}

/** A failed task as the orchestrator shows it. */
export interface SeenTask {
  readonly taskId: string;
  /** -1 where the task is not mapped. */
  readonly mapIndex: number;
  readonly tryNumber: number | null;
  readonly operator: string | null;
}

/** What became of the clear request that goes by the number `clear`. */
export interface ClearAnswered {
  readonly type: 'clear_answered';
  readonly clear: number;
  readonly outcome:
    | { readonly type: 'accepted'; readonly run: SeenRun | null }
    | { readonly type: 'missing' }
    | { readonly type: 'refused'; readonly detail: string }
    | { readonly type: 'not_applied'; readonly reason: string; readonly retryAfterMs: number | null }
    | { readonly type: 'unknown'; readonly reason: string }
    /** Nothing was sent but a dry run, which would have started this many tasks (null: it did not tell). */
    | { readonly type: 'rehearsed'; readonly tasks: number | null };
}

/** A channel accepted an alert, or did not (`nextTryAtMs`: when to try again; null: never). */
export interface AlertAnswered {
  readonly type: 'alert_answered';
  readonly dedupeKey: string;
  readonly channel: string;
  readonly accepted: boolean;
  readonly detail: string | null;
  readonly nextTryAtMs: number | null;
}

/** A retry is due while its Dag, or everything, is paused: nobody looks at the run. */
export interface Paused {
  readonly type: 'paused';
}

/** Time has passed: the tombstone may have expired. */
export interface TimePassed {
  readonly type: 'time_passed';
}

/**
 * There must be a record of the run, but it is gone (the due index knows the run, or the audit log shows a clear of
 * ours), or it cannot be read.
 */
export interface StateLost {
  readonly type: 'state_lost';
  readonly problem: 'missing' | 'unreadable';
  /** Clears of ours that are known of without a record. */
  readonly clears: number;
  /**
   * What began no later than this, by the orchestrator's clock in epoch milliseconds, is of an earlier attempt; absent: not
   * known.
   */
  readonly earlierUntilMs?: number;
  readonly detail: string;
}

export const OPERATIONS = ['pause', 'resume', 'cancel', 'retry_now', 'reset', 'grant'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** A person acts on the record. */
export interface Operated {
  readonly type: 'operated';
  readonly action: Operation;
  readonly actor: string;
  readonly comment: string;
  /** How many more, for `grant`; 0 else. */
  readonly retries: number;
  /** What others have done since counts as later; absent: now. */
  readonly askedAtMs?: number;
}

export type RunEvent =
  | FailureReported
  | SuccessReported
  | Observed
  | ClearAnswered
  | AlertAnswered
  | Paused
  | TimePassed
  | StateLost
  | Operated;
