import { z } from 'zod';

/** Longest id taken, in UTF-16 code units: Airflow's own columns hold 250 characters. */
export const MAX_ID_LENGTH = 250;

// Control characters, line and paragraph separators, and what could change a path.
const FORBIDDEN = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}/\\?#%]/u;

// Names that address something else than a run: path segments that URLs drop, what Airflow reads as "all" (only where
// it stands alone: its own pattern for run ids allows it), and Object.prototype's members.
const RESERVED = new Set(['.', '..', '~', '__proto__', 'constructor', 'prototype']);

/** Says why `id` cannot name a Dag, a run or a task, or returns null if it can. */
export function idProblem(id: string): string | null {
  if (id.length === 0) return 'must not be empty';
  if (id.length > MAX_ID_LENGTH) return `must have at most ${MAX_ID_LENGTH} characters, has ${id.length}`;
  if (RESERVED.has(id)) return `must not be the reserved name "${id}"`;
  if (!id.isWellFormed()) return 'must not hold a lone surrogate';
  const found = FORBIDDEN.exec(id);
  if (found !== null) return `must not hold the character ${describeCharacter(found[0])}`;
  if (id.trim() !== id) return 'must not begin or end with white space';
  return null;
}

function describeCharacter(character: string): string {
  const code = `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  return /\p{C}|\p{Z}/u.test(character) ? code : `"${character}" (${code})`;
}

/** A Dag's, run's or task's id as Airflow knows it: at most 250 characters, safe to put into a path. */
export const Id = z.string().superRefine((id, context) => {
  const problem = idProblem(id);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

/** Names one Dag run. */
export const RunKey = z.strictObject({ dagId: Id, dagRunId: Id });
export type RunKey = z.infer<typeof RunKey>;

/** One string for logs, hashing and alert keys; unambiguous, because ids never hold a slash. */
export function formatRunKey(key: RunKey): string {
  return `${key.dagId}/${key.dagRunId}`;
}
