import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const START_LIMIT_MS = 90_000;

export interface ProcessOptions {
  readonly port: number;
  /** How far the process's clock is ahead of ours. */
  readonly aheadMs: number;
  readonly logFile: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** The service as a process of its own. */
export interface ServiceProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Resolves when it takes requests. @throws Error when it ends before that */
  listening(): Promise<void>;
  /** Three minutes, by its clock. */
  passTime(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export function startProcess({ port, aheadMs, logFile, settings }: ProcessOptions): ServiceProcess {
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, [join(import.meta.dirname, 'service.ts')], {
    stdio: ['ignore', log, log],
    env: {
      PATH: process.env['PATH'],
      // Shared by all: compiling costs a fifth of a start.
      NODE_COMPILE_CACHE: join(tmpdir(), 'dagain-compile-cache'),
      CLOCK_AHEAD_MS: String(aheadMs),
      DAGAIN_PORT: String(port),
      ...settings,
    },
  });
  const url = `http://127.0.0.1:${port}`;
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;

  async function listening(): Promise<void> {
    const giveUpAtMs = Date.now() + START_LIMIT_MS;
    while (!(await isLive(url))) {
      if (hasEnded()) throw new Error(`the service has ended: see ${logFile}`);
      if (Date.now() > giveUpAtMs) throw new Error(`the service does not listen: see ${logFile}`);
      await pause(20);
    }
  }

  return {
    url,
    child,
    listening,
    passTime: () => void child.kill('SIGUSR2'),
    async kill() {
      if (hasEnded()) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function isLive(url: string): Promise<boolean> {
  return await fetch(`${url}/livez`).then(
    (answer) => answer.ok,
    () => false,
  );
}
