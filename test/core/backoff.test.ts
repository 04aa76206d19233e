import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { baseDelayMs, retryDelayMs, retryDueAtMs, unitHash } from '../../src/core/backoff.ts';
import { Backoff, Jitter, type RetryPolicy } from '../../src/core/policy.ts';
import { PolicyLayer } from '../../src/core/policy-layer.ts';
import { resolvePolicy } from '../../src/core/resolve-policy.ts';
import { RUN } from '../support/records.ts';
import { policyWith } from './policies.ts';

const S = 1_000;

/** When the retries start, in seconds from the start of a run whose every attempt fails at once. */
function startsOf(policy: RetryPolicy): number[] {
  const starts: number[] = [];
  let nowMs = 0;
  for (let n = 1; n <= policy.maxRetries; n += 1) {
    nowMs = retryDueAtMs(policy, RUN, n, nowMs, nowMs);
    starts.push(nowMs / S);
  }
  return starts;
}

function delaysOf(policy: RetryPolicy, count: number): number[] {
  return Array.from({ length: count }, (_, index) => baseDelayMs(policy, index + 1, 0) / S);
}

describe('the published numbers', () => {
  test('Coflux: (5, 300, 600) starts at 300, 675, 1125, 1650 and 2250 s', () => {
    const policy = policyWith({ maxRetries: 5, delayMs: 300 * S, maxDelayMs: 600 * S, backoff: 'ramp' });
    expect(startsOf(policy)).toEqual([300, 675, 1125, 1650, 2250]);
  });

  test('Coflux: without a limit, anywhere in the range, and another place each time', () => {
    const { retries } = PolicyLayer.parse({ retries: ['unlimited', 300, 600] });
    const policy = resolvePolicy([{ source: 'test', layer: { ...retries } }], { max_retries: 100 }, []).policy;
    const delays = Array.from({ length: 100 }, (_, index) => retryDelayMs(policy, RUN, index + 1) / S);
    expect(policy.maxRetries).toBe(100);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(300);
    expect(Math.max(...delays)).toBeLessThanOrEqual(600);
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(250);
    expect(new Set(delays).size).toBeGreaterThan(90);
  });

  test('Coflux: a single retry waits for the lower end', () => {
    const policy = policyWith({ maxRetries: 1, delayMs: 300 * S, maxDelayMs: 600 * S, backoff: 'ramp' });
    expect(delaysOf(policy, 1)).toEqual([300]);
  });

  test.each([
    ['none', [10, 10, 10, 10]],
    ['linear', [10, 20, 30, 40]],
    ['exponential', [10, 30, 70, 150]],
  ] as const)('Dagster: %s', (backoff, delays) => {
    expect(delaysOf(policyWith({ backoff, delayMs: 10 * S }), 4)).toEqual(delays);
  });

  test('Dagster: FULL is a share of the delay, PLUS_MINUS one base delay around it, never below 0', () => {
    const base = { delayMs: 10 * S, backoff: 'linear' } as const;
    const random = unitHash(`${RUN.dagId}/${RUN.dagRunId}#3`);
    expect(retryDelayMs(policyWith({ ...base, jitter: 'full' }), RUN, 3)).toBe(Math.round(random * 30 * S));
    const around = retryDelayMs(policyWith({ ...base, jitter: 'plus_minus' }), RUN, 3);
    expect(around).toBe(Math.round(30 * S + 2 * random * 10 * S - 10 * S));
  });

  test.each([
    ['just ended', 0, 60],
    ['ended a while ago: what has passed is taken off', 45, 15],
    ['ended long ago: at once', 3_600, 0],
    ['ended in the future, by a clock that is ahead: counts as now', -500, 60],
  ])('DolphinScheduler: max(0, delay - (now - ended)), %s', (_name, endedAgo, waits) => {
    const nowMs = 1_000_000 * S;
    const dueAtMs = retryDueAtMs(policyWith({ delayMs: 60 * S }), RUN, 1, nowMs - endedAgo * S, nowMs);
    expect((dueAtMs - nowMs) / S).toBe(waits);
  });
});

describe('a ramp beyond the shared cap', () => {
  test('runs over the largest cap there is, and stays at its end after that', () => {
    const caps = { maxRetries: 2, maxRetriesByClass: { infra: 5 } };
    const policy = policyWith({ ...caps, delayMs: 300 * S, maxDelayMs: 600 * S, backoff: 'ramp' });
    expect(delaysOf(policy, 7)).toEqual([300, 375, 450, 525, 600, 600, 600]);
  });

  test('is never shorter than its lower end where only single classes are retried', () => {
    const caps = { maxRetries: 0, maxRetriesByClass: { infra: 1 } };
    const policy = policyWith({ ...caps, delayMs: 300 * S, maxDelayMs: 900 * S, backoff: 'ramp' });
    expect(delaysOf(policy, 2)).toEqual([300, 300]);
  });
});

