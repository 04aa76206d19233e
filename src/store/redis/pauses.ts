import { z } from 'zod';
import type { JournalEntry } from '../../core/journal.ts';
import type { Pause } from '../../core/pause.ts';
import { encodeEntry } from '../stored-entry.ts';
import { decodePause, encodePause } from '../stored-pause.ts';
import { compareMembers, type PauseKeys } from './layout.ts';
import { runScript, SET_PAUSE, type Send } from './scripts.ts';

const Pairs = z.array(z.string());
const Changed = z.union([z.literal(0), z.literal(1)]);

export async function readPauses(send: Send, { pauses }: PauseKeys): Promise<readonly Pause[]> {
  const stored = Pairs.parse(await send(['HGETALL', pauses]));
  const found = stored.flatMap((scope, at) => (at % 2 === 0 ? [decodePause(scope, stored[at + 1] ?? '')] : []));
  return found.sort((a, b) => compareMembers(a.scope, b.scope));
}

export async function setPause(
  send: Send,
  { pauses, journal }: PauseKeys,
  scope: string,
  pause: Pause | null,
  entry: JournalEntry,
): Promise<boolean> {
  const text = pause === null ? '' : encodePause(scope, pause);
  return Changed.parse(await runScript(send, SET_PAUSE, [pauses, journal], [scope, text, encodeEntry(entry)])) === 1;
}
