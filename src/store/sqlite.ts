import { statfsSync } from 'node:fs';
import { DagainError } from '../core/errors.ts';
import { dueAtOf } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { ListPage, RunStore, TakenRun } from './port.ts';
import { databasePath } from './sqlite/database.ts';
import { type DatabaseFile, openDatabaseFile, type Tables } from './sqlite/database-file.ts';
import { sqliteError } from './sqlite/errors.ts';
import { createGroupCommit } from './sqlite/group-commit.ts';
import { encodedEntry } from './sqlite/journal.ts';
import { fileSystemWarnings } from './sqlite/setup-warnings.ts';
import type { Statements, StoredRow } from './sqlite/statements.ts';
import { encodePause } from './stored-pause.ts';
import { decodeRecord, encodeRecord } from './stored-record.ts';

export interface SqliteStoreOptions {
  /** Holds `dagain.db`; created for this user only where it is missing. On a local disk, not on a network share. */
  readonly directory: string;
}

/** The store, and what else is kept in its file. */
export interface SqliteStore extends RunStore {
  /** Keeps `digest` under `id` until `nowMs + ttlMs` unless one is kept already; returns the one that is kept now. */
  claimWebhookId(id: string, digest: string, nowMs: number, ttlMs: number): Promise<string>;
}

/**
 * Runs in a file of this machine. A write is on the disk when its promise resolves; several processes may share it.
 * @throws `store_unavailable`, `store_corrupt` (no database, or a damaged one), `store_unsupported` (a newer schema)
 */
export async function createSqliteStore({ directory }: SqliteStoreOptions): Promise<SqliteStore> {
  const path = databasePath(directory);
  return explaining(path, () => sqliteStore(openDatabaseFile(directory), directory, path));
}

function sqliteStore(file: DatabaseFile, directory: string, path: string): SqliteStore {
  const commits = createGroupCommit((work) => explaining(path, () => file.transaction(work)));
  async function read<T>(query: (tables: Tables) => T): Promise<T> {
    return explaining(path, () => query(file.tables()));
  }
  async function write<T>(job: (tables: Tables) => T): Promise<T> {
    explaining(path, file.tables);
    return await commits.run(() => job(file.tables()));
  }
  return {
    load: (key) => read(({ statements }) => loadRecord(statements, key)),
    async compareAndSwap(key, expected, next, entries = []) {
      const noted = entries.map(encodedEntry);
      const text = next === null ? null : encodeRecord(key, next);
      const dueMs = next === null ? null : dueAtOf(next);
      return await write(({ statements, journal }) => {
        const version = swap(statements, key, expected, text, dueMs);
        if (version !== null) journal.append(noted);
        return version;
      });
    },
    takeDue: (nowMs, limit, leaseMs) => write(({ statements }) => takeDue(statements, nowMs, limit, leaseMs)),
    list: (after, limit) => read(({ statements }) => listPage(statements, after, limit)),
    count: (nowMs) => read(({ statements }) => statements.count(nowMs)),
    readMark: (name) => read(({ statements }) => statements.mark(name)),
    advanceMark: (name, toMs) => write(({ statements }) => statements.advanceMark(name, toMs)),
    advanceMarkFrom: (name, fromMs, toMs) => write(({ statements }) => statements.advanceMarkFrom(name, fromMs, toMs)),
    readJournal: (query) => read(({ journal }) => journal.read(query)),
    journalBegins: () => read(({ journal }) => journal.begins()),
    journalHead: () => read(({ journal }) => journal.head()),
    readJournalAfter: (head, limit) => read(({ journal }) => journal.readAfter(head, limit)),
    pauses: () => read(({ pauses }) => pauses.all()),
    async setPause(scope, pause, entry) {
      const text = pause === null ? null : encodePause(scope, pause);
      const noted = encodedEntry(entry);
      return await write(({ pauses }) => pauses.set(scope, text, noted));
    },
    claimWebhookId: (id, digest, nowMs, ttlMs) =>
      write(({ statements }) => claimId(statements, id, digest, nowMs, ttlMs)),
    ping: () => write(({ statements }) => statements.touch()),
    warnings: () => read(() => fileSystemWarnings(directory, statfsSync(directory).type)),
    async close() {
      commits.flush();
      file.close();
    },
  };
}

function loadRecord(statements: Statements, key: RunKey) {
  const row = statements.find(key);
  if (row === null) return null;
  const stored = decodeRecord(key, row.record);
  if (stored.type === 'unreadable') throw new DagainError('store_corrupt', stored.detail);
  return { version: row.version, value: stored.record };
}

function swap(
  statements: Statements,
  key: RunKey,
  expected: number,
  text: string | null,
  dueMs: number | null,
): number | null {
  const row = statements.find(key);
  if ((row?.version ?? 0) !== expected) return null;
  const version = statements.nextVersion();
  if (text === null) statements.remove(key);
  else if (row === null) statements.insert(key, version, dueMs, text);
  else statements.update(key, version, dueMs, text);
  return version;
}

function takeDue(statements: Statements, nowMs: number, limit: number, leaseMs: number): readonly TakenRun[] {
  const rows = statements.due(nowMs, Math.max(0, limit));
  for (const row of rows) statements.lease(row, nowMs + leaseMs);
  return rows.map(takenRun);
}

function takenRun(row: StoredRow): TakenRun {
  const key = keyOfRow(row);
  const stored = decodeRecord(key, row.record);
  if (stored.type === 'record') return { key, record: { version: row.version, value: stored.record } };
  return { key, version: row.version, problem: 'unreadable', detail: stored.detail };
}

function listPage(statements: Statements, after: RunKey | null, limit: number): ListPage {
  if (limit < 1) return { records: [], next: after };
  const rows = statements.page(after, limit + 1);
  const page = rows.slice(0, limit);
  const records = page.flatMap((row) => {
    const run = takenRun(row);
    return 'record' in run ? [run.record] : [];
  });
  const last = page.at(-1);
  return { records, next: last !== undefined && rows.length > page.length ? keyOfRow(last) : null };
}

function claimId(statements: Statements, id: string, digest: string, nowMs: number, ttlMs: number): string {
  statements.forgetIds(nowMs);
  return statements.keepId(id, digest, nowMs + ttlMs);
}

function keyOfRow(row: StoredRow): RunKey {
  return { dagId: row.dag_id, dagRunId: row.dag_run_id };
}

function explaining<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw sqliteError(path, error);
  }
}
