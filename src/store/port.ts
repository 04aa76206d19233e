import type { JournalEntry } from '../core/journal.ts';
import type { Pause } from '../core/pause.ts';
import type { RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';

/** A value and the version under which it is stored; versions of one run never repeat, also not after its deletion. */
export interface Versioned<T> {
  readonly version: number;
  readonly value: T;
}

/** A run whose work is due, taken under a lease; `problem` stands for a value that is gone or cannot be read. */
export type TakenRun =
  | { readonly key: RunKey; readonly record: Versioned<RunRecord> }
  | {
      readonly key: RunKey;
      readonly version: number;
      readonly problem: 'missing' | 'unreadable';
      readonly detail: string;
    };

export interface ListPage {
  /** Ordered by Dag id, then run id (UTF-8 bytes). */
  readonly records: readonly Versioned<RunRecord>[];
  /** Where the next page begins, or null at the end. */
  readonly next: RunKey | null;
}

/** Names an entry of the journal; opaque. */
export type JournalId = string;

export interface KeptEntry {
  readonly id: JournalId;
  readonly entry: JournalEntry;
}

export interface JournalQuery {
  /** Only what was written before this entry; null: from the newest on. */
  readonly before: JournalId | null;
  /** How many entries at most. */
  readonly limit: number;
  /** Only what concerns this one run. */
  readonly key?: RunKey;
}

export interface JournalPage {
  /** Newest first; may hold fewer than asked for, also in the middle. */
  readonly entries: readonly KeptEntry[];
  /** The `before` of the next page, or null at the end. */
  readonly next: JournalId | null;
}

export interface JournalTail {
  /** Oldest first. */
  readonly entries: readonly KeptEntry[];
  /** Where to go on reading. */
  readonly head: string;
}

/** How much of the journal is kept: what is beyond is dropped as new entries come. */
export const JOURNAL_MAX_ENTRIES = 100_000;
export const JOURNAL_MAX_AGE_MS = 90 * 24 * 3_600_000;

/** What marks tell: how far something has got that concerns all runs. */
export type MarkName = 'memory_begins' | 'accounted_for' | 'store_lost' | 'watched' | 'watch_due';

/**
 * The one place where state is kept. Outages reject with `store_unavailable`, unreadable values with `store_corrupt`;
 * `null` and `false` mean what they say. Times are epoch milliseconds of the caller's clock.
 */
export interface RunStore {
  load(key: RunKey): Promise<Versioned<RunRecord> | null>;
  /**
   * Writes `next` (null: deletes), its place in the due index and what the journal keeps of the change in one atomic
   * step, only while the stored version is `expected` (0: absent). Returns the new version, or null on conflict.
   * Resolves only when the write is durable.
   */
  compareAndSwap(
    key: RunKey,
    expected: number,
    next: RunRecord | null,
    entries?: readonly JournalEntry[],
  ): Promise<number | null>;
  /**
   * Takes up to `limit` runs that are due, the most overdue first, and moves each one's place in the index to
   * `nowMs + leaseMs`, so that nobody else takes it before. Any swap of the record ends the lease.
   */
  takeDue(nowMs: number, limit: number, leaseMs: number): Promise<readonly TakenRun[]>;
  /** A page of at most `limit` records after `after` (null: from the start). Skips what cannot be read. */
  list(after: RunKey | null, limit: number): Promise<ListPage>;
  /** How many records there are and how many are due at `nowMs`. */
  count(nowMs: number): Promise<{ records: number; due: number }>;
  /** A time that was noted under this name, in epoch milliseconds, or null; what the store loses, its marks lose too. */
  readMark(name: MarkName): Promise<number | null>;
  /** Moves a mark forward to `toMs`, never back, and tells where it is then. Resolves only when that is durable. */
  advanceMark(name: MarkName, toMs: number): Promise<number>;
  /**
   * The same for a mark that has been seen at `fromMs`. False, and nothing is written, where it is missing or lies
   * before that: the store has gone back since.
   */
  advanceMarkFrom(name: MarkName, fromMs: number, toMs: number): Promise<boolean>;
  /**
   * A page of the journal, in the order in which the store took the entries. It holds at most `JOURNAL_MAX_ENTRIES`;
   * those older than `JOURNAL_MAX_AGE_MS` go as new ones come. Skips what cannot be read.
   * @throws DagainError `cursor_invalid` for a `before` that no page has given
   */
  readJournal(query: JournalQuery): Promise<JournalPage>;
  /**
   * From when on the journal holds all that it was given, in epoch milliseconds as entries tell them; null: nothing has
   * been dropped to keep it short. What is older than `JOURNAL_MAX_AGE_MS` may be gone in any case.
   */
  journalBegins(): Promise<number | null>;
  /** Where the journal ends now: what comes later, `readJournalAfter` gives. */
  journalHead(): Promise<string>;
  /**
   * Up to `limit` entries that came after `head`, each one once. Skips what cannot be read.
   * @throws DagainError `cursor_invalid` for a `head` that this kind of store has not given
   */
  readJournalAfter(head: string, limit: number): Promise<JournalTail>;
  /** The pauses of Dags and of everything, by scope; one that cannot be read rejects with `store_corrupt`. */
  pauses(): Promise<readonly Pause[]>;
  /**
   * Pauses a scope, or resumes it (null), and notes that in the journal, in one atomic step. False: it was paused, or
   * was not, already; then nothing is written, and the first pause stays.
   */
  setPause(scope: string, pause: Pause | null, entry: JournalEntry): Promise<boolean>;
  /** Rejects when the store cannot serve. */
  ping(): Promise<void>;
  /** What an operator should know about the store's set-up: one clear sentence each (eviction, persistence). */
  warnings(): Promise<readonly string[]>;
  close(): Promise<void>;
}
