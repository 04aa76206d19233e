import { z } from 'zod';

const IsoDateTime = z.iso.datetime({ offset: true });
const MAX_TIME_MS = 8.64e15;

/**
 * A time as Airflow's callbacks write it, parsed to epoch milliseconds: ISO 8601 with an offset, `T` or (as Python's
 * `str` writes it) a blank in between, and any number of decimals. A time without an offset could mean anything.
 * Milliseconds are cut off as they are where Airflow's own answers are read, so that both can be compared.
 */
export const IsoTime = z
  .string()
  .transform((text, context) => {
    const parsed = text.length <= 64 ? IsoDateTime.safeParse(text.replace(' ', 'T')) : null;
    if (parsed?.success) return Date.parse(parsed.data);
    context.addIssue({
      code: 'custom',
      message: 'must be a time in ISO 8601 with an offset, such as 2026-01-31T12:00:00.000000+00:00',
    });
    return z.NEVER;
  })
  .meta({ format: 'date-time' });

/** ISO 8601 in UTC with milliseconds; null stays null, and so does what no calendar holds. */
export function isoTime(timeMs: number | null): string | null {
  if (timeMs === null || !(Math.abs(timeMs) <= MAX_TIME_MS)) return null;
  return new Date(timeMs).toISOString();
}
