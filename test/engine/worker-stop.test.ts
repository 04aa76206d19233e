import { describe, expect, test } from 'vitest';
import type { RunKey } from '../../src/core/run-key.ts';
import { FAILED_AT_MS, RUN, waitingRecord } from '../support/records.ts';
import { createHarness, gate, type Harness } from './harness.ts';

const NOW_MS = FAILED_AT_MS + 60_000;
const runs = (count: number): RunKey[] =>
  Array.from({ length: count }, (_, index) => ({ dagId: 'daily_sales', dagRunId: `run-${index}` }));
/** Their delay is over, and they are due in this order. */
const due = (key: RunKey, index = 0) => waitingRecord({ ...key, dueAtMs: NOW_MS - 1_000 + index });
const phases = ({ store }: Harness, keys: readonly RunKey[]) => keys.map((key) => store.get(key)?.phase ?? null);

describe('stopping', () => {
  test('finishes what is in flight and takes nothing more', async () => {
    const harness = createHarness({ concurrency: 1 });
    const [first, second] = runs(2) as [RunKey, RunKey];
    harness.store.put(due(first, 0));
    harness.store.put(due(second, 1));
    const clearing = gate();
    harness.script.clear = async () => {
      await clearing.passed;
      return { type: 'accepted', run: null };
    };
    harness.worker.start();
    await harness.timers.advanceBy(0);
    let isStopped = false;
    const stopped = harness.worker.stop().then(() => {
      isStopped = true;
    });
    await harness.timers.advanceBy(10_000);
    expect(isStopped).toBe(false);
    clearing.open();
    await stopped;
    expect(phases(harness, [first, second])).toEqual(['watching', 'waiting']);
    await harness.timers.advanceBy(600_000);
    expect(harness.clears).toHaveLength(1);
    expect(harness.timers.pending()).toBe(0);
  });

  test('hands back at once what was being taken, also when it was woken twice meanwhile', async () => {
    const harness = createHarness();
    harness.store.put(due(RUN));
    const asking = gate();
    const { takeDue } = harness.store;
    let asked = 0;
    harness.store.takeDue = async (...args) => {
      asked += 1;
      await asking.passed;
      return await takeDue(...args);
    };
    harness.worker.start();
    await harness.timers.advanceBy(0);
    harness.worker.noteDue(NOW_MS);
    await harness.timers.advanceBy(0);
    expect(asked).toBe(1);
    const stopped = harness.worker.stop().then(() => harness.store.close());
    asking.open();
    await stopped;
    await harness.timers.advanceBy(0);
    expect(harness.counts.get('workFailed')).toBeUndefined();
    expect(harness.clears).toEqual([]);
    expect(harness.store.indexedAtMs(RUN)).toBe(due(RUN).dueAtMs);
  });
});
