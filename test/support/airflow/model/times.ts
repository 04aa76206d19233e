/** `2026-01-01T00:00:00.250000Z`, as Airflow 3 writes times: six digits, or none for a full second. */
export function isoZulu(timeMs: number): string {
  return `${withoutZone(timeMs)}Z`;
}

/** `2026-01-01T00:00:00.250000+00:00`, as Python's isoformat and Airflow 2 write times. */
export function isoOffset(timeMs: number): string {
  return `${withoutZone(timeMs)}+00:00`;
}

function withoutZone(timeMs: number): string {
  const [seconds = '', fraction = '000'] = new Date(timeMs).toISOString().slice(0, -1).split('.');
  return fraction === '000' ? seconds : `${seconds}.${fraction}000`;
}
