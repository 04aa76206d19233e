import { describe, expect, test } from 'vitest';
import { PolicyLayer, PolicyLimits } from '../../src/core/policy-layer.ts';
import { BUILT_IN_TIMING } from '../../src/core/rules.ts';
import { createDagTags, FRESH_MS } from '../../src/engine/dag-tags.ts';
import { createPolicies, type PolicyDocument } from '../../src/engine/policies.ts';
import type { DagDescription } from '../../src/orchestrator/port.ts';
import { createFakeLog } from '../http/serve.ts';
import { createVirtualTimers } from '../support/timers.ts';

interface Written {
  readonly environment?: object;
  readonly defaults?: object;
  readonly dags?: readonly { readonly match: string; readonly [key: string]: unknown }[];
  readonly limits?: object;
}

function documentOf({ environment = {}, defaults = {}, dags = [], limits = {} }: Written): PolicyDocument {
  const entries = dags.map(({ match, ...layer }) => ({ match, ...PolicyLayer.parse(layer) }));
  const file = { defaults: PolicyLayer.parse(defaults), dags: entries, limits: PolicyLimits.parse(limits) };
  return { environment: PolicyLayer.parse(environment), file };
}

/** Policies over a document and a Dag with these tags, which have not been read yet. */
function setUp(written: Written, ...tagged: string[]) {
  const clock = createVirtualTimers();
  let document = documentOf(written);
  let dag: DagDescription = { type: 'found', tags: tagged, isPaused: false };
  const tags = createDagTags({ orchestrator: { describeDag: async () => dag }, clock, log: createFakeLog() });
  const policies = createPolicies({
    current: () => document,
    timing: BUILT_IN_TIMING,
    alertChannels: ['webhook'],
    tags,
  });
  return {
    clock,
    policies,
    write(next: Written) {
      document = documentOf(next);
    },
    answer(next: DagDescription) {
      dag = next;
    },
    policyOf: async (dagId = 'etl', override: Record<string, unknown> | null = null) =>
      (await policies.rulesFor(dagId, override)).policy,
  };
}

describe('precedence', () => {
  const LAYERS: Written = {
    environment: { max_retries: 1, delay: '1s' },
    defaults: { max_retries: 2, max_delay: '2m', jitter: 'none' },
    dags: [
      { match: 'etl_*', max_retries: 3, settle_timeout: '3m' },
      { match: 'etl_daily', max_retries: 99 },
    ],
  };

  test('each key is looked up on its own, from the environment up to the callback', async () => {
    const { policies } = setUp(LAYERS, 'dagain/max_retries=4', 'dagain/max_duration=4h');
    await policies.refresh('etl_daily');
    const { policy } = await policies.rulesFor('etl_daily', { max_retries: 5, gate: 'immediate' });
    expect(policy).toMatchObject({
      backoff: 'exponential',
      delayMs: 1_000,
      maxDelayMs: 120_000,
      jitter: 'none',
      settleTimeoutMs: 180_000,
      maxDurationMs: 4 * 3_600_000,
      gate: 'immediate',
      maxRetries: 5,
      alertChannels: ['webhook'],
    });
  });

  test('tags stand between the file and the callback', async () => {
    const { policies, policyOf } = setUp(LAYERS, 'dagain/max_retries=4');
    expect((await policyOf('etl_daily')).maxRetries).toBe(3);
    await policies.refresh('etl_daily');
    expect((await policyOf('etl_daily')).maxRetries).toBe(4);
    expect((await policyOf('etl_daily', { max_retries: 5 })).maxRetries).toBe(5);
    expect((await policyOf('etl_daily', { delay: 7 })).maxRetries).toBe(4);
  });

  test('the first entry that matches counts, and only that one', async () => {
    const { policyOf } = setUp(LAYERS);
    expect((await policyOf('etl_daily')).maxRetries).toBe(3);
    expect((await policyOf('other')).maxRetries).toBe(2);
    expect((await policyOf('other')).settleTimeoutMs).toBe(6 * 3_600_000);
  });

  test('is explained by where each value comes from', async () => {
    const { policies } = setUp(LAYERS, 'dagain/max_duration=4h', 'dagain/delay=soon');
    const explained = await policies.explain('etl_daily');
    expect(explained.origins).toMatchObject({
      backoff: 'built-in',
      delay: 'environment',
      jitter: 'policy file, defaults',
      settle_timeout: 'policy file, dags[0] (etl_*)',
      max_duration: 'Dag tags',
    });
    expect(explained).toMatchObject({ tagsKnown: true, tagProblems: [{ tag: 'dagain/delay=soon' }] });
  });

  test.each([
    [{ type: 'missing' }],
    [{ type: 'unavailable', reason: 'forbidden', detail: '', retryAfterMs: null }],
    [{ type: 'unavailable', reason: 'unreachable', detail: '', retryAfterMs: null }],
  ] as const)('an explanation without the tags says so: %j', async (dag) => {
    const { policies, answer } = setUp(LAYERS, 'dagain/max_retries=4');
    answer(dag);
    expect(await policies.explain('etl_daily')).toMatchObject({ tagsKnown: false, policy: { maxRetries: 3 } });
  });
});

