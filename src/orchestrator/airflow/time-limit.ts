/** How much of a call's time is left. */
export interface TimeLimit {
  /** Milliseconds; 0 or less when the call must not send anything any more. */
  remainingMs(): number;
}

/**
 * Counts down `limitMs` from now. By the clock rather than by a timer, because a process that was suspended may be given
 * its answers before its timers, and a clear must not go out long after its caller has stopped counting on it.
 */
export function createTimeLimit(clock: { nowMs(): number }, limitMs: number): TimeLimit {
  const endsAtMs = clock.nowMs() + limitMs;
  return { remainingMs: () => endsAtMs - clock.nowMs() };
}
