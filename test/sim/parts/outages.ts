import type { Timers } from '../../support/timers.ts';
import type { Dice } from '../dice.ts';

/** Times during which something does not work at all. */
export interface Outages {
  isOut(): boolean;
}

export interface OutagesOptions {
  readonly timers: Timers;
  readonly dice: Dice;
  readonly perHour: number;
  /** None begins later or lasts longer. */
  readonly untilMs: number;
  readonly maxDurationMs: number;
}

export function drawOutages({ timers, dice, perHour, untilMs, maxDurationMs }: OutagesOptions): Outages {
  const windows: { readonly fromMs: number; readonly toMs: number }[] = [];
  for (const fromMs of momentsOf(dice, perHour, timers.nowMs(), untilMs)) {
    windows.push({ fromMs, toMs: Math.min(fromMs + dice.whole(1_000, maxDurationMs), untilMs) });
  }
  return {
    isOut() {
      const nowMs = timers.nowMs();
      return windows.some(({ fromMs, toMs }) => nowMs >= fromMs && nowMs < toMs);
    },
  };
}

/** Moments between two times at a mean rate. */
export function momentsOf(dice: Dice, perHour: number, fromMs: number, untilMs: number): number[] {
  const count = Math.floor((perHour * (untilMs - fromMs)) / 3_600_000 + dice.random());
  return Array.from({ length: count }, () => dice.whole(fromMs, untilMs)).sort((a, b) => a - b);
}

export function sleep(timers: Timers, durationMs: number): Promise<void> {
  return new Promise((resolve) => timers.schedule(durationMs, resolve));
}
