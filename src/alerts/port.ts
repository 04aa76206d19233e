import type { AlertKind, Failure } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';

/** What a channel tells people; each channel words it in its own way. */
export interface Alert {
  /** Stable over retries and replicas. */
  readonly dedupeKey: string;
  /** The same for all alerts of one count of a run: a receiver opens one incident for them, and `recovered` closes it. */
  readonly incident: string;
  readonly kind: AlertKind;
  /** Shadow mode: what it tells of would have been done, and was not. */
  readonly isShadow: boolean;
  /** It tells of an attempt, comes late, and the run has been given up or has ended meanwhile: it must open nothing. */
  readonly isOutdated: boolean;
  readonly key: RunKey;
  /** One of the stable reason words. */
  readonly reason: string;
  readonly attempt: number;
  readonly retriesUsed: number;
  readonly maxRetries: number;
  readonly firstFailedAtMs: number;
  readonly createdAtMs: number;
  readonly failures: readonly Failure[];
  /** The run in the orchestrator's pages. */
  readonly runUrl: string | null;
  /** The run in the service's own pages. */
  readonly pageUrl: string | null;
  readonly runbookUrl: string | null;
}

/**
 * `accepted` with a detail: not by everybody who was meant. `retryable` may work later; `permanent` needs a person, and is tried again at a
 * slower pace all the same.
 */
export type SendResult =
  | { readonly type: 'accepted'; readonly detail?: string }
  | { readonly type: 'retryable'; readonly detail: string; readonly retryAfterMs: number | null }
  | { readonly type: 'permanent'; readonly detail: string };

/** One place where alerts go. Never rejects for what the network or the receiver does; `detail` holds no secret. */
export interface AlertChannel {
  readonly name: string;
  send(alert: Alert): Promise<SendResult>;
}
