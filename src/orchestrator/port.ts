import type { Strategy } from '../core/policy.ts';
import type { Fingerprint } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';

/** A run as the orchestrator shows it. Times are epoch milliseconds. */
export interface FoundRun {
  readonly type: 'found';
  readonly state: 'queued' | 'running' | 'success' | 'failed';
  readonly fingerprint: Fingerprint;
  readonly runType: string | null;
}

/**
 * What a read says of a run. `missing` is certain: the read and a dry run of the clear both say so, since a proxy may
 * hide the read. Everything else that is not an answer is `unavailable`.
 */
export type RunObservation =
  | FoundRun
  | { readonly type: 'missing' }
  | {
      readonly type: 'unavailable';
      readonly reason: UnavailableReason;
      readonly detail: string;
      readonly retryAfterMs: number | null;
    };

/** Stable words for why the orchestrator gave no usable answer. */
export type UnavailableReason =
  | 'unreachable'
  | 'timed_out'
  | 'unauthorized'
  | 'forbidden'
  | 'rate_limited'
  | 'server_error'
  | 'unexpected_answer';

/** What became of a clear request. */
export type ClearOutcome =
  /** The orchestrator has restarted the run; `run` is what it answered, where it answers that. */
  | { readonly type: 'accepted'; readonly run: FoundRun | null }
  | { readonly type: 'missing' }
  /** It will never accept this request (400, 405, 422). */
  | { readonly type: 'refused'; readonly detail: string }
  /** Certainly not applied, may work later: never connected, 401, 403, 409, 429. */
  | {
      readonly type: 'not_applied';
      readonly reason: UnavailableReason;
      readonly detail: string;
      readonly retryAfterMs: number | null;
    }
  /** May or may not have been applied: no answer, a broken answer, a 5xx. Read before sending again. */
  | { readonly type: 'unknown'; readonly reason: UnavailableReason; readonly detail: string };

/** What a dry run of a clear says of it; nothing was changed by it. */
export type Rehearsal =
  /** It would have been accepted, and started this many task instances (null: it does not tell). */
  | { readonly type: 'rehearsed'; readonly tasks: number | null }
  | Extract<ClearOutcome, { type: 'missing' | 'refused' | 'not_applied' }>;

export interface ClearRequest {
  readonly mode: Strategy;
  readonly runOnLatestVersion: boolean;
}

export type Unavailable = Extract<RunObservation, { type: 'unavailable' }>;

/** What the orchestrator says of a Dag. `missing`: it says in its own words that it knows no such Dag. */
export type DagDescription =
  | { readonly type: 'found'; readonly tags: readonly string[]; readonly isPaused: boolean }
  | { readonly type: 'missing' }
  | Unavailable;

export interface FailedTask {
  readonly taskId: string;
  /** -1 where the task is not mapped. */
  readonly mapIndex: number;
  readonly tryNumber: number | null;
  readonly operator: string | null;
}

export type FailedTasks = { readonly type: 'found'; readonly tasks: readonly FailedTask[] } | Unavailable;

/** What somebody did to a run, as the orchestrator's audit log tells. */
export type AuditAction =
  /** The run, or tasks of it, were cleared; also where the request was refused afterwards. A dry run is none. */
  | 'cleared'
  /** A person set the run or one of its tasks to failed. */
  | 'marked_failed'
  /** A person set the run or one of its tasks to success. */
  | 'marked_success'
  /** The orchestrator found the process of a task gone: no heartbeat, killed, never started. */
  | 'task_lost';

/** One line of the audit log. */
export interface AuditEntry {
  readonly action: AuditAction;
  /** Epoch milliseconds of the orchestrator's clock. */
  readonly atMs: number;
  /** Whether the service's own user did it. */
  readonly isOurs: boolean;
  readonly owner: string | null;
  /** Null where it concerns the run as a whole, or several tasks. */
  readonly taskId: string | null;
}

/** The audit log on one run, oldest entry first. */
export type AuditTrail =
  | {
      readonly type: 'found';
      readonly entries: readonly AuditEntry[];
      /** False: there is more than was read; the newest entries are here. */
      readonly isComplete: boolean;
      /** False: it is not known by which name the log calls us, so that `isOurs` says nothing. */
      readonly knowsUs: boolean;
    }
  | Unavailable;

