import type { JournalEntry } from '../../../src/core/journal.ts';
import type { Pause } from '../../../src/core/pause.ts';
import { dueAtOf, type RunRecord } from '../../../src/core/record.ts';
import { formatRunKey, type RunKey } from '../../../src/core/run-key.ts';
import type { RunStore, TakenRun, Versioned } from '../../../src/store/port.ts';
import { encodeRecord } from '../../../src/store/stored-record.ts';
import { createMemoryJournal } from '../../support/journal.ts';
import { createMarks } from '../../support/marks.ts';

interface Entry {
  readonly key: RunKey;
  readonly version: number;
  readonly text: string;
  dueMs: number | null;
}

/** A store in memory that several replicas share. Every call takes effect at once, as one step. */
export interface MemoryStore extends RunStore {
  /** What is stored, without asking as a replica would. */
  peek(key: RunKey): RunRecord | null;
  peekPauses(): readonly Pause[];
  size(): number;
  /** Everything is gone. */
  empty(): void;
  /** What it returns sets the store back to how it is now. */
  snapshot(): () => void;
}

export interface MemoryStoreOptions {
  /** Called with each swap that was won, after it. */
  readonly onSwap?: (key: RunKey, before: RunRecord | null, after: RunRecord | null, version: number) => void;
  readonly onTaken?: (key: RunKey, version: number, nowMs: number) => void;
}

/** Holds text, as a real store does, so that nobody shares objects with it; checked when it is written. */
export function createMemoryStore({ onSwap, onTaken }: MemoryStoreOptions = {}): MemoryStore {
  const entries = new Map<string, Entry>();
  const journal = createMemoryJournal();
  let lastVersion = 0;

  function read(entry: Entry | undefined): Versioned<RunRecord> | null {
    if (entry === undefined) return null;
    // Checked when it was written.
    const value: RunRecord = JSON.parse(entry.text);
    return { version: entry.version, value };
  }

  function swap(key: RunKey, expected: number, next: RunRecord | null, noted: readonly JournalEntry[]): number | null {
    const name = formatRunKey(key);
    const text = next === null ? null : encodeRecord(key, next);
    const current = entries.get(name);
    if ((current?.version ?? 0) !== expected) return null;
    lastVersion += 1;
    journal.append(noted);
    if (text === null) entries.delete(name);
    else entries.set(name, { key, version: lastVersion, text, dueMs: next === null ? null : dueAtOf(next) });
    onSwap?.(key, read(current)?.value ?? null, next, lastVersion);
    return lastVersion;
  }

  function takeDue(nowMs: number, limit: number, leaseMs: number): TakenRun[] {
    const due = [...entries.values()].filter(({ dueMs }) => dueMs !== null && dueMs <= nowMs);
    const taken = due.sort((a, b) => (a.dueMs ?? 0) - (b.dueMs ?? 0)).slice(0, Math.max(0, limit));
    return taken.map((entry) => {
      entry.dueMs = nowMs + leaseMs;
      onTaken?.(entry.key, entry.version, nowMs);
      const record = read(entry);
      if (record === null) throw new Error('a record that is due is gone');
      return { key: entry.key, record };
    });
  }

  const marks = createMarks();
  return {
    readMark: marks.readMark,
    advanceMark: marks.advanceMark,
    advanceMarkFrom: marks.advanceMarkFrom,
    load: async (key) => read(entries.get(formatRunKey(key))),
    compareAndSwap: async (key, expected, next, noted = []) => swap(key, expected, next, noted),
    takeDue: async (nowMs, limit, leaseMs) => takeDue(nowMs, limit, leaseMs),
    async list(after, limit) {
      const sorted = [...entries.values()].sort((a, b) => compareKeys(a.key, b.key));
      const rest = sorted.filter(({ key }) => after === null || compareKeys(key, after) > 0);
      const page = rest.slice(0, limit);
      const records = page.flatMap((entry) => read(entry) ?? []);
      return { records, next: rest.length > page.length ? (page.at(-1)?.key ?? after) : null };
    },
    async count(nowMs) {
      const due = [...entries.values()].filter(({ dueMs }) => dueMs !== null && dueMs <= nowMs);
      return { records: entries.size, due: due.length };
    },
    readJournal: journal.readJournal,
    journalBegins: journal.journalBegins,
    journalHead: journal.journalHead,
    readJournalAfter: journal.readJournalAfter,
    pauses: journal.pauses,
    setPause: journal.setPause,
    ping: async () => {},
    warnings: async () => [],
    close: async () => {},
    peek: (key) => read(entries.get(formatRunKey(key)))?.value ?? null,
    peekPauses: journal.peekPauses,
    size: () => entries.size,
    empty() {
      entries.clear();
      marks.clear();
      journal.clear();
    },
    snapshot() {
      const kept = [...entries].map(([name, entry]) => [name, { ...entry }] as const);
      const restoreMarks = marks.snapshot();
      const restoreJournal = journal.snapshot();
      return () => {
        entries.clear();
        for (const [name, entry] of kept) entries.set(name, { ...entry });
        restoreMarks();
        restoreJournal();
      };
    },
  };
}

/** By UTF-8 bytes: Dag id, then run id. */
function compareKeys(a: RunKey, b: RunKey): number {
  const bytes = (text: string) => Buffer.from(text, 'utf8');
  return Buffer.compare(bytes(a.dagId), bytes(b.dagId)) || Buffer.compare(bytes(a.dagRunId), bytes(b.dagRunId));
}
