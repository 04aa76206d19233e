import { createRealTimers, type Timers } from '../support/timers.ts';

/** Real time, and as much ahead of it as was told. */
export interface TimersAhead extends Timers {
  aheadMs(): number;
  advance(byMs: number): void;
  stop(): void;
}

export function createTimersAhead(): TimersAhead {
  const real = createRealTimers();
  let aheadMs = 0;
  return {
    ...real,
    nowMs: () => real.nowMs() + aheadMs,
    aheadMs: () => aheadMs,
    advance(byMs) {
      aheadMs += byMs;
    },
  };
}
