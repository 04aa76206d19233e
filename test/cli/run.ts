import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ROOT } from '../docs/generated.ts';

const MAIN = join(ROOT, 'src/main.ts');

/** How a process ended, and what it had written. */
export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export type Settings = Readonly<Record<string, string>>;

/** Runs the command line as a process of its own, with these settings and none of ours. */
export async function dagain(args: readonly string[], settings: Settings = {}): Promise<Ran> {
  return await launch(args, settings).ended;
}

interface Launched {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  readonly written: { out: string; err: string };
}

function launch(args: readonly string[], settings: Settings): Launched {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const written = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    written.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    written.err += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...written }));
  return { child, ended, written };
}

const LogLine = z.looseObject({ level: z.string(), time: z.string(), service: z.literal('dagain'), msg: z.string() });
export type LogLine = z.infer<typeof LogLine>;

/** `dagain serve` as a process of its own. */
export interface Service {
  readonly url: string;
  /** What it has logged so far. */
  lines(): LogLine[];
  /** Resolves with the first line that matches, logged before or after the call. */
  logged(matches: (line: LogLine) => boolean): Promise<LogLine>;
  send(signal: NodeJS.Signals): void;
  /** Nobody reads its output any more. */
  stopReading(): void;
  /** Resolves when the process has ended. */
  readonly ended: Promise<Ran>;
  /** Ends it if it still runs, and removes its data. */
  dispose(): Promise<void>;
}

/** Starts the service on a free port with a store of its own, and waits until it says where it listens. */
export async function startService(settings: Settings): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'dagain-serve-'));
  const { child, ended, written } = launch(['serve'], { DAGAIN_PORT: '0', DAGAIN_DATA_DIR: folder, ...settings });
  const lines = () => {
    const whole = written.out.slice(0, written.out.lastIndexOf('\n') + 1);
    return whole
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => LogLine.parse(JSON.parse(line)));
  };
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;

  async function logged(matches: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = lines().find(matches);
      if (found !== undefined) return found;
      if (hasEnded()) throw new Error(`the service has ended: ${written.out}${written.err}`);
      await Promise.race([once(child.stdout ?? child, 'data'), ended]);
    }
  }

  async function dispose(): Promise<void> {
    if (!hasEnded()) child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }

  try {
    const { url } = await logged(({ msg }) => msg.startsWith('listening on '));
    const send = (signal: NodeJS.Signals) => void child.kill(signal);
    const stopReading = () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    return { url: z.string().parse(url), lines, logged, send, stopReading, ended, dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
