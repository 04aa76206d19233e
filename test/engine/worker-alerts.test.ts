import { describe, expect, test } from 'vitest';
import type { RunKey } from '../../src/core/run-key.ts';
import { NEXT_ATTEMPT, running } from '../core/transition/events.ts';
import { ALERT, FAILED_AT_MS, givingUpRecord, RUN, waitingRecord } from '../support/records.ts';
import { createHarness, FAILED, gate, type Harness } from './harness.ts';

const NOW_MS = FAILED_AT_MS + 60_000;
const runs = (count: number): RunKey[] =>
  Array.from({ length: count }, (_, index) => ({ dagId: 'daily_sales', dagRunId: `run-${index}` }));
/** Their delay is over, and they are due in this order. */
const due = (key: RunKey, index = 0) => waitingRecord({ ...key, dueAtMs: NOW_MS - 1_000 + index });
const phases = ({ store }: Harness, keys: readonly RunKey[]) => keys.map((key) => store.get(key)?.phase ?? null);
const alert = { ...ALERT, nextTryAtMs: NOW_MS };

describe('alerts beside retries', () => {
  const hanging = () => {
    const held = gate();
    return { held, send: async () => held.passed.then(() => ({ type: 'accepted' }) as const) };
  };

  test('a channel that hangs takes no place of a retry', async () => {
    const harness = createHarness({ concurrency: 2 });
    const { held, send } = hanging();
    harness.script.channels = { webhook: send };
    const keys = runs(8);
    for (const key of keys.slice(0, 5)) harness.store.put(givingUpRecord({ ...key, outbox: [alert] }));
    keys.slice(5).forEach((key, index) => void harness.store.put(due(key, 2_000 + index)));
    harness.worker.start();
    await harness.timers.advanceBy(3_000);
    expect(phases(harness, keys.slice(5))).toEqual(['watching', 'watching', 'watching']);
    // As many at a time as there are places, the others when their lease is over.
    expect(harness.sent).toHaveLength(2);
    held.open();
    const isGivenUp = (key: RunKey) => keys.findIndex(({ dagRunId }) => dagRunId === key.dagRunId) < 5;
    const restarted = { ...FAILED, state: 'running', fingerprint: running(NEXT_ATTEMPT) } as const;
    harness.script.observe = async (key) => (isGivenUp(key) ? FAILED : restarted);
    await harness.timers.advanceBy(200_000);
    expect(phases(harness, keys.slice(0, 5))).toEqual(keys.slice(0, 5).map(() => 'gave_up'));
    expect(harness.sent).toHaveLength(5);
    await harness.worker.stop();
  });

  test('an alert that is due with the retry of its run is sent once, and holds nothing up', async () => {
    const harness = createHarness();
    const { held, send } = hanging();
    harness.script.channels = { webhook: send };
    harness.store.put({ ...due(RUN), outbox: [alert] });
    harness.worker.start();
    await harness.timers.advanceBy(5_000);
    expect(harness.clears).toHaveLength(1);
    expect(harness.sent).toHaveLength(1);
    held.open();
    await harness.timers.advanceBy(0);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'watching', outbox: [] });
    await harness.worker.stop();
  });

  test('stopping waits for the answer to an alert that is being sent', async () => {
    const harness = createHarness();
    const { held, send } = hanging();
    harness.script.channels = { webhook: send };
    harness.store.put(givingUpRecord({ outbox: [alert] }));
    harness.worker.start();
    await harness.timers.advanceBy(0);
    const stopped = harness.worker.stop();
    held.open();
    await stopped;
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up' });
    // Nothing wakes it any more.
    expect(harness.timers.pending()).toBe(0);
  });
});
