#!/usr/bin/env node
import { constants, userInfo } from 'node:os';
import { testAlerts } from './cli/alerts.ts';
import { CommandError, type Context, type ExitCode, helpHint } from './cli/command.ts';
import { commandTree, type LocalCommands } from './cli/commands.ts';
import { runDoctor } from './cli/doctor.ts';
import { doctorChecks } from './cli/doctor-checks.ts';
import { printResolvedPolicy } from './cli/policy.ts';
import { printable } from './cli/print/text.ts';
import { createScreen } from './cli/screen.ts';
import { helpText } from './cli/tree/help.ts';
import { parseLine } from './cli/tree/parse.ts';
import { readEnvironment } from './config/environment.ts';
import { secretsOf } from './config/secrets.ts';
import { DagainError } from './core/errors.ts';
import { VERSION } from './version.ts';

// The service itself is loaded where it is needed: the other commands answer three times as fast without it.

/** Kubernetes kills after thirty seconds. */
const STOP_LIMIT_MS = 25_000;

const context: Context = {
  screen: createScreen(process, process.env),
  variables: process.env,
  nowMs: Date.now,
  loginName() {
    try {
      return userInfo().username || null;
    } catch {
      // A container may run under a number that has no name.
      return null;
    }
  },
};

const local: LocalCommands = {
  serve,
  doctor,
  explainPolicy,
  async testAlerts(wanted, { screen, nowMs }) {
    const environment = readEnvironment(process.env);
    const { createChannels, linksFrom } = await import('./app/channels.ts');
    const channels = createChannels(environment, nowMs);
    const runbookUrl = linksFrom(environment).runbookOf('max_retries_reached');
    return await testAlerts({ channels, wanted, runbookUrl, nowMs: nowMs(), terminal: screen });
  },
};

async function main(argv: readonly string[]): Promise<ExitCode> {
  const { screen } = context;
  const commands = commandTree(local);
  const asked = parseLine(commands, argv);
  switch (asked.type) {
    case 'help':
      screen.out(helpText(commands, asked.words));
      return 0;
    case 'version':
      screen.out(`${VERSION}\n`);
      return 0;
    case 'misuse':
      screen.err(`dagain: ${asked.problem}\n${helpHint(asked.words)}\n`);
      return 2;
    case 'run':
      return await asked.run(context);
  }
}

/** Checks everything that a service with these settings would need. */
async function doctor(asJson: boolean, { screen }: Context): Promise<ExitCode> {
  const environment = readEnvironment(process.env);
  const { createLog, REAL_CLOCK } = await import('./app.ts');
  const { createSurroundings } = await import('./app/doctor.ts');
  const surroundings = createSurroundings(environment, REAL_CLOCK, createLog('silent'));
  const checks = doctorChecks(environment, surroundings, REAL_CLOCK.nowMs);
  try {
    return await runDoctor({ checks, asJson, terminal: screen });
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
async function explainPolicy(dagId: string, asJson: boolean, { screen }: Context): Promise<ExitCode> {
  const environment = readEnvironment(process.env);
  const { createLog, REAL_CLOCK } = await import('./app.ts');
  const { createChannels } = await import('./app/channels.ts');
  const { createOrchestrator, createPolicySource } = await import('./app/parts.ts');
  const log = createLog('silent');
  const orchestrator = createOrchestrator(environment, REAL_CLOCK, log);
  const channels = createChannels(environment, REAL_CLOCK.nowMs);
  const policies = createPolicySource({ environment, orchestrator, channels, clock: REAL_CLOCK, log });
  try {
    return printResolvedPolicy(dagId, await policies.source.explain(dagId), asJson, screen);
  } finally {
    policies.close();
    await orchestrator.close();
  }
}

/** What ended a command, told to a person. */
function report(error: DagainError | CommandError): ExitCode {
  const { err } = context.screen;
  // Several problems are several lines.
  for (const line of error.message.split('\n')) err(`dagain: ${printable(line)}\n`);
  if (error instanceof CommandError) {
    if (error.remedy !== null) err(`${error.remedy}\n`);
    return error.exitCode;
  }
  return error.code === 'configuration_invalid' ? 2 : 1;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  // Whoever read has seen enough, as `head` has.
  process.exit();
});

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof DagainError || error instanceof CommandError)) throw error;
  process.exitCode = report(error);
}
