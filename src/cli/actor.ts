import { CommandError, type Context } from './command.ts';
import type { actorOptions } from './parameters.ts';
import type { Values } from './tree/spec.ts';

/** Who acts and why, as the service wants it. @throws CommandError where nobody knows who */
export function actorOf(
  { actor, comment }: Values<typeof actorOptions>,
  { variables, loginName }: Context,
): { actor: string; comment: string } {
  const name = actor ?? (variables['DAGAIN_ACTOR']?.trim() || loginName());
  if (name === null) throw new CommandError(2, 'nobody is logged in here: say who acts by --actor or DAGAIN_ACTOR');
  return { actor: name, comment: comment ?? '' };
}
