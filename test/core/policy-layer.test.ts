import { describe, expect, test } from 'vitest';
import { PolicyLayer, PolicyLimits } from '../../src/core/policy-layer.ts';

const issueOf = (written: unknown) => PolicyLayer.safeParse(written).error?.issues[0];

describe('PolicyLayer', () => {
  test('parses durations to milliseconds and leaves out what is not there', () => {
    expect(PolicyLayer.parse({ delay: '30s', max_delay: 90, retries: [3, '1m'] })).toEqual({
      delay: 30_000,
      max_delay: 90_000,
      retries: { max_retries: 3, delay: 60_000, backoff: 'none', jitter: 'none' },
    });
    expect(PolicyLayer.parse({})).toEqual({});
  });

  test.each([
    [{ retries: -1 }],
    [{ retries: 1.5 }],
    [{ retries: '3' }],
    [{ retries: [] }],
    [{ retries: [3] }],
    [{ retries: [3, 'soon'] }],
    [{ retries: [3, 1, 2, 3] }],
    [{ retries: 1_001 }],
    [{ max_retries: -1 }],
    [{ max_retries: 2.5 }],
    [{ max_retries: null }],
    [{ max_retries: Number.NaN }],
    [{ delay: -1 }],
    [{ delay: null }],
    [{ backoff: 'quadratic' }],
    [{ gate: 'open' }],
    [{ retry_on: ['errors'] }],
    [{ retry_on: 'infra' }],
    [{ max_retries_by_class: { errors: 1 } }],
    [{ max_retries_by_class: { infra: -1 } }],
    [{ max_retries_by_class: { infra: 1.5 } }],
    [{ only_tasks: [''] }],
    [{ only_tasks: 'publish' }],
    [{ only_tasks: ['x'.repeat(251)] }],
    [{ never_on: Array.from({ length: 101 }, () => 'x') }],
    [{ run_on_latest_version: 'yes' }],
    [{ max_retry: 3 }],
    [{ match: 'etl_*' }],
    [JSON.parse('{"__proto__": {"max_retries": 9}}')],
    [[]],
    [null],
    ['3'],
  ])('refuses %j', (written) => {
    expect(issueOf(written)).toBeDefined();
  });

  test('names the short forms it takes', () => {
    expect(issueOf({ retries: [3] })).toMatchObject({
      path: ['retries'],
      message: 'must be N, [N, delay] or [N, min, max], where N is a whole number or unlimited',
    });
    expect(issueOf({ max_retries: 1.5 })?.message).toBe(
      'must be a whole number of retries from 0 to 1000, or unlimited',
    );
  });

  test('every key says what it is for', () => {
    for (const [key, schema] of Object.entries(PolicyLayer.shape)) {
      expect(schema.unwrap().description, key).toMatch(/\.$/);
    }
  });
});

test('PolicyLimits takes its two keys and nothing else', () => {
  expect(PolicyLimits.parse({ max_retries: 3, max_delay: '1h' })).toEqual({ max_retries: 3, max_delay: 3_600_000 });
  expect(PolicyLimits.safeParse({ delay: '1h' }).success).toBe(false);
});
