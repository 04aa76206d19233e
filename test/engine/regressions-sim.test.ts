import { describe, expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import type { RunKey } from '../../src/core/run-key.ts';
import { ALERT, FAILED_AT_MS, givingUpRecord, RUN, waitingRecord } from '../support/records.ts';
import { createHarness, FAILED, gate } from './harness.ts';

// Found by the simulation (test/sim); each test is what was left of a failing seed.

describe('a process that is suspended after it has read', () => {
  type Script = ReturnType<typeof createHarness>['script'];
  const READS = {
    'the audit log': (script: Script) => {
      const held = suspendFirst(script.auditTrail);
      script.auditTrail = held.read;
      return held;
    },
    'the run': (script: Script) => {
      const held = suspendFirst(async () => FAILED);
      script.observe = held.read;
      return held;
    },
  };

  function suspendFirst<A>(answer: (key: RunKey) => Promise<A>) {
    const suspended = gate();
    let times = 0;
    const read = async (key: RunKey) => {
      times += 1;
      if (times === 1) await suspended.passed;
      return await answer(key);
    };
    return { read, goOn: suspended.open, times: () => times };
  }

  test.each(Object.entries(READS))('%s reads anew before it clears: people may have acted', async (_what, hold) => {
    const harness = createHarness();
    harness.store.put(waitingRecord({ dueAtMs: FAILED_AT_MS + 60_000 }));
    const held = hold(harness.script);
    harness.worker.start();
    await harness.timers.advanceBy(40_000);
    held.goOn();
    await harness.timers.advanceBy(0);
    expect(harness.clears).toEqual([]);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'waiting', retriesUsed: 0 });
    await harness.timers.advanceBy(10_000);
    expect([held.times(), harness.clears.length]).toEqual([2, 1]);
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
