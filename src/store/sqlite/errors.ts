import { z } from 'zod';
import { DagainError, type ErrorCode } from '../../core/errors.ts';

const SqliteError = z.object({ errcode: z.int() });
const SystemError = z.object({ code: z.string() });

const REPLACE = 'restore a backup or move the file away, with its -wal and -shm (its runs are lost)';

/** SQLite's primary result codes (https://sqlite.org/rescode.html), and what to do about each. */
const ADVICE: ReadonlyMap<number, readonly [code: ErrorCode, advice: string]> = new Map([
  [5, ['store_unavailable', 'is locked by another process: end the one that does not belong there']],
  [8, ['store_unavailable', 'cannot be written: make the file and its directory writable for this user']],
  [10, ['store_unavailable', 'cannot be read or written: look at the disk and at the limits of this process']],
  [11, ['store_corrupt', `is damaged: stop the service, ${REPLACE}`]],
  [13, ['store_unavailable', 'cannot grow, the disk is full: free some space']],
  [14, ['store_unavailable', 'cannot be opened: DAGAIN_DATA_DIR must be a directory that this user may write to']],
  [26, ['store_corrupt', `is not a database: ${REPLACE}`]],
]);

const SYSTEM_CODES: ReadonlyMap<string, number> = new Map([
  ['ENOSPC', 13],
  ['EDQUOT', 13],
  ['EROFS', 8],
  ['EACCES', 14],
  ['EPERM', 14],
  ['EEXIST', 14],
  ['ENOTDIR', 14],
  ['EISDIR', 14],
  ['ENOENT', 14],
  ['ENAMETOOLONG', 14],
]);

/** Says in words what `cause`, caught from SQLite or the file system, means for the file at `path`. */
export function sqliteError(path: string, cause: unknown): DagainError {
  if (cause instanceof DagainError) return cause;
  const [code, advice] = ADVICE.get(resultCodeOf(cause) ?? -1) ?? ['store_unavailable', 'does not serve'];
  const text = cause instanceof Error ? cause.message : String(cause);
  return new DagainError(code, `The SQLite file ${path} ${advice} (${text})`, { cause });
}

function resultCodeOf(cause: unknown): number | undefined {
  const sqlite = SqliteError.safeParse(cause);
  // The low byte of an extended result code is the primary one.
  if (sqlite.success) return sqlite.data.errcode & 0xff;
  const system = SystemError.safeParse(cause);
  return system.success ? SYSTEM_CODES.get(system.data.code) : undefined;
}
