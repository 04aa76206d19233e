import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '../support/free-port.ts';

const run = promisify(execFile);
const VERSION = 'v2.5.0';
const MODULE = `github.com/Shopify/toxiproxy/v2/cmd/server@${VERSION}`;

/** A trouble of a connection (https://github.com/Shopify/toxiproxy#toxics); in both directions unless it says which. */
export interface Toxic {
  readonly type: 'latency' | 'bandwidth' | 'slow_close' | 'timeout' | 'reset_peer' | 'slicer' | 'limit_data';
  readonly stream?: 'upstream' | 'downstream';
  readonly attributes: Readonly<Record<string, number>>;
}

/** A way through toxiproxy. */
export interface ToxicLink {
  readonly port: number;
  poison(toxics: readonly Toxic[]): Promise<void>;
  /** Refuses connections, and breaks those that there are. */
  cut(): Promise<void>;
  /** No more toxics, and open again. */
  heal(): Promise<void>;
  /** Leads somewhere else from now on, as an address does after a failover. */
  leadTo(port: number): Promise<void>;
  close(): Promise<void>;
}

export interface Toxiproxy {
  open(upstreamPort: number): Promise<ToxicLink>;
  stop(): Promise<void>;
}

export async function startToxiproxy(): Promise<Toxiproxy> {
  const binary = await install();
  const port = await freePort();
  const child = spawn(binary, ['-host', '127.0.0.1', '-port', String(port)], { stdio: 'ignore' });
  const api = `http://127.0.0.1:${port}`;
  await answering(api, child);
  let opened = 0;
  return {
    async open(upstreamPort) {
      opened += 1;
      return await openProxy(api, `proxy-${opened}`, upstreamPort);
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function openProxy(api: string, name: string, upstreamPort: number): Promise<ToxicLink> {
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  await call('POST', `${api}/proxies`, { name, listen, upstream: `127.0.0.1:${upstreamPort}`, enabled: true });
  const change = (fields: object) => call('POST', `${api}/proxies/${name}`, fields);
  const names: string[] = [];
  return {
    port,
    async poison(toxics) {
      for (const { type, stream, attributes } of toxics) {
        for (const one of stream === undefined ? ['upstream', 'downstream'] : [stream]) {
          const toxic = `${type}_${one}`;
          await call('POST', `${api}/proxies/${name}/toxics`, { name: toxic, type, stream: one, attributes });
          names.push(toxic);
        }
      }
    },
    cut: () => change({ enabled: false }),
    async heal() {
      for (const toxic of names.splice(0)) await call('DELETE', `${api}/proxies/${name}/toxics/${toxic}`);
      await change({ enabled: true });
    },
    leadTo: (to) => change({ upstream: `127.0.0.1:${to}` }),
    close: () => call('DELETE', `${api}/proxies/${name}`),
  };
}

async function call(method: string, url: string, body?: object): Promise<void> {
  const answer = await fetch(url, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`toxiproxy answered ${method} ${url} with ${answer.status}: ${await answer.text()}`);
  await answer.arrayBuffer();
}

async function answering(api: string, child: ChildProcess): Promise<void> {
  const giveUpAtMs = Date.now() + 10_000;
  while (
    !(await fetch(`${api}/version`).then(
      (answer) => answer.ok,
      () => false,
    ))
  ) {
    if (child.exitCode !== null || Date.now() > giveUpAtMs) throw new Error('toxiproxy did not start');
    await pause(20);
  }
}

/**
 * Builds it once and keeps it under `DAGAIN_E2E_CACHE`, else under the user's cache folder.
 * @throws Error with one line that says what is missing
 */
async function install(): Promise<string> {
  const { DAGAIN_E2E_CACHE: own, XDG_CACHE_HOME: cache } = process.env;
  const folder = own ?? join(cache ?? join(homedir(), '.cache'), 'dagain-e2e');
  const binary = join(folder, `toxiproxy-${VERSION}`);
  if (existsSync(binary)) return binary;
  const built = join(folder, `toxiproxy-build-${process.pid}`);
  await mkdir(built, { recursive: true });
  await run('go', ['install', MODULE], { env: { ...process.env, GOBIN: built } }).catch((cause: unknown) => {
    throw new Error(`These tests need toxiproxy, and "go install ${MODULE}" failed: install Go 1.18 or later`, {
      cause,
    });
  });
  await rename(join(built, 'server'), binary);
  return binary;
}
