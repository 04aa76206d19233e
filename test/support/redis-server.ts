import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { installMissing, isInstalled } from './packages.ts';

const START_TIMEOUT_MS = 10_000;

export interface RedisServerOptions {
  /** Loopback port; a free one when absent. */
  readonly port?: number;
  /** Keep an append-only file, so that `restart` finds the data again. */
  readonly appendonly?: boolean;
  /** Data directory; a temporary one, removed by `stop`, when absent. */
  readonly dir?: string;
  /** More arguments of redis-server. */
  readonly args?: readonly string[];
}

/** A real redis-server on the loopback interface. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Where its files are. */
  readonly dir: string;
  /** Ends the server and removes its temporary directory. */
  stop(): Promise<void>;
  /** SIGKILL: what was not written to disk is lost. */
  kill(): Promise<void>;
  /** SIGSTOP: keeps its connections, answers nothing. */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** Starts it again on the same port and data, after `kill` or in place of what runs. */
  restart(): Promise<void>;
}

/** Starts a redis-server for one test and waits until it answers. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const binary = redisBinary();
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'dagain-redis-'));
  const port = options.port ?? (await freePort());
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', ''];
  args.push('--appendonly', options.appendonly ? 'yes' : 'no', '--daemonize', 'no', ...(options.args ?? []));
  let running = await run(binary, args, port);
  const kill = () => end(running, 'SIGKILL');
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
    kill,
    freeze: () => void running.server.kill('SIGSTOP'),
    thaw: () => void running.server.kill('SIGCONT'),
    async restart() {
      await kill();
      running = await run(binary, args, port);
    },
    async stop() {
      await kill();
      if (options.dir === undefined) rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Starts the one server that the test files of a run share, unless `REDIS_URL` names one. */
export async function startSharedRedis(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const url = process.env['REDIS_URL'];
  if (url !== undefined && url !== '') return { url, stop: async () => undefined };
  return await startRedis();
}

interface Running {
  readonly server: ChildProcess;
  readonly watchdog: ChildProcess;
}

async function run(binary: string, args: readonly string[], port: number): Promise<Running> {
  const server = spawn(binary, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  server.stdout?.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-2_000);
  });
  // Ends the server when this process dies without having stopped it: its input then ends.
  const watchdog = spawn('sh', ['-c', 'cat > /dev/null; kill -9 "$1" 2> /dev/null', 'sh', String(server.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const running = { server, watchdog };
  const giveUpAtMs = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(port))) {
    if (server.exitCode !== null || server.signalCode !== null || Date.now() > giveUpAtMs) {
      await end(running, 'SIGKILL');
      throw new Error(`redis-server did not start on port ${port}: ${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return running;
}

async function end({ server, watchdog }: Running, signal: NodeJS.Signals): Promise<void> {
  for (const child of [watchdog, server]) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}

/** Whether the server answers a PING with PONG: it listens and has loaded its data. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    socket.write('PING\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return /^(\+PONG|-NOAUTH)/.test(answer.toString());
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function redisBinary(): string {
  installMissing(['redis-server']);
  if (isInstalled('redis-server')) return 'redis-server';
  throw new Error('These tests need redis-server (6 or later): install it so that it is on the PATH');
}
