/** A number from 0 up to, not including, 1. */
export type Random = () => number;

/** Mulberry32 (Tommy Ettinger's, public domain): small, and the same sequence for the same seed on every machine. */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A UUID as Airflow 3 gives to task instances: version 7, the time in front. */
export function uuid7(nowMs: number, random: Random): string {
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');
  const time = nowMs.toString(16).padStart(12, '0');
  const variant = '89ab'.charAt(Math.floor(random() * 4));
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-${variant}${hex(3)}-${hex(12)}`;
}
