#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { createChannels, createOrchestrator, createPolicySource } from './app/parts.ts';
import { createApp, createLog, REAL_CLOCK } from './app.ts';
import type { ExitCode, Terminal } from './cli/command.ts';
import { checkPolicy, printPolicySchema, printResolvedPolicy } from './cli/policy.ts';
import { policyReference } from './cli/policy-reference.ts';
import { usage } from './cli/usage.ts';
import { readEnvironment } from './config/environment.ts';
import { DagainError } from './core/errors.ts';
import { VERSION } from './version.ts';

const terminal: Terminal = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
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
      return rest.length === 0 ? await serve() : misuse('serve takes no arguments');
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
  if (action === 'reference' && argument === undefined) return print(policyReference());
  if (argument === undefined || rest.length > 0)
    return misuse('policy takes: check <file>, explain <dag_id>, schema, or reference');
  if (action === 'check') return checkPolicy(argument, terminal);
  if (action === 'explain') return await explainPolicy(argument, asJson);
  return misuse(`there is no command "policy ${action}"`);
}

/** Serves until it is told to stop; a second signal ends it at once. */
async function serve(): Promise<ExitCode> {
  const environment = readEnvironment(process.env);
  const log = createLog(environment.DAGAIN_LOG_LEVEL);
  const app = await createApp({ environment, log });
  process.on('SIGHUP', () => app.reloadPolicy());
  const signalled = new Promise<string>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
  await app.start();
  const signal = await signalled;
  log.info({ signal }, 'stopping: finishing what is in flight');
  await app.stop();
  log.info({}, 'stopped');
  return 0;
}

/** What a service with these settings would do with runs of the Dag. */
async function explainPolicy(dagId: string, asJson: boolean): Promise<ExitCode> {
  const environment = readEnvironment(process.env);
  const log = createLog('silent');
  const orchestrator = createOrchestrator(environment, REAL_CLOCK, log);
  const channels = createChannels(environment, REAL_CLOCK);
  const policies = createPolicySource({ environment, orchestrator, channels, clock: REAL_CLOCK, log });
  try {
    return printResolvedPolicy(dagId, await policies.source.explain(dagId), asJson, terminal);
  } finally {
    policies.close();
    await orchestrator.close();
  }
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
