#!/usr/bin/env node
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import { testAlerts } from './cli/alerts.ts';
import type { ExitCode, Terminal } from './cli/command.ts';
import { runDoctor } from './cli/doctor.ts';
import { doctorChecks } from './cli/doctor-checks.ts';
import { checkPolicy, printPolicySchema, printResolvedPolicy } from './cli/policy.ts';
import { policyReference } from './cli/policy-reference.ts';
import { usage } from './cli/usage.ts';
import { readEnvironment } from './config/environment.ts';
import { secretsOf } from './config/secrets.ts';
import { DagainError } from './core/errors.ts';
import { idProblem } from './core/run-key.ts';
import { VERSION } from './version.ts';

// The service itself is loaded where it is needed: the other commands answer three times as fast without it.

/** Kubernetes kills after thirty seconds. */
const STOP_LIMIT_MS = 25_000;

const terminal: Terminal = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
};

async function main(argv: readonly string[]): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
      output: { type: 'string', short: 'o', default: 'text' },
    },
  });
  const [command, ...rest] = positionals;
  if (values.help === true || command === 'help') return print(usage());
  if (values.version === true || command === 'version') return print(`${VERSION}\n`);
  if (values.output !== 'text' && values.output !== 'json') return misuse('--output must be text or json');
  const asJson = values.output === 'json';
  switch (command) {
    case 'serve':
      return rest.length === 0 ? await serve() : misuse('serve takes no arguments');
    case 'policy':
      return await policy(rest, asJson);
    case 'alerts':
      return await alerts(rest);
    case 'doctor':
      return rest.length === 0 ? await doctor(asJson) : misuse('doctor takes no arguments');
    case undefined:
      return misuse('a command is missing');
    default:
      return misuse(`there is no command "${command}"`);
  }
}

async function policy([action, ...rest]: readonly string[], asJson: boolean): Promise<ExitCode> {
  const [argument] = rest;
  switch (action) {
    case 'check':
      if (argument === undefined || rest.length > 1) return misuse('policy check takes one file');
      return checkPolicy(argument, terminal);
    case 'explain':
      if (argument === undefined || rest.length > 1) return misuse('policy explain takes one Dag id');
      return await explainPolicy(argument, asJson);
    case 'schema':
      return rest.length === 0 ? printPolicySchema(terminal) : misuse('policy schema takes no arguments');
    case 'reference':
      return rest.length === 0 ? print(policyReference()) : misuse('policy reference takes no arguments');
    case undefined:
      return misuse('policy takes: check <file>, explain <dag_id>, schema, or reference');
    default:
      return misuse(`there is no command "policy ${action}"`);
  }
}

async function alerts([action, ...rest]: readonly string[]): Promise<ExitCode> {
  if (action !== 'test' || rest.length > 1) return misuse('alerts takes: test [channel]');
  const environment = readEnvironment(process.env);
  const { createChannels, linksFrom } = await import('./app/channels.ts');
  const channels = createChannels(environment, Date.now);
  const { runbookUrl } = linksFrom(environment);
  return await testAlerts({ channels, wanted: rest[0] ?? null, runbookUrl, nowMs: Date.now(), terminal });
}

/** Checks everything that a service with these settings would need. */
async function doctor(asJson: boolean): Promise<ExitCode> {
  const environment = readEnvironment(process.env);
  const { createLog, REAL_CLOCK } = await import('./app.ts');
  const { createSurroundings } = await import('./app/doctor.ts');
  const surroundings = createSurroundings(environment, REAL_CLOCK, createLog('silent'));
  const checks = doctorChecks(environment, surroundings, REAL_CLOCK.nowMs);
  try {
    return await runDoctor({ checks, asJson, terminal });
  } finally {
    await surroundings.close();
  }
}

/** Serves until it is told to stop; a second signal ends it at once. */
async function serve(): Promise<ExitCode> {
  const environment = readEnvironment(process.env);
  const { createApp, createLog } = await import('./app.ts');
  const log = createLog(environment.DAGAIN_LOG_LEVEL, { secrets: secretsOf(environment) });
  const signalled = nextStopSignal();
  const app = await createApp({ environment, log });
  process.on('SIGHUP', () => app.reloadPolicy());
  await app.start();
  const signal = await signalled;
  log.info({ signal }, 'stopping: finishing what is in flight');
  const deadline = setTimeout(() => {
    log.warn({}, 'stopped without waiting any longer: what is in flight is taken up again after its lease');
    process.exit(0);
  }, STOP_LIMIT_MS);
  await app.stop();
  clearTimeout(deadline);
  log.info({}, 'stopped');
  return 0;
}

/** Resolves with the first signal to stop; the next one, of whichever kind, ends the process. */
function nextStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (isStopping) process.exit(128 + constants.signals[signal]);
        isStopping = true;
        resolve(signal);
      });
    }
  });
}

/** What a service with these settings would do with runs of the Dag. */
async function explainPolicy(dagId: string, asJson: boolean): Promise<ExitCode> {
  const problem = idProblem(dagId);
  if (problem !== null) return misuse(`the Dag id ${problem}`);
  const environment = readEnvironment(process.env);
  const { createLog, REAL_CLOCK } = await import('./app.ts');
  const { createChannels } = await import('./app/channels.ts');
  const { createOrchestrator, createPolicySource } = await import('./app/parts.ts');
  const log = createLog('silent');
  const orchestrator = createOrchestrator(environment, REAL_CLOCK, log);
  const channels = createChannels(environment, REAL_CLOCK.nowMs);
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
  // Several problems are several lines.
  for (const line of error.message.split('\n')) terminal.err(`dagain: ${line}\n`);
  if (isUsage) terminal.err('See "dagain --help".\n');
  process.exitCode = isUsage || isSettings ? 2 : 1;
}