describe('limits', () => {
  const LIMITED: Written = { limits: { max_retries: 4, max_delay: '10m' } };

  test('cut what a callback asks for, and its answer can say so', async () => {
    const { policies } = setUp(LIMITED);
    expect(await policies.rulesFor('etl', { max_retries: 50 })).toMatchObject({
      isOverrideClamped: true,
      policy: { maxRetries: 4 },
    });
    expect(await policies.rulesFor('etl', { delay: '1h' })).toMatchObject({
      isOverrideClamped: true,
      policy: { delayMs: 600_000, maxDelayMs: 600_000 },
    });
    expect(await policies.rulesFor('etl', { retries: [50, '1s'] })).toMatchObject({ isOverrideClamped: true });
  });

  test('that cut what others ask for are no fault of the callback', async () => {
    const { policies } = setUp({ ...LIMITED, defaults: { max_retries: 9 } }, 'dagain/max_delay=5h');
    await policies.refresh('etl');
    for (const override of [null, { gate: 'immediate' }, { max_retries: 4, max_delay: '10m' }]) {
      const { policy, isOverrideClamped } = await policies.rulesFor('etl', override);
      expect([policy.maxRetries, policy.maxDelayMs, isOverrideClamped]).toEqual([4, 600_000, false]);
    }
  });

  test('cut what tags ask for', async () => {
    const { policies, policyOf } = setUp(LIMITED, 'dagain/max_retries=unlimited');
    await policies.refresh('etl');
    expect((await policyOf()).maxRetries).toBe(4);
    expect((await policies.explain('etl')).clamped).toContainEqual({
      key: 'max_retries',
      from: 1_000,
      to: 4,
      source: 'Dag tags',
    });
  });
});

describe('a callback’s own layer', () => {
  test('that this version does not understand is left out rather than fatal', async () => {
    const { policyOf } = setUp({ defaults: { max_retries: 1 } });
    expect((await policyOf('etl', { max_retries: 5, from_the_future: true })).maxRetries).toBe(1);
    expect((await policyOf('etl', { max_retries: 'many' })).maxRetries).toBe(1);
  });

  test('holds for its own run only', async () => {
    const { policyOf } = setUp({});
    expect((await policyOf('etl', { max_retries: 5 })).maxRetries).toBe(5);
    expect((await policyOf('etl')).maxRetries).toBe(2);
    expect((await policyOf('etl', { max_retries: 0 })).maxRetries).toBe(0);
  });
});

describe('rules are provisional', () => {
  const isProvisional = async ({ policies }: ReturnType<typeof setUp>) =>
    (await policies.rulesFor('etl', null)).isProvisional;

  test('until the Dag has been read', async () => {
    const set = setUp({}, 'dagain/max_retries=3');
    expect(await isProvisional(set)).toBe(true);
    await set.policies.refresh('etl');
    expect(await isProvisional(set)).toBe(false);
  });

  test('again when its tags are old: a Dag that was off may have been switched on since', async () => {
    const set = setUp({ defaults: { max_retries: 0 } });
    await set.policies.refresh('etl');
    set.answer({ type: 'found', tags: ['dagain/max_retries=3'], isPaused: false });
    await set.clock.advanceBy(FRESH_MS);
    expect(await set.policies.rulesFor('etl', null)).toMatchObject({ isProvisional: true, policy: { maxRetries: 0 } });
    await set.policies.refresh('etl');
    expect(await set.policies.rulesFor('etl', null)).toMatchObject({ isProvisional: false, policy: { maxRetries: 3 } });
  });

  test('not while Airflow is out and the tags were known: alerts need not wait for it', async () => {
    const set = setUp({});
    await set.policies.refresh('etl');
    await set.clock.advanceBy(FRESH_MS);
    set.answer({ type: 'unavailable', reason: 'unreachable', detail: '', retryAfterMs: null });
    expect(await set.policies.refresh('etl')).toBe(true);
    expect(await isProvisional(set)).toBe(false);
  });

  test('while an outage hides tags that were never read', async () => {
    const set = setUp({});
    set.answer({ type: 'unavailable', reason: 'unreachable', detail: '', retryAfterMs: null });
    expect(await set.policies.refresh('etl')).toBe(false);
    expect(await isProvisional(set)).toBe(true);
  });

  test('not for a Dag that Airflow does not know: its runs do not wait for ever', async () => {
    const set = setUp({ defaults: { max_retries: 1 } });
    set.answer({ type: 'missing' });
    expect(await set.policies.refresh('etl')).toBe(true);
    expect(await set.policies.rulesFor('etl', null)).toMatchObject({ isProvisional: false, policy: { maxRetries: 1 } });
  });
});

describe('what was resolved is remembered', () => {
  test('until the policy file changes', async () => {
    const { policyOf, write } = setUp({ defaults: { max_retries: 1 } });
    const first = await policyOf();
    expect(await policyOf()).toBe(first);
    write({ defaults: { max_retries: 7 } });
    expect((await policyOf()).maxRetries).toBe(7);
    expect(await policyOf()).not.toBe(first);
  });

  test('until the Dag’s tags change', async () => {
    const { clock, policies, policyOf, answer } = setUp({}, 'dagain/max_retries=3');
    await policies.refresh('etl');
    const first = await policyOf();
    expect(await policyOf()).toBe(first);
    await clock.advanceBy(FRESH_MS);
    answer({ type: 'found', tags: ['dagain/max_retries=6'], isPaused: false });
    expect(await policyOf()).toBe(first);
    await policies.refresh('etl');
    expect((await policyOf()).maxRetries).toBe(6);
  });

  test('of a bounded number of Dags', async () => {
    const { policyOf } = setUp({});
    const first = await policyOf('first');
    for (let n = 0; n < 9_999; n += 1) await policyOf(`dag_${n}`);
    expect(await policyOf('first')).toBe(first);
    await policyOf('one more');
    const again = await policyOf('first');
    expect(again).not.toBe(first);
    expect(again).toEqual(first);
  });
});
