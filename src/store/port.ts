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

/** What marks tell: how far something has got that concerns all runs. */
export type MarkName = 'memory_begins' | 'accounted_for' | 'store_lost' | 'watched' | 'watch_due';

/**
 * The one place where state is kept. Outages reject with `store_unavailable`, unreadable values with `store_corrupt`;
 * `null` and `false` mean what they say. Times are epoch milliseconds of the caller's clock.
 */
export interface RunStore {
  load(key: RunKey): Promise<Versioned<RunRecord> | null>;
  /**
   * Writes `next` (null: deletes) and its place in the due index in one atomic step, only while the stored version is
   * `expected` (0: absent). Returns the new version, or null on conflict. Resolves only when the write is durable.
   */
  compareAndSwap(key: RunKey, expected: number, next: RunRecord | null): Promise<number | null>;
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
  /** Rejects when the store cannot serve. */
  ping(): Promise<void>;
  /** What an operator should know about the store's set-up: one clear sentence each (eviction, persistence). */
  warnings(): Promise<readonly string[]>;
  close(): Promise<void>;
}
