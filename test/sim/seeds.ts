import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';

export interface SeedRange {
  readonly from: number;
  readonly count: number;
  /** No more seeds than are under way once one has failed. */
  readonly stopAtFirst?: boolean;
  readonly threads?: number;
  /** Told after each block of seeds, in the order in which the threads end them. */
  readonly onBlock?: (block: BlockResult, seedsDone: number) => void;
}

const Failure = z.object({ seed: z.int(), invariant: z.string(), message: z.string() });
/** What a thread says after each block of seeds. */
export const BlockResult = z.object({
  seeds: z.int(),
  steps: z.int(),
  virtualMs: z.number(),
  failures: z.array(Failure),
  tally: z.array(z.tuple([z.string(), z.int()])),
});
export type BlockResult = z.infer<typeof BlockResult>;

export interface SeedsResult extends Omit<BlockResult, 'tally'> {
  readonly tally: ReadonlyMap<string, number>;
}

/** Few enough that both threads end at about the same time, enough that handing them out costs nothing. */
const BLOCK = 20;

/** Simulates many seeds, on all cores. */
export async function simulateSeeds({
  from,
  count,
  stopAtFirst = false,
  threads,
  onBlock,
}: SeedRange): Promise<SeedsResult> {
  const total = { seeds: 0, steps: 0, virtualMs: 0, failures: [] as BlockResult['failures'] };
  const tally = new Map<string, number>();
  let next = from;

  function takeBlock(): { from: number; count: number } | null {
    if (next >= from + count || (stopAtFirst && total.failures.length > 0)) return null;
    const block = { from: next, count: Math.min(BLOCK, from + count - next) };
    next += block.count;
    return block;
  }

  function add(result: BlockResult): void {
    total.seeds += result.seeds;
    total.steps += result.steps;
    total.virtualMs += result.virtualMs;
    total.failures.push(...result.failures);
    for (const [what, times] of result.tally) tally.set(what, (tally.get(what) ?? 0) + times);
    onBlock?.(result, total.seeds);
  }

  const wanted = Math.min(threads ?? availableParallelism(), Math.ceil(count / BLOCK));
  await Promise.all(Array.from({ length: wanted }, () => work(takeBlock, add)));
  total.failures.sort((a, b) => a.seed - b.seed);
  return { ...total, tally };
}

/** One thread, which gets a block whenever it has done the last one. */
async function work(takeBlock: () => object | null, add: (result: BlockResult) => void): Promise<void> {
  const worker = new Worker(new URL('./seeds-worker.ts', import.meta.url));
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  const hand = (block: object | null) => (block === null ? resolve() : worker.postMessage(block));
  worker.on('error', reject);
  worker.on('message', (result) => {
    add(BlockResult.parse(result));
    hand(takeBlock());
  });
  hand(takeBlock());
  try {
    await done;
  } finally {
    await worker.terminate();
  }
}
