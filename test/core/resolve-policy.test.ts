import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { retryDelayMs } from '../../src/core/backoff.ts';
import { BUILT_IN_POLICY } from '../../src/core/policy.ts';
import { PolicyLayer, type PolicyLimits } from '../../src/core/policy-layer.ts';
import { type NamedLayer, POLICY_KEYS, resolvePolicy, writtenValue } from '../../src/core/resolve-policy.ts';
import { RUN } from '../support/records.ts';

const HOUR_MS = 3_600_000;
/** The channels that are configured. */
const CHANNELS = ['webhook', 'slack'];

/** A layer as people write it. */
const layer = (source: string, written: object): NamedLayer => ({ source, layer: PolicyLayer.parse(written) });
const resolve = (layers: readonly NamedLayer[], limits: PolicyLimits = {}) => resolvePolicy(layers, limits, CHANNELS);

/** One value for every key that can be written, none of them the built-in one. */
const EVERY_KEY = {
  max_retries: 7,
  delay: '2m',
  backoff: 'linear',
  max_delay: '2h',
  jitter: 'full',
  strategy: 'from_failure',
  gate: 'immediate',
  settle_timeout: '1h',
  on_settle_timeout: 'clear',
  max_duration: '2h',
  retry_on: ['infra'],
  max_retries_by_class: { infra: 5 },
  only_tasks: ['a'],
  ignore_tasks: ['b'],
  ignore_operators: ['c'],
  never_on: ['d'],
  manual_runs: 'ignore',
  run_on_latest_version: true,
  alerts: 'every_attempt',
  alert_channels: ['slack'],
} as const;

describe('precedence', () => {
  test('without layers everything is built in', () => {
    const { policy, origins, clamped } = resolve([]);
    expect(policy).toEqual({ ...BUILT_IN_POLICY, alertChannels: CHANNELS });
    expect(new Set(Object.values(origins))).toEqual(new Set(['built-in']));
    expect(Object.keys(origins)).toEqual([...POLICY_KEYS]);
    expect(clamped).toEqual([]);
  });

  test('the table of keys above is complete', () => {
    expect(Object.keys(EVERY_KEY).toSorted()).toEqual([...POLICY_KEYS].toSorted());
  });

  test.each(POLICY_KEYS)('%s: a layer sets it, and the next one wins', (key) => {
    const set = resolve([layer('file', { [key]: EVERY_KEY[key] })]);
    expect(writtenValue(set.policy, key)).toEqual(EVERY_KEY[key]);
    expect(writtenValue(BUILT_IN_POLICY, key)).not.toEqual(EVERY_KEY[key]);
    expect(set.origins[key]).toBe('file');
    const other = key === 'only_tasks' ? ['z'] : writtenValue(BUILT_IN_POLICY, key);
    const overridden = resolve([layer('file', { [key]: EVERY_KEY[key] }), layer('callback', { [key]: other })]);
    expect(writtenValue(overridden.policy, key)).toEqual(other);
    expect(overridden.origins[key]).toBe('callback');
  });

  test('a layer that leaves a key out leaves it alone', () => {
    const layers = [layer('environment', { max_retries: 5 }), layer('file', { delay: '5s' }), layer('tags', {})];
    const { policy, origins } = resolve(layers);
    expect([policy.maxRetries, policy.delayMs]).toEqual([5, 5_000]);
    expect([origins.max_retries, origins.delay]).toEqual(['environment', 'file']);
  });

  test('lists and class caps are replaced whole, not merged', () => {
    const { policy } = resolve([
      layer('a', { never_on: ['A'], max_retries_by_class: { infra: 5 } }),
      layer('b', { never_on: ['B'], max_retries_by_class: { timeout: 1 } }),
    ]);
    expect(policy.neverOn).toEqual(['B']);
    expect(policy.maxRetriesByClass).toEqual({ timeout: 1 });
  });
});

describe('short forms', () => {
  test('N sets only the cap', () => {
    const { policy, origins } = resolve([layer('a', { retries: 3 })]);
    expect(policy).toMatchObject({ maxRetries: 3, delayMs: 60_000, backoff: 'exponential', jitter: 'spread' });
    expect([origins.max_retries, origins.delay]).toEqual(['a', 'built-in']);
  });

  test('[N, delay] waits exactly that long each time', () => {
    const { policy, origins } = resolve([layer('a', { retries: [3, '30s'] })]);
    expect(policy).toMatchObject({ maxRetries: 3, delayMs: 30_000, backoff: 'none', jitter: 'none' });
    expect([origins.delay, origins.backoff, origins.jitter]).toEqual(['a', 'a', 'a']);
  });

  test('[N, min, max] is an even ramp', () => {
    const { policy } = resolve([layer('a', { retries: [5, 300, 600] })]);
    expect(policy).toMatchObject({ maxRetries: 5, delayMs: 300_000, maxDelayMs: 600_000 });
    expect([1, 2, 3, 4, 5].map((n) => retryDelayMs(policy, RUN, n) / 1_000)).toEqual([300, 375, 450, 525, 600]);
  });

  test('what the same layer spells out wins', () => {
    const { policy } = resolve([layer('a', { retries: [3, '30s'], max_retries: 4, jitter: 'full', delay: '5s' })]);
    expect(policy).toMatchObject({ maxRetries: 4, delayMs: 5_000, backoff: 'none', jitter: 'full' });
  });

  test('a later short form replaces an earlier one', () => {
    const { policy } = resolve([layer('a', { retries: [5, 300, 600] }), layer('b', { retries: [2, '10s'] })]);
    expect([1, 2].map((n) => retryDelayMs(policy, RUN, n))).toEqual([10_000, 10_000]);
  });
});

