import { DagainError } from '../../src/core/errors.ts';
import { dueAtOf, type RunRecord } from '../../src/core/record.ts';
import { formatRunKey, type RunKey } from '../../src/core/run-key.ts';
import type { RunStore, TakenRun } from '../../src/store/port.ts';
import { createMemoryJournal, type MemoryJournal } from '../support/journal.ts';
import { createMarks } from '../support/marks.ts';

interface Row {
  readonly key: RunKey;
  version: number;
  record: RunRecord | null;
  indexedAtMs: number | null;
}

/** A store of one process, with everything that can go wrong with one. */
export interface MemoryStore extends RunStore {
  /** The next swaps that are lost to somebody else. */
  conflicts: number;
  /** Rejects everything with this until it is null again. */
  outage: DagainError | null;
  /** Called before each swap, while it is under way. */
  beforeSwap: (key: RunKey, next: RunRecord | null) => Promise<void> | void;
  put(record: RunRecord): void;
  get(key: RunKey): RunRecord | null;
  /** When the record can be taken next; null: never. */
  indexedAtMs(key: RunKey): number | null;
  /** Everything is gone, the marks too. */
  empty(): void;
  snapshot(): () => void;
  /** Goes back to what `snapshot` gave. */
  restore(snapshot: () => void): void;
  /** The record is gone from under its place in the index. */
  lose(key: RunKey): void;
  /** What the journal holds. */
  readonly journal: MemoryJournal;
  readonly isClosed: boolean;
  readonly swaps: number;
}

export const OUTAGE = new DagainError('store_unavailable', 'the store is out');

export function createMemoryStore(): MemoryStore {
  const rows = new Map<string, Row>();
  const marks = createMarks();
  const journal = createMemoryJournal();
  let lastVersion = 0;
  let isClosed = false;
  let swaps = 0;

  function check(): void {
    if (isClosed) throw new DagainError('store_unavailable', 'the store is closed');
    if (store.outage !== null) throw store.outage;
  }

  function write(key: RunKey, record: RunRecord | null): number {
    lastVersion += 1;
    if (record === null) rows.delete(formatRunKey(key));
    else rows.set(formatRunKey(key), { key, version: lastVersion, record, indexedAtMs: dueAtOf(record) });
    return lastVersion;
  }

  const taken = ({ key, version, record }: Row): TakenRun =>
    record === null
      ? { key, version, problem: 'missing', detail: 'no such record' }
      : { key, record: { version, value: record } };

  const store: MemoryStore = {
    conflicts: 0,
    outage: null,
    beforeSwap: () => {},
    put: (record) => void write(record, record),
    get: (key) => rows.get(formatRunKey(key))?.record ?? null,
    indexedAtMs: (key) => rows.get(formatRunKey(key))?.indexedAtMs ?? null,
    empty() {
      rows.clear();
      marks.clear();
      journal.clear();
    },
    snapshot() {
      const kept = [...rows].map(([name, row]) => [name, { ...row }] as const);
      const restoreMarks = marks.snapshot();
      const restoreJournal = journal.snapshot();
      return () => {
        rows.clear();
        for (const [name, row] of kept) rows.set(name, { ...row });
        restoreMarks();
        restoreJournal();
      };
    },
    restore: (snapshot) => snapshot(),
    lose(key) {
      const row = rows.get(formatRunKey(key));
      if (row !== undefined) row.record = null;
    },
    journal,
    get isClosed() {
      return isClosed;
    },
    get swaps() {
      return swaps;
    },
    async load(key) {
      check();
      const row = rows.get(formatRunKey(key));
      return row === undefined || row.record === null ? null : { version: row.version, value: row.record };
    },
    async compareAndSwap(key, expected, next, entries = []) {
      check();
      await store.beforeSwap(key, next);
      check();
      swaps += 1;
      if (store.conflicts > 0) {
        store.conflicts -= 1;
        return null;
      }
      if ((rows.get(formatRunKey(key))?.version ?? 0) !== expected) return null;
      journal.append(entries);
      return write(key, next);
    },
    async takeDue(nowMs, limit, leaseMs) {
      check();
      const due = [...rows.values()].filter(({ indexedAtMs }) => indexedAtMs !== null && indexedAtMs <= nowMs);
      const first = due.toSorted((a, b) => (a.indexedAtMs ?? 0) - (b.indexedAtMs ?? 0)).slice(0, limit);
      for (const row of first) row.indexedAtMs = nowMs + leaseMs;
      return first.map(taken);
    },
    async list(after, limit) {
      check();
      const stored = [...rows.values()].filter(({ key, record }) => {
        return record !== null && (after === null || compareKeys(key, after) > 0);
      });
      const page = stored.toSorted((a, b) => compareKeys(a.key, b.key)).slice(0, limit);
      const records = page.flatMap(({ version, record }) => (record === null ? [] : [{ version, value: record }]));
      return { records, next: page.length < stored.length ? (page.at(-1)?.key ?? null) : null };
    },
    async count(nowMs) {
      check();
      const due = [...rows.values()].filter(({ indexedAtMs }) => indexedAtMs !== null && indexedAtMs <= nowMs);
      return { records: rows.size, due: due.length };
    },
    async readMark(name) {
      check();
      return await marks.readMark(name);
    },
    async advanceMark(name, toMs) {
      check();
      return await marks.advanceMark(name, toMs);
    },
    async advanceMarkFrom(name, fromMs, toMs) {
      check();
      return await marks.advanceMarkFrom(name, fromMs, toMs);
    },
    async readJournal(query) {
      check();
      return await journal.readJournal(query);
    },
    async journalBegins() {
      check();
      return await journal.journalBegins();
    },
    async journalHead() {
      check();
      return await journal.journalHead();
    },
    async readJournalAfter(head, limit) {
      check();
      return await journal.readJournalAfter(head, limit);
    },
    async pauses() {
      check();
      return await journal.pauses();
    },
    async setPause(scope, pause, entry) {
      check();
      return await journal.setPause(scope, pause, entry);
    },
    async ping() {
      check();
    },
    async warnings() {
      return [];
    },
    async close() {
      isClosed = true;
    },
  };
  return store;
}

function compareKeys(a: RunKey, b: RunKey): number {
  return compareBytes(a.dagId, b.dagId) || compareBytes(a.dagRunId, b.dagRunId);
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
