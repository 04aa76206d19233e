import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Component {
  readonly name: string;
  readonly logFile: string;
  exited(): boolean;
  /** Asks it to end; whatever is left after 8 s is killed. */
  stop(): Promise<void>;
  /** SIGKILL to all its processes, as when the machine dies. */
  kill(): Promise<void>;
  /** The end of its log, for messages. */
  lastLines(count: number): Promise<string>;
}

export interface ComponentOptions {
  name: string;
  command: string;
  args: readonly string[];
  env: Record<string, string | undefined>;
  logFile: string;
}

/** Starts one process of Airflow under the guard, so that it cannot outlive this process. */
export function startComponent({ name, command, args, env, logFile }: ComponentOptions): Component {
  const guard = spawn(process.execPath, [join(import.meta.dirname, 'guard.ts'), logFile, command, ...args], {
    env,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = once(guard, 'exit');
  let exited = false;
  void ended.then(() => {
    exited = true;
  });
  // A guard that has just ended by itself closes its pipe.
  guard.stdin.on('error', () => undefined);
  // A test that forgets to stop must still be able to end; the guard then ends too.
  guard.unref();

  async function tell(order: 'term' | 'kill'): Promise<void> {
    if (exited) return;
    guard.ref();
    guard.stdin.end(`${order}\n`);
    await ended;
  }

  return {
    name,
    logFile,
    exited: () => exited,
    stop: () => tell('term'),
    kill: () => tell('kill'),
    async lastLines(count) {
      const log = await readFile(logFile, 'utf8').catch(() => '');
      return log.trimEnd().split('\n').slice(-count).join('\n');
    },
  };
}
