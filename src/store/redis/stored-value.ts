import type { RunKey } from '../../core/run-key.ts';
import type { TakenRun } from '../port.ts';
import { decodeRecord } from '../stored-record.ts';

/** Under this version a value can be replaced whose own version cannot be read; the swap script agrees. */
const UNREADABLE_VERSION = 1;

/** Reads `<version> <JSON>`, or null for a member without a value. */
export function readStoredValue(key: RunKey, value: string | null): TakenRun {
  if (value === null) {
    return { key, version: 0, problem: 'missing', detail: 'Redis holds when the run is due, but no record of it' };
  }
  const version = versionOf(value);
  if (version === null) {
    const detail = 'The stored value does not begin with a version';
    return { key, version: UNREADABLE_VERSION, problem: 'unreadable', detail };
  }
  const stored = decodeRecord(key, value.slice(value.indexOf(' ') + 1));
  if (stored.type === 'unreadable') return { key, version, problem: 'unreadable', detail: stored.detail };
  return { key, record: { version, value: stored.record } };
}

function versionOf(value: string): number | null {
  const digits = /^([1-9]\d{0,15}) /.exec(value)?.[1];
  const version = Number(digits);
  return Number.isSafeInteger(version) ? version : null;
}
