import type { AlertKind, Failure } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';

/** What a channel tells people; each channel words it in its own way. */
export interface Alert {
  /** Stable over retries and replicas. */
  readonly dedupeKey: string;
  readonly kind: AlertKind;
  readonly key: RunKey;
  /** One of the stable reason words. */
  readonly reason: string;
  readonly attempt: number;
  readonly retriesUsed: number;
  readonly maxRetries: number;
  readonly firstFailedAtMs: number;
  readonly createdAtMs: number;
  readonly failures: readonly Failure[];
  readonly runUrl: string | null;
}

/** `retryable` may work later; `permanent` needs a person, and is tried again at a slower pace all the same. */
export type SendResult =
  | { readonly type: 'accepted' }
  | { readonly type: 'retryable'; readonly detail: string; readonly retryAfterMs: number | null }
  | { readonly type: 'permanent'; readonly detail: string };

/** One place where alerts go. Never rejects for what the network or the receiver does; `detail` holds no secret. */
export interface AlertChannel {
  readonly name: string;
  send(alert: Alert): Promise<SendResult>;
}
