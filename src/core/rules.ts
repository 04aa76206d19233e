import type { Pause } from './pause.ts';
import type { RetryPolicy } from './policy.ts';

/** Service-wide timing, in milliseconds. */
export interface Timing {
  /** How soon a watched run is looked at when no callback comes. */
  readonly sweepIntervalMs: number;
  /** How long after its swap a clear may still be sent. */
  readonly sendWindowMs: number;
  /** How long after `sendWindowMs` a clear may still be under way, clock differences between replicas included. */
  readonly clearOutcomeMs: number;
  /** How long a given-up run is remembered. */
  readonly tombstoneMs: number;
  /** How long a run whose retries are used up waits for an orchestrator that does not answer before the alert goes out. */
  readonly alertPatienceMs: number;
}

/** What a transition is decided under. */
export interface Rules {
  readonly policy: RetryPolicy;
  readonly timing: Timing;
  /** The Dag's tags are not known yet, so that a refusal may still turn out wrong. */
  readonly isProvisional: boolean;
  /** The callback asked for more than the limits allow, and has been given less. */
  readonly isOverrideClamped: boolean;
  /** A person has stopped the retries of this Dag, or of everything: no clear is sent. */
  readonly pause: Pause | null;
  /** Shadow mode: everything is decided, clears are only rehearsed. */
  readonly isShadow: boolean;
}

export const BUILT_IN_TIMING: Timing = {
  sweepIntervalMs: 60_000,
  sendWindowMs: 5_000,
  clearOutcomeMs: 40_000,
  tombstoneMs: 7 * 24 * 3_600_000,
  alertPatienceMs: 10 * 60_000,
};
