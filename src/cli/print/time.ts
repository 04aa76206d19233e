const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** A length of time in its two largest units: `2h 5m`, `45s`. */
export function lengthText(lengthMs: number): string {
  const at = UNITS.findIndex(([, unitMs]) => lengthMs >= unitMs);
  if (at < 0) return '0s';
  let restMs = lengthMs;
  const parts = UNITS.slice(at, at + 2).map(([unit, unitMs]) => {
    const count = Math.floor(restMs / unitMs);
    restMs -= count * unitMs;
    return count === 0 ? '' : `${count}${unit}`;
  });
  return parts.filter((part) => part !== '').join(' ');
}

/** How far off a time is: `3m ago`, `in 45s`, `now`; empty for none. */
export function relative(time: string | null, nowMs: number): string {
  if (time === null) return '';
  const offMs = Date.parse(time) - nowMs;
  if (Number.isNaN(offMs)) return time;
  if (Math.abs(offMs) < 1_000) return 'now';
  return offMs > 0 ? `in ${lengthText(offMs)}` : `${lengthText(-offMs)} ago`;
}

/** The time itself, as people read it, and how far off it is. */
export function absolute(time: string | null, nowMs: number): string | null {
  return time === null ? null : `${time.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')} (${relative(time, nowMs)})`;
}
