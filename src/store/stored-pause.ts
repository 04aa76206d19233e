import { prettifyError } from 'zod';
import { DagainError } from '../core/errors.ts';
import { Pause } from '../core/pause.ts';

/** The text under which the pause of `scope` is stored. Throws on one that could not be read again: a bug of the caller. */
export function encodePause(scope: string, pause: Pause): string {
  const { success, error } = Pause.safeParse(pause);
  if (!success) throw new TypeError(`Will not store what cannot be read again: ${prettifyError(error)}`);
  if (pause.scope !== scope) throw new TypeError(`Will not store the pause of ${pause.scope} as that of ${scope}`);
  return JSON.stringify(pause);
}

/**
 * Reads stored text as the pause of `scope`.
 * @throws DagainError `store_corrupt`: what cannot be read must not pass for "not paused"
 */
export function decodePause(scope: string, text: string): Pause {
  const parsed = Pause.safeParse(parseJson(text));
  if (parsed.success && parsed.data.scope === scope) return parsed.data;
  const why = parsed.success ? `it is that of ${JSON.stringify(parsed.data.scope)}` : prettifyError(parsed.error);
  const what = `The stored pause of ${JSON.stringify(scope)} is not readable, resume it to remove it: ${why}`;
  throw new DagainError('store_corrupt', what);
}

/** Text that is not JSON becomes undefined, which is no pause either. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