/** At least so many clears of the run, by whomever, have come to something; there may have been more. */
export type LeastClears = { readonly type: 'found'; readonly clears: number } | Unavailable;

/** A run and the clear that the service's own user sent for it. */
export interface OwnClear {
  readonly key: RunKey;
  readonly atMs: number;
}

export type OwnClears =
  | { readonly type: 'found'; readonly clears: readonly OwnClear[]; readonly isComplete: boolean }
  | Unavailable;

/** A run that has failed, and which one it is. */
export interface FailedRun {
  readonly key: RunKey;
  readonly run: FoundRun;
}

/** Where reading goes on: at the runs that ended at this time (epoch milliseconds) or later, less the first `skip`. */
export interface FailedRunsCursor {
  readonly endedAtMs: number;
  readonly skip: number;
}

export type FailedRuns =
  | {
      readonly type: 'found';
      /** Those that ended first come first. */
      readonly runs: readonly FailedRun[];
      /** How many more there were that are not understood, and so are left out. */
      readonly unreadable: number;
      /** Null: these were the last. */
      readonly next: FailedRunsCursor | null;
    }
  | Unavailable;

export type ActiveRuns =
  | {
      readonly type: 'found';
      readonly runs: readonly { readonly key: RunKey; readonly run: FoundRun }[];
      /** Runs on this page, those that are not understood included. */
      readonly rows: number;
      /** Runs on all pages. */
      readonly total: number;
    }
  | Unavailable;

/** What became of a line for people on the run. */
export type NoteOutcome =
  | { readonly type: 'accepted' }
  /** What a person wrote leaves no room for it. */
  | { readonly type: 'no_room' }
  | { readonly type: 'missing' }
  | { readonly type: 'refused'; readonly detail: string }
  | Unavailable;

/** What a health check of the orchestrator found. */
export type OrchestratorHealth =
  | { readonly type: 'reachable'; readonly name: string; readonly version: string }
  | { readonly type: 'unavailable'; readonly reason: UnavailableReason; readonly detail: string };

/** The system that runs Dags. Never rejects for what the network or the server does: outages are values. */
export interface Orchestrator {
  observe(key: RunKey): Promise<RunObservation>;
  /** Sends at most one clear request; never repeats one whose outcome is unknown. */
  clear(key: RunKey, request: ClearRequest): Promise<ClearOutcome>;
  /** Asks what the clear would do, and changes nothing. */
  rehearse(key: RunKey, request: ClearRequest): Promise<Rehearsal>;
  describeDag(dagId: string): Promise<DagDescription>;
  /** Which tasks of the run have failed, the first hundred. */
  failedTasks(key: RunKey): Promise<FailedTasks>;
  /** What was done to the run, and by whom. */
  auditTrail(key: RunKey): Promise<AuditTrail>;
  /** How often the run has been cleared at least, as its tasks' tries tell: they outlive the audit log. */
  leastClears(key: RunKey): Promise<LeastClears>;
  /** The clears that the service's own user has sent since then, over all runs. */
  ownClears(sinceMs: number): Promise<OwnClears>;
  /**
   * Which failed tasks of the attempt that began then (epoch milliseconds) were running and did not fail by themselves,
   * as far as the audit log tells: somebody has set them to failed without an entry of their own.
   */
  stoppedTasks(key: RunKey, sinceMs: number): Promise<FailedTasks>;
  /** A page of the runs of all Dags that have failed, at most a hundred; a run may come again on the next one. */
  failedRuns(from: FailedRunsCursor): Promise<FailedRuns>;
  /** A page of the runs of these Dags that are queued or running, at most a hundred, less the first `skip`. */
  activeRuns(dagIds: readonly string[], skip: number): Promise<ActiveRuns>;
  /** Puts a line of ours on the run, in place of our last one (null: none any more); what people wrote there stays. */
  annotate(key: RunKey, line: string | null): Promise<NoteOutcome>;
  health(): Promise<OrchestratorHealth>;
  /** A link that people can open, or null if there is none. */
  linkTo(key: RunKey): string | null;
  close(): Promise<void>;
}
