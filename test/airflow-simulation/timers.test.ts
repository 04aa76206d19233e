import { describe, expect, test } from 'vitest';
import { createRealTimers, createVirtualTimers, VIRTUAL_START_MS } from '../support/timers.ts';

describe('virtual timers', () => {
  test('fire by time, then in the order of scheduling', async () => {
    const timers = createVirtualTimers();
    const fired: string[] = [];
    timers.schedule(20, () => fired.push('late'));
    timers.schedule(10, () => fired.push('first'));
    timers.schedule(10, () => fired.push('second'));
    await timers.advanceBy(15);
    expect(fired).toEqual(['first', 'second']);
    expect(timers.nowMs()).toBe(VIRTUAL_START_MS + 15);
    await timers.advanceUntilIdle();
    expect(fired).toEqual(['first', 'second', 'late']);
    expect(timers.nowMs()).toBe(VIRTUAL_START_MS + 20);
  });

  test('let promises settle between one timer and the next', async () => {
    const timers = createVirtualTimers();
    const fired: string[] = [];
    timers.schedule(1, () => {
      void Promise.resolve()
        .then(() => Promise.resolve())
        .then(() => timers.schedule(0, () => fired.push('follow-up')));
    });
    timers.schedule(2, () => fired.push('later'));
    await timers.advanceUntilIdle();
    expect(fired).toEqual(['follow-up', 'later']);
  });

  test('a cancelled timer neither fires nor counts', async () => {
    const timers = createVirtualTimers();
    const cancel = timers.schedule(10, () => expect.unreachable());
    cancel();
    expect(timers.pending()).toBe(0);
    expect(timers.fireNext()).toBe(false);
    expect(timers.nowMs()).toBe(VIRTUAL_START_MS);
  });

  test('say so when what is waited for does not come', async () => {
    const timers = createVirtualTimers();
    const again = () => timers.schedule(1_000, again);
    again();
    await expect(timers.advanceUntilIdle(10_000)).rejects.toThrow('within 10000 ms');
    await expect(timers.advanceUntil(() => false, 10_000)).rejects.toThrow('condition not met');
  });

  test('refuse a delay that is not a number', () => {
    expect(() => createVirtualTimers().schedule(Number.NaN, () => {})).toThrow(RangeError);
  });
});

test('real timers run as fast as they are told to, and stop', async () => {
  const timers = createRealTimers({ speed: 1_000 });
  const startMs = timers.nowMs();
  await new Promise<void>((resolve) => timers.schedule(5_000, resolve));
  // A timer of five real milliseconds may fire one too early.
  expect(timers.nowMs() - startMs).toBeGreaterThanOrEqual(4_000);
  timers.schedule(0, () => expect.unreachable());
  timers.stop();
});
