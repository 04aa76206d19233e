import { EXIT_CODES } from '../../src/cli/command.ts';
import { synopsisOf } from '../../src/cli/tree/spec.ts';
import { COMMANDS } from '../cli/commands.ts';

/** Every command, and what it means how one ends. */
export function commandsTable(): string {
  const commands = COMMANDS.map((command) => `| \`${synopsisOf(command)}\` | ${command.summary} |`);
  const codes = Object.entries(EXIT_CODES).map(([code, meaning]) => `| ${code} | ${meaning} |`);
  return ['| command | does |', '|---|---|', ...commands, '', '| ends with | meaning |', '|---|---|', ...codes].join(
    '\n',
  );
}
