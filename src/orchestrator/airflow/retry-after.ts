/** Longest wait that a server can ask for, in milliseconds: a mistaken date must not silence the service for ever. */
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

/**
 * Reads a `Retry-After` header, in seconds or as an HTTP date (RFC 9110, 10.2.3); returns milliseconds from `nowMs`, 24
 * hours at most, or null if there is none to go by.
 */
export function parseRetryAfterMs(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1_000, MAX_RETRY_AFTER_MS);
  // Date.parse takes far more than HTTP dates; a weekday's name in front keeps it to those.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return null;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.min(Math.max(0, atMs - nowMs), MAX_RETRY_AFTER_MS);
}
