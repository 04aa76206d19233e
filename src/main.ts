#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { explainPolicy, serve, VERSION } from './app.ts';
import type { ExitCode, Terminal } from './cli/command.ts';
import { checkPolicy, printPolicySchema } from './cli/policy.ts';
import { usage } from './cli/usage.ts';
import { DagainError } from './core/errors.ts';

const terminal: Terminal = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  variables: process.env,
};

async function main(argv: readonly string[]): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { help: { type: 'boolean', short: 'h' }, output: { type: 'string', short: 'o', default: 'text' } },
  });
  const [command, ...rest] = positionals;
  if (values.help === true || command === 'help') return print(usage());
  if (values.output !== 'text' && values.output !== 'json') return misuse('--output must be text or json');
  const asJson = values.output === 'json';
  switch (command) {
    case 'serve':
      return rest.length === 0 ? await serve(terminal) : misuse('serve takes no arguments');
    case 'version':
      return print(`${VERSION}\n`);
    case 'policy':
      return await policy(rest, asJson);
    case undefined:
      return misuse('a command is missing');
    default:
      return misuse(`there is no command "${command}"`);
  }
}

async function policy([action, argument, ...rest]: readonly string[], asJson: boolean): Promise<ExitCode> {
  if (action === 'schema' && argument === undefined) return printPolicySchema(terminal);
  if (argument === undefined || rest.length > 0) return misuse('policy takes: check <file>, explain <dag_id>, or schema');
  if (action === 'check') return checkPolicy(argument, terminal);
  if (action === 'explain') return await explainPolicy(argument, asJson, terminal);
  return misuse(`there is no command "policy ${action}"`);
}

function print(text: string): ExitCode {
  terminal.out(text);
  return 0;
}

function misuse(problem: string): ExitCode {
  terminal.err(`dagain: ${problem}\nSee "dagain --help".\n`);
  return 2;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  const isSettings = error instanceof DagainError && error.code === 'configuration_invalid';
  if (!isUsage && !(error instanceof DagainError)) throw error;
  terminal.err(`dagain: ${(error as Error).message}\n${isUsage ? 'See "dagain --help".\n' : ''}`);
  process.exitCode = isUsage || isSettings ? 2 : 1;
}
