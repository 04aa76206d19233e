import { describe, expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import { failed, seen } from '../core/transition/events.ts';
import { confirmingRecord, RUN, watchingRecord } from '../support/records.ts';
import { createHarness, type Harness } from './harness.ts';
import { OUTAGE } from './memory-store.ts';

/** Lets virtual time pass until `promise` has settled. */
async function settled<T>({ timers }: Harness, promise: Promise<T>): Promise<T> {
  let isDone = false;
  const watched = promise.finally(() => {
    isDone = true;
  });
  watched.catch(() => {});
  await timers.advanceUntil(() => isDone);
  return await watched;
}

describe('apply', () => {
  test('writes what the event makes of the record', async () => {
    const harness = createHarness();
    const applied = await harness.swapLoop.apply(RUN, failed());
    expect(applied).toMatchObject({ before: null, decision: 'retry_scheduled' });
    expect(harness.store.get(RUN)).toBe(applied.next);
  });

  test('writes nothing where nothing changes', async () => {
    const { swapLoop, store } = createHarness();
    store.put(watchingRecord());
    await swapLoop.apply(RUN, { type: 'time_passed' });
    await swapLoop.apply({ ...RUN, dagRunId: 'other' }, { type: 'success_reported' });
    expect(store.swaps).toBe(0);
  });

  test('tries again on what the winner left, until it wins', async () => {
    const harness = createHarness();
    const { store, counts } = harness;
    store.conflicts = 5;
    store.beforeSwap = () => {
      if (store.conflicts === 3) store.put(confirmingRecord({ failures: [failed({ id: 'first' }).failure] }));
    };
    const applied = await settled(harness, harness.swapLoop.apply(RUN, failed({ id: 'second' })));
    expect(counts.get('swapConflict')).toBe(5);
    expect(applied.decision).toBe('already_scheduled');
    expect(store.get(RUN)?.failures.map(({ id }) => id)).toEqual(['first', 'second']);
  });

  test('gives up with store_contention when others win every time, and has paused in between', async () => {
    const harness = createHarness();
    const { store, timers } = harness;
    store.conflicts = Number.POSITIVE_INFINITY;
    const startMs = timers.nowMs();
    await expect(settled(harness, harness.swapLoop.apply(RUN, failed()))).rejects.toMatchObject({
      code: 'store_contention',
    });
    // One on the guess that nothing is known of the run, 60 on what was read.
    expect(store.swaps).toBe(61);
    expect(timers.nowMs() - startMs).toBeGreaterThan(1_000);
    expect(timers.nowMs() - startMs).toBeLessThan(10_000);
  });

  test('lets an outage through, while loading and while swapping', async () => {
    const harness = createHarness();
    harness.store.outage = OUTAGE;
    await expect(harness.swapLoop.apply(RUN, failed())).rejects.toBe(OUTAGE);
    harness.store.outage = null;
    harness.store.beforeSwap = () => {
      harness.store.outage = OUTAGE;
    };
    await expect(harness.swapLoop.apply(RUN, failed())).rejects.toBeInstanceOf(DagainError);
    expect(harness.store.get(RUN)).toBeNull();
  });

  test('decides under the policy that the latest callback asks for, and else under that of the record', async () => {
    const harness = createHarness();
    const asked: unknown[] = [];
    const { swapLoop, store, policies } = harness;
    const rulesFor = policies.rulesFor;
    policies.rulesFor = async (dagId, override) => {
      asked.push(override);
      return await rulesFor(dagId, override);
    };
    store.put(confirmingRecord({ override: { max_retries: 1 } }));
    await swapLoop.apply(RUN, failed({}, {}, { max_retries: 5 }));
    await swapLoop.apply(RUN, failed({ id: 'x' }));
    await swapLoop.apply(RUN, { type: 'success_reported' });
    // The first one twice: on the guess that nothing is known of the run, and on what was read.
    expect(asked).toEqual(Array(4).fill({ max_retries: 5 }));
  });
});

describe('applyTo', () => {
  test('applies a look to the version it was made for, or not at all', async () => {
    const { swapLoop, store } = createHarness();
    store.put(confirmingRecord());
    const current = await store.load(RUN);
    if (current === null) throw new Error('the record is there');
    await swapLoop.apply(RUN, failed());
    const changed = store.get(RUN);
    expect(await swapLoop.applyTo(RUN, current, seen('failed'))).toBeNull();
    expect(store.get(RUN)).toBe(changed);
    const latest = await store.load(RUN);
    if (latest === null) throw new Error('the record is there');
    expect(await swapLoop.applyTo(RUN, latest, seen('failed'))).toMatchObject({ next: { phase: 'waiting' } });
  });
});

describe('replaceLost', () => {
  const LOST = { type: 'state_lost', problem: 'missing', detail: 'gone', clears: 0 } as const;

  test('puts a run that is watched anew in place of what is lost, unless somebody was quicker', async () => {
    const { swapLoop, store, timers } = createHarness();
    store.put(watchingRecord());
    const version = (await store.load(RUN))?.version ?? 0;
    store.lose(RUN);
    expect(await swapLoop.replaceLost(RUN, version, LOST)).toMatchObject({ reason: 'state_lost' });
    expect(store.get(RUN)).toMatchObject({ phase: 'watching', countIs: 'lost', firstFailedAtMs: timers.nowMs() });
    expect(await swapLoop.replaceLost(RUN, version, LOST)).toBeNull();
  });
});
