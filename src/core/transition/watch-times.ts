import { unitHash } from '../backoff.ts';
import type { Timing } from '../rules.ts';
import { formatRunKey, type RunKey } from '../run-key.ts';

/** The share of the interval by which an answer may be older than the look that uses it. */
const AGE_SHARE = 0.25;

/** How old what is known of an unfinished attempt may be at a regular look, in milliseconds. */
export function maxAgeMs({ sweepIntervalMs }: Timing): number {
  return Math.floor(sweepIntervalMs * AGE_SHARE);
}

/**
 * When to look at a running attempt again if nobody tells of it: within the interval, less what the answer of that look
 * may be old. Each run has its own moments, so that thousands that were restarted together are looked at apart.
 */
export function nextRegularLookMs(key: RunKey, timing: Timing, nowMs: number): number {
  const periodMs = periodOf(timing);
  const earliestMs = nowMs + maxAgeMs(timing);
  return earliestMs + periodMs - modulo(earliestMs - phaseMs(key, periodMs), periodMs);
}

/** Whether a look is due only because time has passed: whatever else asks for one does not hit the run's own moment. */
export function isRegularLook(key: RunKey, timing: Timing, dueAtMs: number): boolean {
  const periodMs = periodOf(timing);
  return modulo(dueAtMs - phaseMs(key, periodMs), periodMs) === 0;
}

function periodOf(timing: Timing): number {
  return timing.sweepIntervalMs - maxAgeMs(timing);
}

function phaseMs(key: RunKey, periodMs: number): number {
  return Math.floor(unitHash(`${formatRunKey(key)}#look`) * periodMs);
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
