import { parentPort } from 'node:worker_threads';
import { z } from 'zod';
import type { BlockResult } from './seeds.ts';
import { simulate } from './simulate.ts';

// A thread of `simulateSeeds`: one block of seeds after the other.

const Block = z.object({ from: z.int(), count: z.int() });

async function simulateBlock(from: number, count: number): Promise<BlockResult> {
  const tally = new Map<string, number>();
  const result: BlockResult = { seeds: count, steps: 0, virtualMs: 0, failures: [], tally: [] };
  for (let seed = from; seed < from + count; seed += 1) {
    const { violation, steps, virtualMs, tally: counts } = await simulate(seed);
    result.steps += steps;
    result.virtualMs += virtualMs;
    if (violation !== null) result.failures.push({ seed, invariant: violation.invariant, message: violation.message });
    for (const [what, times] of counts) tally.set(what, (tally.get(what) ?? 0) + times);
  }
  return { ...result, tally: [...tally] };
}

parentPort?.on('message', async (message) => {
  const { from, count } = Block.parse(message);
  parentPort?.postMessage(await simulateBlock(from, count));
});
