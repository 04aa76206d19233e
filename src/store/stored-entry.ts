import { prettifyError } from 'zod';
import { JournalEntry } from '../core/journal.ts';

/** Most of an entry's fields are null: left out, it takes half the room. */
const BLANK = {
  dagId: null,
  dagRunId: null,
  attempt: null,
  retriesUsed: null,
  taskId: null,
  failureClass: null,
  action: null,
  actor: null,
  comment: null,
} as const satisfies Partial<JournalEntry>;

/** The text under which `entry` is stored. Throws on an entry that could not be read again: a bug of the caller. */
export function encodeEntry(entry: JournalEntry): string {
  const { success, error } = JournalEntry.safeParse(entry);
  if (!success) throw new TypeError(`Will not note what cannot be read again: ${prettifyError(error)}`);
  return JSON.stringify(entry, (_name, value: unknown) => value ?? undefined);
}

/** Reads stored text as an entry; null for what this release cannot read, such as one of a newer release. */
export function decodeEntry(text: string): JournalEntry | null {
  try {
    const stored: unknown = JSON.parse(text);
    return JournalEntry.safeParse(typeof stored === 'object' ? { ...BLANK, ...stored } : stored).data ?? null;
  } catch {
    return null;
  }
}
