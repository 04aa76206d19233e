import { z } from 'zod';
import { TimeMs } from './record-parts.ts';

/** The scope of a pause that holds for every Dag. */
export const EVERYTHING = '*';

/** A person has stopped the retries of a whole Dag, or of everything: no clear is sent until somebody resumes them. */
export const Pause = z.strictObject({
  /** A Dag id, or `*` for everything. */
  scope: z.string(),
  actor: z.string(),
  comment: z.string(),
  atMs: TimeMs,
});
export type Pause = z.infer<typeof Pause>;

/** The pause that holds for a Dag, the one of everything first, or null. */
export function pauseOf(dagId: string, pauses: readonly Pause[]): Pause | null {
  const holding = pauses.filter(({ scope }) => scope === EVERYTHING || scope === dagId);
  return holding.find(({ scope }) => scope === EVERYTHING) ?? holding[0] ?? null;
}
