import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PolicyLayer } from '../../src/core/policy-layer.ts';
import { readTags } from '../../src/core/tag-layer.ts';

describe('readTags', () => {
  test.each([
    ['dagain/max_retries=3', { max_retries: 3 }],
    ['dagain/max_retries=0', { max_retries: 0 }],
    ['dagain/delay=5m', { delay: 300_000 }],
    ['dagain/delay=90', { delay: 90_000 }],
    ['dagain/retries=3', { retries: { max_retries: 3 } }],
    ['dagain/retries=3,30s', { retries: { max_retries: 3, delay: 30_000, backoff: 'none', jitter: 'none' } }],
    [
      'dagain/retries=5,300,600',
      { retries: { max_retries: 5, delay: 300_000, max_delay: 600_000, backoff: 'ramp', jitter: 'none' } },
    ],
    ['dagain/max_retries=unlimited', { max_retries: 1_000 }],
    ['dagain/retry_on=infra, timeout', { retry_on: ['infra', 'timeout'] }],
    ['dagain/never_on=ValueError,my.pkg.*', { never_on: ['ValueError', 'my.pkg.*'] }],
    ['dagain/only_tasks=', { only_tasks: [] }],
    ['dagain/max_retries_by_class=infra:5,timeout:1', { max_retries_by_class: { infra: 5, timeout: 1 } }],
    ['dagain/run_on_latest_version=true', { run_on_latest_version: true }],
    ['dagain/gate = immediate', { gate: 'immediate' }],
  ])('%s', (tag, layer) => {
    expect(readTags([tag])).toEqual({ layer, problems: [] });
  });

  test.each([
    ['dagain/max_retries', /must be of the form/],
    ['dagain/max_retry=3', /"max_retry" is not a policy key; the nearest is "max_retries"/],
    ['dagain/max_retries=three', /whole number/],
    ['dagain/max_retries=-1', /whole number/],
    ['dagain/max_retries=', /whole number/],
    ['dagain/delay=soon', /duration/],
    ['dagain/retries=', /must be N/],
    ['dagain/retries=1,2,3,4', /must be N/],
    ['dagain/run_on_latest_version=yes', /./],
    ['dagain/max_retries_by_class=infra', /./],
    ['dagain/max_retries_by_class=errors:1', /./],
    ['dagain/__proto__=1', /not a policy key/],
    ['dagain/constructor=1', /not a policy key/],
    ['dagain/=1', /not a policy key/],
  ])('%s is reported and counts for nothing', (tag, message) => {
    const { layer, problems } = readTags([tag, 'dagain/delay=5s']);
    expect(layer).toEqual({ delay: 5_000 });
    expect(problems).toEqual([{ tag, message: expect.stringMatching(message) }]);
  });

  test('other tags are none of our business', () => {
    expect(readTags(['dagain', 'max_retries=3', 'Dagain/max_retries=3', 'x/dagain/delay=1'])).toEqual({
      layer: {},
      problems: [],
    });
  });

  test('of two tags for one key the later one counts', () => {
    expect(readTags(['dagain/max_retries=3', 'dagain/max_retries=1']).layer).toEqual({ max_retries: 1 });
  });

  test('never throws, and what it reads is a valid layer', () => {
    const key = fc.oneof(fc.constantFrom(...Object.keys(PolicyLayer.shape)), fc.string());
    const tag = fc.tuple(key, fc.string()).map(([name, value]) => `dagain/${name}=${value}`);
    fc.assert(
      fc.property(fc.array(tag), (tags) => {
        const { layer, problems } = readTags(tags);
        expect(Object.keys(PolicyLayer.shape)).toEqual(expect.arrayContaining(Object.keys(layer)));
        expect(problems.length).toBeLessThanOrEqual(tags.length);
      }),
    );
  });
});
