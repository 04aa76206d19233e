import { describe, expect, test } from 'vitest';
import { FAILED_AT_MS, RUN, waitingRecord } from '../support/records.ts';
import { createHarness, FAILED, gate } from './harness.ts';

// Found by the simulation (test/sim); each test is what was left of a failing seed.

describe('a process that was suspended between its look and its swap', () => {
  test('looks again before it clears: people may have acted on the run meanwhile', async () => {
    const harness = createHarness();
    harness.store.put(waitingRecord({ dueAtMs: FAILED_AT_MS + 60_000 }));
    const suspended = gate();
    let looks = 0;
    harness.script.observe = async () => {
      looks += 1;
      if (looks === 1) await suspended.passed;
      return FAILED;
    };
    harness.worker.start();
    await harness.timers.advanceBy(40_000);
    suspended.open();
    await harness.timers.advanceBy(0);
    expect(harness.clears).toEqual([]);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'waiting', retriesUsed: 0 });
    await harness.timers.advanceBy(10_000);
    expect(looks).toBe(2);
    expect(harness.clears).toHaveLength(1);
    await harness.worker.stop();
  });
});
