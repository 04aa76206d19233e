import { z } from 'zod';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNIT_MS;

/** A hundred years: larger than any useful wait, small enough to add to a date without losing milliseconds. */
export const MAX_DURATION_MS = 36_525 * UNIT_MS.d;

/** Reads `500ms`, `30s`, `5m`, `2h`, `1d` or a number of seconds; returns milliseconds, or null if it is none of these. */
export function parseDurationMs(text: string | number): number | null {
  if (typeof text === 'number') return inRange(text * UNIT_MS.s);
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) return null;
  const unit = (match[2] ?? 's') as Unit;
  return inRange(Number(match[1]) * UNIT_MS[unit]);
}

function inRange(durationMs: number): number | null {
  return durationMs >= 0 && durationMs <= MAX_DURATION_MS ? Math.round(durationMs) : null;
}

/** Writes milliseconds in the largest unit that keeps them whole: `90s`, `2h`, `500ms`. */
export function formatDurationMs(durationMs: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (durationMs >= UNIT_MS[unit] && durationMs % UNIT_MS[unit] === 0) return `${durationMs / UNIT_MS[unit]}${unit}`;
  }
  return `${durationMs}ms`;
}

const EXPECTED = 'must be a duration such as 500ms, 30s, 5m, 2h or a number of seconds';

/** A duration as people write it; parses to milliseconds. */
export const Duration = z
  .union([z.string(), z.number().nonnegative(EXPECTED)], { error: EXPECTED })
  .transform((text, context) => {
    const durationMs = parseDurationMs(text);
    if (durationMs !== null) return durationMs;
    context.addIssue({ code: 'custom', message: `${EXPECTED}, is ${JSON.stringify(text)}` });
    return z.NEVER;
  });
