import { commandTree } from '../../src/cli/commands.ts';
import type { Command } from '../../src/cli/tree/spec.ts';

const never = () => Promise.reject(new Error('only described here'));

/** The tree of commands, to be read and not run. */
export const COMMANDS: readonly Command[] = commandTree({
  serve: never,
  explainPolicy: never,
  testAlerts: never,
  doctor: never,
});
