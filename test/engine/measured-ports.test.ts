import { describe, expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import { measureOrchestrator, measureStore } from '../../src/engine/measured-ports.ts';
import { RUN, waitingRecord } from '../support/records.ts';
import { createHarness, FAILED } from './harness.ts';
import { createMemoryStore, OUTAGE } from './memory-store.ts';

function setUp() {
  const told: string[] = [];
  let nowMs = 0;
  const tell = (operation: string, result: string, durationMs: number) =>
    void told.push(`${operation} ${result} ${durationMs}`);
  return {
    told,
    deps: {
      telemetry: { storeCalled: tell, orchestratorCalled: tell },
      nowMs: () => {
        nowMs += 10;
        return nowMs;
      },
    },
  };
}

describe('a measured store', () => {
  test('answers as the store does, and tells of each call', async () => {
    const { told, deps } = setUp();
    const store = measureStore(createMemoryStore(), deps);
    expect(await store.compareAndSwap(RUN, 0, waitingRecord())).toBe(1);
    expect(await store.compareAndSwap(RUN, 0, waitingRecord())).toBeNull();
    expect((await store.load(RUN))?.value).toEqual(waitingRecord());
    expect(await store.load({ dagId: 'etl', dagRunId: 'none' })).toBeNull();
    expect(told).toEqual(['compare_and_swap ok 10', 'compare_and_swap conflict 10', 'load ok 10', 'load ok 10']);
  });

  test('rejects as the store does, and tells why', async () => {
    const { told, deps } = setUp();
    const inner = createMemoryStore();
    const store = measureStore(inner, deps);
    inner.outage = OUTAGE;
    await expect(store.takeDue(0, 1, 1)).rejects.toBe(OUTAGE);
    inner.outage = new DagainError('store_corrupt', 'unreadable');
    await expect(store.load(RUN)).rejects.toThrow('unreadable');
    expect(told).toEqual(['take_due store_unavailable 10', 'load store_corrupt 10']);
  });
});

describe('a measured orchestrator', () => {
  test('tells why there was no answer, where there was none', async () => {
    const { told, deps } = setUp();
    const harness = createHarness();
    const orchestrator = measureOrchestrator(harness.orchestrator, deps);
    expect(await orchestrator.observe(RUN)).toBe(FAILED);
    harness.script.observe = async () => ({
      ...{ type: 'unavailable', reason: 'unauthorized', detail: 'no', retryAfterMs: null },
    });
    await orchestrator.observe(RUN);
    harness.script.clear = () => ({ type: 'not_applied', reason: 'rate_limited', detail: 'later', retryAfterMs: 1 });
    await orchestrator.clear(RUN, { mode: 'all_tasks', runOnLatestVersion: false });
    await expect(orchestrator.annotate(RUN, null)).rejects.toThrow('notes are off');
    // What answers at once is no call.
    expect(orchestrator.linkTo(RUN)).toBe('https://airflow.example/run');
    expect(told).toEqual(['observe ok 10', 'observe unauthorized 10', 'clear rate_limited 10', 'annotate error 10']);
  });
});
