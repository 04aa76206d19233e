import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { DagainError } from '../../core/errors.ts';
import type { JournalEntry } from '../../core/journal.ts';
import {
  JOURNAL_MAX_AGE_MS,
  JOURNAL_MAX_ENTRIES,
  type JournalPage,
  type JournalQuery,
  type JournalTail,
  type KeptEntry,
} from '../port.ts';
import { decodeEntry, encodeEntry } from '../stored-entry.ts';

/** Dropping costs half as much as writing, so only every so many entries do it. */
const DROPPED_EVERY = 50;
/** How many may go for their age at once, so that no write takes long. */
const EXPIRED_AT_ONCE = 500;

const Row = z.object({ id: z.int(), entry: z.string() });
const Rows = z.array(Row);
const OldestRow = z.object({ id: z.int(), at_ms: z.number() }).optional();
const HeadRow = z.object({ id: z.int().nullable() });
const Id = z.string().regex(/^\d{1,15}$/);

/** An entry, checked and written as text. */
export interface EncodedEntry extends Pick<JournalEntry, 'atMs' | 'dagId' | 'dagRunId'> {
  readonly text: string;
}

/** The journal's part of the file. Nothing here opens a transaction. */
export interface JournalTable {
  append(entries: readonly EncodedEntry[]): void;
  read(query: JournalQuery): JournalPage;
  begins(): number | null;
  head(): string;
  readAfter(head: string, limit: number): JournalTail;
}

export function encodedEntry(entry: JournalEntry): EncodedEntry {
  const { atMs, dagId, dagRunId } = entry;
  return { atMs, dagId, dagRunId, text: encodeEntry(entry) };
}

export function openJournal(database: DatabaseSync): JournalTable {
  const insert = database.prepare(
    'INSERT INTO journal (at_ms, dag_id, dag_run_id, entry) VALUES (?, ?, ?, ?) RETURNING id',
  );
  const shorten = database.prepare('DELETE FROM journal WHERE id <= ?');
  // By id first: the oldest are looked at, and no others.
  const expire = database.prepare(
    'DELETE FROM journal WHERE at_ms < ? AND id IN (SELECT id FROM journal ORDER BY id LIMIT ?)',
  );
  const newest = database.prepare('SELECT id, entry FROM journal WHERE id < ? ORDER BY id DESC LIMIT ?');
  const newestOfRun = database.prepare(
    'SELECT id, entry FROM journal WHERE dag_id = ? AND dag_run_id = ? AND id < ? ORDER BY id DESC LIMIT ?',
  );
  const after = database.prepare('SELECT id, entry FROM journal WHERE id > ? ORDER BY id LIMIT ?');
  const oldest = database.prepare('SELECT id, at_ms FROM journal ORDER BY id LIMIT 1');
  const last = database.prepare('SELECT max(id) AS id FROM journal');
  const lastId = () => HeadRow.parse(last.get()).id ?? 0;

  function append({ atMs, dagId, dagRunId, text }: EncodedEntry): void {
    const { id } = Row.pick({ id: true }).parse(insert.get(atMs, dagId, dagRunId, text));
    if (id % DROPPED_EVERY !== 0) return;
    shorten.run(id - JOURNAL_MAX_ENTRIES + DROPPED_EVERY);
    expire.run(atMs - JOURNAL_MAX_AGE_MS, EXPIRED_AT_ONCE);
  }

  /** The first id is 1, and what is dropped for its age leaves the journal short. */
  function begins(): number | null {
    const first = OldestRow.parse(oldest.get());
    if (first === undefined || first.id === 1) return null;
    return lastId() - first.id < JOURNAL_MAX_ENTRIES - DROPPED_EVERY - 1 ? null : first.at_ms;
  }

  return {
    append: (entries) => entries.forEach(append),
    read({ before, limit, key }) {
      const end = before === null ? Number.MAX_SAFE_INTEGER : idOf(before);
      if (limit < 1) return { entries: [], next: before };
      // One more than wanted tells whether that is the end.
      const found =
        key === undefined ? newest.all(end, limit + 1) : newestOfRun.all(key.dagId, key.dagRunId, end, limit + 1);
      const rows = Rows.parse(found);
      const next = rows.length > limit ? rows[limit - 1] : undefined;
      return { entries: rows.slice(0, limit).flatMap(keptEntry), next: next === undefined ? null : String(next.id) };
    },
    begins,
    head: () => String(lastId()),
    readAfter(head, limit) {
      // A place that is not reached yet is from another file, in place of which this one has come.
      const from = idOf(head) > lastId() ? 0 : idOf(head);
      const rows = Rows.parse(after.all(from, Math.max(0, limit)));
      return { entries: rows.flatMap(keptEntry), head: String(rows.at(-1)?.id ?? head) };
    },
  };
}

function keptEntry({ id, entry: text }: z.infer<typeof Row>): readonly KeptEntry[] {
  const entry = decodeEntry(text);
  return entry === null ? [] : [{ id: String(id), entry }];
}

function idOf(text: string): number {
  const parsed = Id.safeParse(text);
  if (parsed.success) return Number(parsed.data);
  throw new DagainError('cursor_invalid', 'This is no place in the journal that the file has given');
}
