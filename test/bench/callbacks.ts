import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';
import { startRedis } from '../support/redis-server.ts';
import { closedLoop, type LoadResult, openLoop } from './load.ts';

/**
 * The callback path beside a bare Express handler with one Lua call, on the same Redis, in turn, in one run: only the
 * ratio means anything. Airflow takes connections and never answers, so that the worker does nothing meanwhile.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '50' },
    rate: { type: 'string', default: '1000' },
  },
});
const rounds = Number(values.rounds);
const durationMs = Number(values.seconds) * 1_000;
const connections = Number(values.connections);
const rate = Number(values.rate);

const redis = await startRedis();
const silent = createServer(() => {}).listen(0, '127.0.0.1');
await once(silent, 'listening');
const silentPort = (silent.address() as { port: number }).port;
const children: ChildProcess[] = [];

interface Server {
  readonly url: string;
  readonly pid: number;
}

async function start(command: string[], env: Record<string, string>, portIn: RegExp): Promise<Server> {
  const child = spawn(process.execPath, command, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], ...env },
  });
  children.push(child);
  let output = '';
  for await (const chunk of child.stdout) {
    output += chunk;
    const port = portIn.exec(output)?.[1];
    if (port === undefined) continue;
    child.stdout.resume();
    return { url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0 };
  }
  throw new Error(`${command.join(' ')} ended before it listened: ${output}`);
}

interface Measured extends LoadResult {
  /** What the server's process used, in milliseconds of CPU for a thousand requests: other load hardly moves it. */
  readonly cpuMsPerThousand: number;
}

interface Row {
  readonly bare: Measured;
  readonly dagain: Measured;
}

async function measure(server: Server, load: (url: string) => Promise<LoadResult>): Promise<Measured> {
  const beforeMs = cpuMsOf(server.pid);
  const result = await load(server.url);
  return { ...result, cpuMsPerThousand: (1_000 * (cpuMsOf(server.pid) - beforeMs)) / result.requests };
}

try {
  const bare = await start([`${import.meta.dirname}/bare-handler.ts`, redis.url], {}, /^(\d+)\n/);
  const dagain = await start(
    [`${import.meta.dirname}/../../src/main.ts`, 'serve'],
    {
      DAGAIN_PORT: '0',
      DAGAIN_REDIS_URL: redis.url,
      DAGAIN_AIRFLOW_URL: `http://127.0.0.1:${silentPort}`,
    },
    /listening on http:\/\/127\.0\.0\.1:(\d+)/,
  );
  const stealBefore = readSteal();
  await closedLoop(bare.url, connections, 3_000, 'warm');
  await closedLoop(dagain.url, connections, 3_000, 'warm');
  const rows: Row[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const row = {
      bare: await measure(bare, (url) => closedLoop(url, connections, durationMs, `c${round}`)),
      dagain: await measure(dagain, (url) => closedLoop(url, connections, durationMs, `c${round}`)),
    };
    rows.push(row);
    print(
      `round ${round + 1}: bare ${describe(row.bare)}; dagain ${describe(row.dagain)}; ratio ${ratio(row).toFixed(2)}`,
    );
  }
  const open = {
    bare: await measure(bare, (url) => openLoop(url, rate, durationMs * 2, 'open')),
    dagain: await measure(dagain, (url) => openLoop(url, rate, durationMs * 2, 'open')),
  };
  print(`at ${rate}/s: bare ${describe(open.bare)}; dagain ${describe(open.dagain)}`);
  const cpuRatio = median(rows.map((row) => row.bare.cpuMsPerThousand / row.dagain.cpuMsPerThousand));
  print(`\nratio of CPU per request (bare / dagain), median of ${rounds}: ${cpuRatio.toFixed(2)}`);
  print(`ratio of throughput, median of ${rounds}: ${median(rows.map(ratio)).toFixed(2)} (goal: at least 0.60)`);
  print(`p99 at ${rate} callbacks/s: ${open.dagain.p99Ms.toFixed(1)} ms (goal: under 15 ms)`);
  print(`CPU time that other guests took meanwhile: ${stealSince(stealBefore)} %\n`);
  const failures = [...rows.flatMap((row) => [row.bare, row.dagain]), open.bare, open.dagain].reduce(
    (sum, one) => sum + one.failures,
    0,
  );
  if (failures > 0) throw new Error(`${failures} requests were not answered 202`);
} finally {
  for (const child of children) child.kill('SIGKILL');
  silent.close();
  await redis.stop();
}

function ratio({ bare, dagain }: Row): number {
  return dagain.perSecond / bare.perSecond;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function describe(result: Measured): string {
  const cpu = `${result.cpuMsPerThousand.toFixed(0)} ms CPU per 1000`;
  return `${result.perSecond}/s, p50 ${result.p50Ms.toFixed(1)} ms, p99 ${result.p99Ms.toFixed(1)} ms, ${cpu}`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** User and system time of one process so far, from `/proc`. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ticksPerSecond = 100;
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond;
}

interface CpuTicks {
  readonly steal: number;
  readonly all: number;
}

/** From `/proc/stat`, since boot. */
function readSteal(): CpuTicks {
  const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.trim().split(/\s+/).map(Number) ?? [];
  return { steal: ticks[7] ?? 0, all: ticks.slice(0, 8).reduce((sum, tick) => sum + tick, 0) };
}

function stealSince(before: CpuTicks): string {
  const now = readSteal();
  return ((100 * (now.steal - before.steal)) / Math.max(1, now.all - before.all)).toFixed(1);
}
