import { describe, expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import { ALERT, FAILED_AT_MS, givingUpRecord, RUN, waitingRecord } from '../support/records.ts';
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

describe('a worker that is told to stop', () => {
  test('waits for every alert that it is sending, also when the store did not take what became of another', async () => {
    const harness = createHarness();
    const alert = { ...ALERT, nextTryAtMs: FAILED_AT_MS };
    harness.store.put(givingUpRecord({ outbox: [alert, { ...alert, channel: 'pager' }] }));
    const hanging = gate();
    harness.script.channels = { webhook: () => hanging.passed.then(() => ({ type: 'accepted' })) };
    const swap = harness.store.compareAndSwap;
    harness.store.compareAndSwap = () => Promise.reject(new DagainError('store_unavailable', 'out'));
    harness.worker.start();
    await harness.timers.advanceBy(0);
    harness.store.compareAndSwap = swap;
    let hasStopped = false;
    void harness.worker.stop().then(() => {
      hasStopped = true;
    });
    await harness.timers.advanceBy(5_000);
    expect(hasStopped).toBe(false);
    hanging.open();
    await harness.timers.advanceBy(0);
    expect(hasStopped).toBe(true);
    expect(harness.store.get(RUN)?.outbox.map(({ channel }) => channel)).toEqual(['pager']);
  });
});
