import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MUTANTS } from './mutants/list.ts';
import { simulateSeeds } from './seeds.ts';
import { simulate } from './simulate.ts';

const SOURCES = join(import.meta.dirname, '../../src');
const SEEDS = 2_000;

let reached: ReadonlyMap<string, number> = new Map();

describe('the whole service, simulated', () => {
  // All in one go: threads that are started anew take as long to become fast as a block of 250 seeds lasts.
  test(`keeps its invariants over ${SEEDS} seeds`, { timeout: 600_000 }, async () => {
    const { failures, tally } = await simulateSeeds({ from: 1, count: SEEDS });
    reached = tally;
    expect(failures.map(({ seed, message }) => `npm run sim -- --seed ${seed} --trace  # ${message}`)).toEqual([]);
  });

  test('the seeds reach the states that matter', () => {
    const rare = INTERESTING.filter((what) => (reached.get(what) ?? 0) < 10);
    expect(rare).toEqual([]);
  });

  test('a seed always gives the same history', async () => {
    const traces = [];
    for (let times = 0; times < 2; times += 1) {
      const lines: string[] = [];
      await simulate(4711, { trace: (line) => lines.push(line) });
      traces.push(lines);
    }
    expect(traces[0]?.length).toBeGreaterThan(100);
    expect(traces[1]).toEqual(traces[0]);
  });
});

const INTERESTING = [
  'alerts: accepted again',
  'answer: held',
  'answer: stale',
  'callbacks: given up by the sender',
  'clear: not_applied',
  'clear: refused',
  'clear: too_late',
  'clear: unknown',
  'clears of ours',
  'clears of ours while running',
  'clears that raced with a person',
  'gave up: max_duration_reached',
  'gave up: max_retries_reached',
  'gave up: never_on',
  'gave up: settle_timeout',
  'operator: grant',
  'person: clear',
  'policy changes',
  'processes: crashed',
  'processes: frozen',
  'step: clear_confirmed_by_read',
  'step: given_up',
  'step: restarted_by_person',
  'step: retrying_all_tasks',
  'store: answer to compareAndSwap lost',
  'store: swap conflicts',
];

test('each deliberate fault of the mutants still fits the sources, once', () => {
  const misfits = MUTANTS.flatMap(({ name, patches }) =>
    patches
      .filter(({ file, search }) => readFileSync(join(SOURCES, file), 'utf8').split(search).length !== 2)
      .map(({ file }) => `${name}: ${file}`),
  );
  expect(misfits).toEqual([]);
});
