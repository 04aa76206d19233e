import { parseArgs } from 'node:util';
import { type BlockResult, type SeedsResult, simulateSeeds } from './seeds.ts';
import { simulate } from './simulate.ts';

// npm run sim -- [--seeds 200] [--from 1] [--stop]: many seeds, then what happened in them.
// npm run sim -- --seed 1234 [--trace]: one seed, exactly as before; with every step of it.

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '200' },
    stop: { type: 'boolean', default: false },
  },
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A hundred thousand seeds take an hour: what has gone wrong so far is told at once, apart from the result. */
const PROGRESS_SEEDS = 1_000;

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

function sayTally(tally: ReadonlyMap<string, number>): void {
  for (const [what, times] of [...tally].sort(([a], [b]) => a.localeCompare(b))) {
    say(`${String(times).padStart(9)}  ${what}`);
  }
}

async function runOne(seed: number): Promise<boolean> {
  const { violation, tally, steps } = await simulate(seed, values.trace ? { trace: say } : {});
  if (!values.trace) sayTally(tally);
  say(violation === null ? `seed ${seed}: no violation in ${steps} steps` : `seed ${seed}: ${violation.message}`);
  return violation === null;
}

function sayRate({ seeds, steps, virtualMs, failures }: SeedsResult, seconds: number): void {
  const each = `${Math.round(steps / seeds)} steps and ${(virtualMs / seeds / 3_600_000).toFixed(1)} virtual hours each`;
  const rate = `${(seeds / seconds).toFixed(1)} seeds/s, ${((seconds * 1_000) / seeds).toFixed(1)} ms each`;
  say(`${seeds} seeds, ${failures.length} with a violation; ${rate}, ${each}`);
}

async function runMany(from: number, count: number): Promise<boolean> {
  const startedAt = performance.now();
  const onBlock = ({ failures }: BlockResult, done: number) => {
    for (const { seed, message } of failures) progress(`seed ${seed}: ${message}`);
    if (done % PROGRESS_SEEDS === 0) progress(`${done} of ${count} seeds`);
  };
  const result = await simulateSeeds({ from, count, stopAtFirst: values.stop, onBlock });
  const seconds = (performance.now() - startedAt) / 1_000;
  sayTally(result.tally);
  for (const { seed, message } of result.failures) {
    say(`seed ${seed}: ${message}\n  replay: npm run sim -- --seed ${seed} --trace`);
  }
  sayRate(result, seconds);
  return result.failures.length === 0;
}

const isSound =
  values.seed === undefined ? runMany(Number(values.from), Number(values.seeds)) : runOne(Number(values.seed));
process.exitCode = (await isSound) ? 0 : 1;
