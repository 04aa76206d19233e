import { DagainError } from '../../src/core/errors.ts';
import type { JournalEntry } from '../../src/core/journal.ts';
import type { Pause } from '../../src/core/pause.ts';
import type { RunStore } from '../../src/store/port.ts';
import { decodeEntry, encodeEntry } from '../../src/store/stored-entry.ts';

type JournalPart = Pick<
  RunStore,
  'readJournal' | 'journalBegins' | 'journalHead' | 'readJournalAfter' | 'pauses' | 'setPause'
>;

/** The journal and the pauses of a store in memory. */
export interface MemoryJournal extends JournalPart {
  append(entries: readonly JournalEntry[]): void;
  /** Drops the oldest entry to keep the journal short. */
  dropOldest(): void;
  /** All of it, oldest first. */
  entries(): readonly JournalEntry[];
  /** What is paused, without asking as a replica would. */
  peekPauses(): readonly Pause[];
  clear(): void;
  /** What it returns sets them back to how they are now. */
  snapshot(): () => void;
}

/** Holds text, as a real store does, so that nobody shares objects with it; checked when it is written. */
export function createMemoryJournal(): MemoryJournal {
  let kept: { id: number; text: string }[] = [];
  let lastId = 0;
  let hasDropped = false;
  const pauses = new Map<string, Pause>();

  function append(entries: readonly JournalEntry[]): void {
    for (const entry of entries) {
      const text = encodeEntry(entry);
      lastId += 1;
      kept.push({ id: lastId, text });
    }
  }

  function idOf(text: string): number {
    if (/^\d+$/.test(text)) return Number(text);
    throw new DagainError('cursor_invalid', 'no such place');
  }

  function read({ id, text }: { id: number; text: string }) {
    const entry = decodeEntry(text);
    if (entry === null) throw new Error('an entry that was checked cannot be read');
    return { id: String(id), entry };
  }

  return {
    append,
    dropOldest() {
      kept = kept.slice(1);
      hasDropped = true;
    },
    entries: () => kept.map((one) => read(one).entry),
    peekPauses: () => [...pauses.values()],
    async readJournal({ before, limit, key }) {
      const end = before === null ? Number.POSITIVE_INFINITY : idOf(before);
      const all = kept.filter(({ id }) => id < end).map(read);
      const wanted = all.filter(
        ({ entry }) => key === undefined || (entry.dagId === key.dagId && entry.dagRunId === key.dagRunId),
      );
      const page = wanted.slice(Math.max(0, wanted.length - limit)).reverse();
      return { entries: page, next: wanted.length > page.length ? (page.at(-1)?.id ?? before) : null };
    },
    async journalBegins() {
      const [oldest] = kept;
      return hasDropped && oldest !== undefined ? read(oldest).entry.atMs : null;
    },
    journalHead: async () => String(lastId),
    async readJournalAfter(head, limit) {
      const entries = kept
        .filter(({ id }) => id > idOf(head))
        .slice(0, limit)
        .map(read);
      return { entries, head: entries.at(-1)?.id ?? head };
    },
    pauses: async () => [...pauses.values()].sort((a, b) => Buffer.compare(Buffer.from(a.scope), Buffer.from(b.scope))),
    async setPause(scope, pause, entry) {
      if (pauses.has(scope) === (pause !== null)) return false;
      if (pause === null) pauses.delete(scope);
      else pauses.set(scope, pause);
      append([entry]);
      return true;
    },
    clear() {
      kept = [];
      pauses.clear();
    },
    snapshot() {
      const entries = [...kept];
      const held = [...pauses];
      return () => {
        kept = [...entries];
        pauses.clear();
        for (const [scope, pause] of held) pauses.set(scope, pause);
      };
    },
  };
}