const anyPolicy = fc
  .record({
    maxRetries: fc.nat(1_000),
    delayMs: fc.nat(48 * 3_600 * S),
    maxDelayMs: fc.nat(24 * 3_600 * S),
    backoff: fc.constantFrom(...Backoff.options),
    jitter: fc.constantFrom(...Jitter.options),
    maxRetriesByClass: fc.oneof(fc.constant({}), fc.record({ infra: fc.nat(1_000) })),
  })
  .map(policyWith);
const anyN = fc.integer({ min: 1, max: 1_001 });

describe('any delay', () => {
  test('is a whole number between 0 and max_delay, the same every time', () => {
    fc.assert(
      fc.property(anyPolicy, anyN, fc.string(), (policy, n, dagRunId) => {
        const key = { dagId: 'd', dagRunId };
        const delayMs = retryDelayMs(policy, key, n);
        expect(Number.isSafeInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(policy.maxDelayMs);
        expect(retryDelayMs({ ...policy }, { ...key }, n)).toBe(delayMs);
      }),
    );
  });

  test('is never shorter with jitter `spread` than without, and at most a fifth longer', () => {
    fc.assert(
      fc.property(anyPolicy, anyN, (policy, n) => {
        const exactMs = retryDelayMs({ ...policy, jitter: 'none' }, RUN, n);
        const spreadMs = retryDelayMs({ ...policy, jitter: 'spread' }, RUN, n);
        expect(spreadMs).toBeGreaterThanOrEqual(exactMs);
        expect(spreadMs).toBeLessThanOrEqual(Math.ceil(exactMs * 1.2));
      }),
    );
  });

  test('does not shrink from one retry to the next, without jitter and with room for a ramp', () => {
    fc.assert(
      fc.property(anyPolicy, anyN, (policy, n) => {
        fc.pre(policy.delayMs <= policy.maxDelayMs && policy.backoff !== 'uniform');
        const exact = { ...policy, jitter: 'none' } as const;
        expect(retryDelayMs(exact, RUN, n + 1)).toBeGreaterThanOrEqual(retryDelayMs(exact, RUN, n));
      }),
    );
  });

  test('is due neither before now nor later than max_delay from now', () => {
    fc.assert(
      fc.property(anyPolicy, anyN, fc.maxSafeNat(), fc.nat(10 ** 12), (policy, n, endedAtMs, nowMs) => {
        const dueAtMs = retryDueAtMs(policy, RUN, n, endedAtMs, nowMs);
        expect(dueAtMs).toBeGreaterThanOrEqual(nowMs);
        expect(dueAtMs).toBeLessThanOrEqual(nowMs + policy.maxDelayMs);
      }),
    );
  });
});

describe('jitter', () => {
  test('is spread evenly over runs whose ids differ by a digit, and over the retries of one run', () => {
    const overRuns = Array.from({ length: 10_000 }, (_, index) => unitHash(`daily/scheduled__${index}#1`));
    const overRetries = Array.from({ length: 10_000 }, (_, index) => unitHash(`daily/scheduled__1#${index}`));
    for (const values of [overRuns, overRetries]) {
      const buckets = new Array<number>(10).fill(0);
      for (const value of values) buckets[Math.floor(value * 10)] = (buckets[Math.floor(value * 10)] ?? 0) + 1;
      // Six standard deviations of a fair draw: 1,000 +- 180.
      for (const size of buckets) expect(Math.abs(size - 1_000)).toBeLessThan(180);
    }
  });

  test('is the same in every version: replicas of two versions must agree while one replaces the other', () => {
    const delayMs = (n: number) =>
      retryDelayMs(policyWith({ jitter: 'full', backoff: 'none', delayMs: 10 ** 6 }), RUN, n);
    expect([1, 2, 3].map(delayMs)).toEqual([391_620, 516_456, 659_777]);
  });

  test('differs between runs and between retries', () => {
    const policy = policyWith({ jitter: 'full', backoff: 'none' });
    const delays = [
      retryDelayMs(policy, { dagId: 'a', dagRunId: 'x' }, 1),
      retryDelayMs(policy, { dagId: 'a', dagRunId: 'y' }, 1),
      retryDelayMs(policy, { dagId: 'b', dagRunId: 'x' }, 1),
      retryDelayMs(policy, { dagId: 'a', dagRunId: 'x' }, 2),
    ];
    expect(new Set(delays).size).toBe(delays.length);
  });

  test('is in [0, 1) for any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(unitHash(text)).toBeGreaterThanOrEqual(0);
        expect(unitHash(text)).toBeLessThan(1);
      }),
    );
  });
});
