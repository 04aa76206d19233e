import { z } from 'zod';
import type { Pause } from '../core/pause.ts';
import { isoTime } from './iso-time.ts';

/** A person has stopped the retries of a Dag, or (`*`) of everything. */
export const PauseView = z.object({
  scope: z.string().describe('A Dag id, or `*` for everything.'),
  actor: z.string(),
  comment: z.string(),
  at: z.iso.datetime().nullable(),
});
export type PauseView = z.infer<typeof PauseView>;

export function toPauseView({ scope, actor, comment, atMs }: Pause): PauseView {
  return { scope, actor, comment, at: isoTime(atMs) };
}
