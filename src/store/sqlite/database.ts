import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { DagainError } from '../../core/errors.ts';

/** How long another process may hold the write lock; it holds it for one transaction, and this thread waits. */
const BUSY_TIMEOUT_MS = 2_000;

/**
 * What each schema version adds to the one before; the first is 1. A release changes nothing here but at the end.
 * `due_ms` is the place in the due index, or the end of a lease; null: never due. Versions come from `sequence`.
 */
const STEPS: readonly string[] = [
  `
CREATE TABLE runs (
  dag_id TEXT NOT NULL,
  dag_run_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  due_ms REAL,
  record TEXT NOT NULL,
  PRIMARY KEY (dag_id, dag_run_id)
) STRICT;
CREATE INDEX runs_due ON runs (due_ms, dag_id, dag_run_id) WHERE due_ms IS NOT NULL;
CREATE TABLE sequence (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL) STRICT;
INSERT INTO sequence (id, version) VALUES (1, 0);
`,
  'CREATE TABLE marks (name TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;',
  `
CREATE TABLE webhook_ids (id TEXT PRIMARY KEY, digest TEXT NOT NULL, expires_ms REAL NOT NULL) STRICT;
CREATE INDEX webhook_ids_expiry ON webhook_ids (expires_ms);
`,
  `
CREATE TABLE journal (
  id INTEGER PRIMARY KEY,
  at_ms REAL NOT NULL,
  dag_id TEXT,
  dag_run_id TEXT,
  entry TEXT NOT NULL
) STRICT;
CREATE INDEX journal_of_run ON journal (dag_id, dag_run_id, id) WHERE dag_run_id IS NOT NULL;
CREATE TABLE pauses (scope TEXT PRIMARY KEY, pause TEXT NOT NULL) STRICT;
`,
];

export const SCHEMA_VERSION = STEPS.length;

const UserVersion = z.object({ user_version: z.int() });

export function databasePath(directory: string): string {
  return join(directory, 'dagain.db');
}

/** Opens or creates the database; only its owner may look into a new directory. */
export function openDatabase(directory: string): DatabaseSync {
  const path = databasePath(directory);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    // Refuse a newer file before anything is changed in it.
    const found = schemaVersionOf(database, path);
    // Before there is a log: it takes over the file's mode.
    if (found === 0) chmodSync(path, 0o600);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    if (found < SCHEMA_VERSION) bringUpToDate(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function bringUpToDate(database: DatabaseSync, path: string): void {
  inTransaction(database, () => {
    // Another process may have been faster.
    for (const step of STEPS.slice(schemaVersionOf(database, path))) database.exec(step);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

function schemaVersionOf(database: DatabaseSync, path: string): number {
  const { user_version: version } = UserVersion.parse(database.prepare('PRAGMA user_version').get());
  if (version <= SCHEMA_VERSION) return version;
  throw new DagainError(
    'store_unsupported',
    `The SQLite file ${path} was written by a newer release (schema ${version}, this one knows up to ` +
      `${SCHEMA_VERSION}): run that release, or move the file away`,
  );
}

/** Runs `work` in one write transaction: it is durable when this returns, and undone when this throws. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/** Some errors, such as a full disk, have already ended the transaction; the first error is the one to tell. */
function rollBack(database: DatabaseSync): void {
  try {
    if (database.isTransaction) database.exec('ROLLBACK');
  } catch {
    // Without its transaction the connection is of no use; the next BEGIN says so.
  }
}
