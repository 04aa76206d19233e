import { BUILT_IN_POLICY, type RetryPolicy } from '../../src/core/policy.ts';
import { BUILT_IN_TIMING, type Rules } from '../../src/core/rules.ts';

/** The built-in policy with exact delays (no jitter) and one alert channel. */
export function policyWith(changes: Partial<RetryPolicy> = {}): RetryPolicy {
  return { ...BUILT_IN_POLICY, jitter: 'none', alertChannels: ['webhook'], ...changes };
}

/** What a transition is decided under: `policyWith`, the built-in timing, and tags that are known. */
export function rulesWith(changes: Partial<RetryPolicy> = {}, rules: Partial<Omit<Rules, 'policy'>> = {}): Rules {
  return {
    timing: BUILT_IN_TIMING,
    isProvisional: false,
    isOverrideClamped: false,
    pause: null,
    isShadow: false,
    ...rules,
    policy: policyWith(changes),
  };
}
