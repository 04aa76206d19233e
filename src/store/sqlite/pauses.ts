import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { Pause } from '../../core/pause.ts';
import { decodePause } from '../stored-pause.ts';
import type { EncodedEntry, JournalTable } from './journal.ts';

const Rows = z.array(z.object({ scope: z.string(), pause: z.string() }));

/** The pauses' part of the file. Nothing here opens a transaction. */
export interface PauseTable {
  all(): readonly Pause[];
  /** Null removes the pause; false: there was nothing to change. */
  set(scope: string, text: string | null, entry: EncodedEntry): boolean;
}

export function openPauses(database: DatabaseSync, journal: JournalTable): PauseTable {
  const all = database.prepare('SELECT scope, pause FROM pauses ORDER BY scope');
  const insert = database.prepare('INSERT INTO pauses (scope, pause) VALUES (?, ?) ON CONFLICT DO NOTHING');
  const remove = database.prepare('DELETE FROM pauses WHERE scope = ?');
  return {
    all: () => Rows.parse(all.all()).map(({ scope, pause }) => decodePause(scope, pause)),
    set(scope, text, entry) {
      const { changes } = text === null ? remove.run(scope) : insert.run(scope, text);
      if (Number(changes) === 0) return false;
      journal.append([entry]);
      return true;
    },
  };
}
