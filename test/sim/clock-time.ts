/** `01:02:03.004` since the beginning. */
export function clockTime(elapsedMs: number): string {
  const sign = elapsedMs < 0 ? '-' : '';
  const ms = Math.abs(Math.round(elapsedMs));
  const pad = (value: number, width = 2) => String(value).padStart(width, '0');
  const hours = pad(Math.floor(ms / 3_600_000));
  return `${sign}${hours}:${pad(Math.floor(ms / 60_000) % 60)}:${pad(Math.floor(ms / 1_000) % 60)}.${pad(ms % 1_000, 3)}`;
}
