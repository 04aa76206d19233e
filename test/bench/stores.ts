import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { JournalEntry } from '../../src/core/journal.ts';
import { keyOf } from '../../src/core/record.ts';
import type { RunStore } from '../../src/store/port.ts';
import { createRedisStore } from '../../src/store/redis.ts';
import { createSqliteStore } from '../../src/store/sqlite.ts';
import { journalEntry } from '../support/journal-entries.ts';
import { waitingRecord } from '../support/records.ts';
import { startRedis } from '../support/redis-server.ts';

/**
 * How many swaps, loads and takes a second each store does, on a Redis with an append-only file and on a local disk:
 * `node test/bench/stores.ts [--runs 4000] [--parallel 50]`. Numbers of shared machines only compare with each other.
 */
const { values } = parseArgs({
  options: { runs: { type: 'string', default: '4000' }, parallel: { type: 'string', default: '50' } },
});
const RUNS = Number(values.runs);
const PARALLEL = Number(values.parallel);

function recordOf(number: number) {
  return waitingRecord({ dagId: 'bench', dagRunId: `scheduled__2026-01-01T00:00:${number}+00:00`, dueAtMs: number });
}

/** Does `work` for every run, `parallel` at a time; returns how many were done per second. */
async function rate(count: number, parallel: number, work: (number: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const startedAtMs = performance.now();
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return Math.round((count / (performance.now() - startedAtMs)) * 1_000);
}

async function measure(store: RunStore) {
  const records = Array.from({ length: RUNS }, (_, number) => recordOf(number));
  const versions: number[] = [];
  const swapWith = async (number: number, entries: readonly JournalEntry[]) => {
    const record = records[number] ?? recordOf(number);
    versions[number] = (await store.compareAndSwap(record, versions[number] ?? 0, record, entries)) ?? 0;
  };
  const swap = (number: number) => swapWith(number, []);
  const noted = (number: number) => swapWith(number, [journalEntry(keyOf(records[number] ?? recordOf(number)))]);
  const load = async (number: number) => await store.load(records[number] ?? recordOf(number));
  return {
    'creating swaps/s': await rate(RUNS, PARALLEL, swap),
    'changing swaps/s': await rate(RUNS, PARALLEL, swap),
    'changing swaps/s, each with an entry': await rate(RUNS, PARALLEL, noted),
    'swaps/s, one at a time': await rate(Math.ceil(RUNS / 4), 1, swap),
    'loads/s': await rate(RUNS, PARALLEL, load),
    'loads/s, one at a time': await rate(Math.ceil(RUNS / 4), 1, load),
    'runs taken/s, 16 a call': (await rate(Math.ceil(RUNS / 16), 1, () => store.takeDue(RUNS, 16, 60_000))) * 16,
    'empty takes/s': await rate(Math.ceil(RUNS / 4), 1, () => store.takeDue(-1, 16, 60_000)),
  };
}

/** Share of the machine's time that its host gave to others. */
function stolenShare(before: readonly number[], after: readonly number[]): string {
  const spent = after.map((value, at) => value - (before[at] ?? 0));
  return `${Math.round(((spent[7] ?? 0) / spent.reduce((sum, value) => sum + value, 0)) * 100)} %`;
}

function cpuTimes(): readonly number[] {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  return line.split(/\s+/).slice(1, 9).map(Number);
}

const redis = await startRedis({ appendonly: true });
const directory = mkdtempSync(join(tmpdir(), 'dagain-bench-'));
try {
  const results: Record<string, object> = {};
  for (const [name, open] of [
    ['redis', () => createRedisStore({ url: redis.url, namespace: 'bench' })],
    ['sqlite', () => createSqliteStore({ directory })],
  ] as const) {
    const before = cpuTimes();
    const store = await open();
    results[name] = { ...(await measure(store)), 'CPU steal': '' };
    await store.close();
    results[name] = { ...results[name], 'CPU steal': stolenShare(before, cpuTimes()) };
  }
  process.stdout.write(`${JSON.stringify({ runs: RUNS, parallel: PARALLEL, ...results }, null, 2)}\n`);
} finally {
  await redis.stop();
  rmSync(directory, { recursive: true, force: true });
}
