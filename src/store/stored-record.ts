import { prettifyError } from 'zod';
import { RunRecord } from '../core/record.ts';
import { formatRunKey, type RunKey } from '../core/run-key.ts';

/** What stored text turns out to be. */
export type StoredRecord =
  | { readonly type: 'record'; readonly record: RunRecord }
  | { readonly type: 'unreadable'; readonly detail: string };

/** The text under which `record` is stored. Throws on a record that could not be read again: a bug of the caller. */
export function encodeRecord(key: RunKey, record: RunRecord): string {
  const { success, error } = RunRecord.safeParse(record);
  if (!success) throw new TypeError(`Will not store what cannot be read again: ${prettifyError(error)}`);
  if (record.dagId !== key.dagId || record.dagRunId !== key.dagRunId) {
    throw new TypeError(`Will not store the record of ${formatRunKey(record)} as that of ${formatRunKey(key)}`);
  }
  return JSON.stringify(record);
}

/** Reads stored text as the record of `key`; says in words why that is impossible. */
export function decodeRecord(key: RunKey, text: string): StoredRecord {
  const parsed = RunRecord.safeParse(parseJson(text));
  if (!parsed.success) return unreadable(key, prettifyError(parsed.error));
  const { dagId, dagRunId } = parsed.data;
  if (dagId === key.dagId && dagRunId === key.dagRunId) return { type: 'record', record: parsed.data };
  return unreadable(key, `it is the record of ${formatRunKey({ dagId, dagRunId })}`);
}

/** Text that is not JSON becomes undefined, which is no record either. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreadable(key: RunKey, why: string): StoredRecord {
  return { type: 'unreadable', detail: `The stored value of ${formatRunKey(key)} is not readable: ${why}` };
}
