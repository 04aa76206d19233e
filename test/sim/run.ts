import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '200' },
    trace: { type: 'boolean', default: false },
  },
});
const say = (line: string) => process.stdout.write(`${line}\n`);
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const total = new Map<string, number>();
const startedAt = performance.now();
let failed = 0;
let steps = 0;
let virtualMs = 0;
for (let seed = first; seed < first + count; seed += 1) {
  const result = await simulate(seed, values.trace ? { trace: say } : {});
  steps += result.steps;
  virtualMs += result.virtualMs;
  for (const [what, times] of result.tally) total.set(what, (total.get(what) ?? 0) + times);
  if (result.violation === null) continue;
  failed += 1;
  say(`seed ${seed}: ${result.violation.message}\n  replay: npm run sim -- --seed ${seed} --trace`);
}
const seconds = (performance.now() - startedAt) / 1_000;
for (const [what, times] of [...total].sort(([a], [b]) => a.localeCompare(b)))
  say(`${String(times).padStart(9)}  ${what}`);
say(
  `${count} seeds, ${failed} with a violation; ${(count / seconds).toFixed(1)} seeds/s, ${((seconds * 1_000) / count).toFixed(1)} ms each, ` +
    `${Math.round(steps / count)} steps and ${(virtualMs / count / 3_600_000).toFixed(1)} virtual hours each`,
);
process.exitCode = failed === 0 ? 0 : 1;
