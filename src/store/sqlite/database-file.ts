import { rmSync, statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { DagainError } from '../../core/errors.ts';
import { databasePath, inTransaction, openDatabase } from './database.ts';
import { type JournalTable, openJournal } from './journal.ts';
import { openPauses, type PauseTable } from './pauses.ts';
import { prepareStatements, type Statements } from './statements.ts';

/** What is prepared on the file as it is open now. */
export interface Tables {
  readonly statements: Statements;
  readonly journal: JournalTable;
  readonly pauses: PauseTable;
}

/**
 * The file that the path leads to. Where somebody deletes or replaces it, SQLite goes on in the one that it has open,
 * which has no name any more and is gone with the process. Here the next write opens what the path leads to now, or a
 * new file; that this one knows less is for others to notice, as with any store that was emptied or set back.
 */
export interface DatabaseFile {
  /** For reading, or within a transaction. @throws `store_unavailable` once closed, or what opening throws */
  tables(): Tables;
  /** Runs `work` in one write transaction: durable, under the file's name, when this returns; undone when this throws. */
  transaction<T>(work: () => T): T;
  close(): void;
}

interface Open extends Tables {
  readonly database: DatabaseSync;
  readonly identity: string;
  readonly logIdentity: string;
}

export function openDatabaseFile(directory: string): DatabaseFile {
  const path = databasePath(directory);
  let current = open(directory);
  let isClosed = false;

  const isMoved = () => identityOf(path) !== current.identity;

  function tables(): Open {
    if (isClosed) throw new DagainError('store_unavailable', 'The SQLite store is closed');
    // It may not have been possible to open it anew.
    if (!current.database.isOpen) current = open(directory);
    return current;
  }

  /** What lies beside the path and belongs to the file that is gone would be taken for the new one's. */
  function leave(): void {
    // Another process may have put its own there already.
    const isLeftBehind = identityOf(logOf(path)) === current.logIdentity;
    current.database.close();
    if (!isLeftBehind) return;
    for (const file of [logOf(path), `${path}-shm`]) rmSync(file, { force: true });
  }

  return {
    tables,
    transaction(work) {
      tables();
      if (isMoved()) leave();
      const result = inTransaction(tables().database, work);
      if (!isMoved()) return result;
      throw new DagainError(
        'store_unavailable',
        `The SQLite file ${path} was deleted or replaced while it was written to`,
      );
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      if (current.database.isOpen) closeDatabase(current.database);
    },
  };
}

const logOf = (path: string) => `${path}-wal`;

function open(directory: string): Open {
  const path = databasePath(directory);
  const database = openDatabase(directory);
  const journal = openJournal(database);
  return {
    database,
    identity: identityOf(path),
    logIdentity: identityOf(logOf(path)),
    statements: prepareStatements(database),
    journal,
    pauses: openPauses(database, journal),
  };
}

/** Which file it is, whatever its name: no other has these numbers while this one is open. */
function identityOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? 'missing' : `${found.dev}:${found.ino}`;
}

/** Moves the log into the file, which saves the next start the work; a failure there loses nothing. */
function closeDatabase(database: DatabaseSync): void {
  try {
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // The log stays beside the file and is read at the next start.
  }
  database.close();
}