describe('a delay longer than max_delay', () => {
  test('written later than max_delay raises it: nobody who asks for 2 h means 1 h', () => {
    const { policy, origins, clamped } = resolve([layer('environment', { delay: '2h', backoff: 'none' })]);
    expect(policy.maxDelayMs).toBe(2 * HOUR_MS);
    expect(origins.max_delay).toBe('environment');
    expect(clamped).toEqual([]);
    expect(retryDelayMs(policy, RUN, 1)).toBeGreaterThanOrEqual(2 * HOUR_MS);
  });

  test('holds for the short form', () => {
    const { policy } = resolve([layer('a', { retries: [3, '2h'] })]);
    expect(retryDelayMs(policy, RUN, 1)).toBe(2 * HOUR_MS);
  });

  test('is cut where max_delay was written in the same layer or a later one', () => {
    const same = resolve([layer('a', { delay: '2h', max_delay: '1h' })]);
    expect([same.policy.maxDelayMs, same.origins.max_delay]).toEqual([HOUR_MS, 'a']);
    const later = resolve([layer('a', { delay: '2h' }), layer('b', { max_delay: '1h' })]);
    expect([later.policy.maxDelayMs, later.origins.max_delay]).toEqual([HOUR_MS, 'b']);
  });

  test.each(['10s', '1h'])('one that is not longer (%s) leaves max_delay alone', (delay) => {
    const { policy, origins } = resolve([layer('a', { delay })]);
    expect([policy.maxDelayMs, origins.max_delay]).toEqual([HOUR_MS, 'built-in']);
  });
});

describe('limits', () => {
  test('lower what is above them, and say whose value they lowered', () => {
    const written = layer('callback', { max_retries: 9, delay: '3h', max_delay: '5h' });
    const { policy, origins, clamped } = resolve([written], { max_retries: 4, max_delay: 2 * HOUR_MS });
    expect(policy).toMatchObject({
      maxRetries: 4,
      maxRetriesLimit: 4,
      delayMs: 2 * HOUR_MS,
      maxDelayMs: 2 * HOUR_MS,
    });
    expect(clamped).toEqual([
      { key: 'max_retries', from: 9, to: 4, source: 'callback' },
      { key: 'delay', from: 3 * HOUR_MS, to: 2 * HOUR_MS, source: 'callback' },
      { key: 'max_delay', from: 5 * HOUR_MS, to: 2 * HOUR_MS, source: 'callback' },
    ]);
    expect([origins.max_retries, origins.delay, origins.max_delay]).toEqual(['limits', 'limits', 'limits']);
  });

  test('do not touch what is below them', () => {
    const { policy, clamped } = resolve([layer('a', { max_retries: 3 })], { max_retries: 3 });
    expect([policy.maxRetries, policy.maxRetriesLimit, clamped]).toEqual([3, 3, []]);
  });

  test('are built in where the file has none: 10 retries, a day', () => {
    const { policy } = resolve([layer('a', { max_retries: 999, max_delay: '48h' })]);
    expect([policy.maxRetries, policy.maxDelayMs]).toEqual([10, 24 * HOUR_MS]);
  });

  test('of the file can be higher than the built-in ones', () => {
    const { policy } = resolve([layer('a', { max_retries: 50 })], { max_retries: 100 });
    expect([policy.maxRetries, policy.maxRetriesLimit]).toEqual([50, 100]);
  });
});

test('resolving changes no layer and gives the same answer again', () => {
  const anyLayer = fc.record(
    { max_retries: fc.nat(20), delay: fc.nat(90_000), max_delay: fc.nat(90_000), never_on: fc.array(fc.string()) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(anyLayer, { maxLength: 5 }), fc.nat(20), (layers, limit) => {
      const named = layers.map((one, index) => ({ source: `${index}`, layer: Object.freeze(one) }));
      const first = resolve(named, { max_retries: limit });
      expect(resolve(named, { max_retries: limit })).toEqual(first);
      expect(first.policy.maxRetries).toBeLessThanOrEqual(limit);
      expect(first.policy.maxDelayMs).toBeLessThanOrEqual(24 * HOUR_MS);
    }),
  );
});

describe('alert channels', () => {
  const chosen = (...alert_channels: string[]) => resolve([layer('file', { alert_channels })]);

  test('all that are configured, unless a layer chooses; nobody is a choice too', () => {
    expect(resolve([]).policy.alertChannels).toEqual(['webhook', 'slack']);
    expect(chosen('slack', 'slack').policy.alertChannels).toEqual(['slack']);
    expect(chosen().policy.alertChannels).toEqual([]);
    expect(chosen().unconfiguredChannels).toEqual([]);
  });

  test('one that is not configured is told of, and the others are used', () => {
    const { policy, unconfiguredChannels } = chosen('pagerduty', 'slack');
    expect([policy.alertChannels, unconfiguredChannels]).toEqual([['slack'], ['pagerduty']]);
  });

  test('where none of those chosen is configured, everybody else is told rather than nobody', () => {
    const { policy, unconfiguredChannels } = chosen('pagerduty');
    expect([policy.alertChannels, unconfiguredChannels]).toEqual([['webhook', 'slack'], ['pagerduty']]);
  });

  test('a name that is none is refused with the nearest one', () => {
    const read = PolicyLayer.safeParse({ alert_channels: ['slak'] });
    expect(read.error?.issues[0]?.message).toBe('"slak" is no alert channel; the nearest is "slack"');
  });
});
