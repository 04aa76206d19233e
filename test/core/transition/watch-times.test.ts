import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BUILT_IN_TIMING } from '../../../src/core/rules.ts';
import { isRegularLook, maxAgeMs, nextRegularLookMs } from '../../../src/core/transition/watch-times.ts';

const timings = fc.integer({ min: 100, max: 3_600_000 }).map((ms) => ({ ...BUILT_IN_TIMING, sweepIntervalMs: ms }));
const times = fc.integer({ min: 0, max: 4_000_000_000_000 });
const keys = fc.record({ dagId: fc.stringMatching(/^[a-z]{1,9}$/), dagRunId: fc.stringMatching(/^[a-z0-9]{1,9}$/) });

test('the next regular look comes within the interval, and not before an answer of now is too old for it', () => {
  fc.assert(
    fc.property(keys, timings, times, (key, timing, nowMs) => {
      const nextMs = nextRegularLookMs(key, timing, nowMs);
      expect(nextMs).toBeGreaterThan(nowMs + maxAgeMs(timing));
      expect(nextMs).toBeLessThanOrEqual(nowMs + timing.sweepIntervalMs);
      expect(isRegularLook(key, timing, nextMs)).toBe(true);
      expect(isRegularLook(key, timing, nextMs + 1)).toBe(false);
    }),
  );
});

test('an attempt that ends is looked at, and not by an answer from before its end, within the interval', () => {
  fc.assert(
    fc.property(keys, timings, times, (key, timing, nowMs) => {
      const lookMs = nextRegularLookMs(key, timing, nowMs);
      const nextMs = nextRegularLookMs(key, timing, lookMs);
      // The oldest answer that a look may use did not show it yet; the next one, however old, is newer than its end.
      const endedAtMs = lookMs - maxAgeMs(timing) + 1;
      expect(nextMs - endedAtMs).toBeLessThanOrEqual(timing.sweepIntervalMs);
      expect(nextMs - maxAgeMs(timing)).toBeGreaterThan(endedAtMs);
    }),
  );
});

test('ten thousand runs that were restarted at the same time are looked at apart', () => {
  const perSecond = new Map<number, number>();
  for (let run = 0; run < 10_000; run += 1) {
    const key = { dagId: 'etl', dagRunId: `scheduled__${run}` };
    const second = Math.floor(nextRegularLookMs(key, BUILT_IN_TIMING, 0) / 1_000);
    perSecond.set(second, (perSecond.get(second) ?? 0) + 1);
  }
  expect(perSecond.size).toBeGreaterThanOrEqual(45);
  expect(Math.max(...perSecond.values())).toBeLessThan(300);
});
