import type { RetryPolicy } from './policy.ts';
import { formatRunKey, type RunKey } from './run-key.ts';

/**
 * The delay before retry `n` (1 for the first), without jitter or upper limit, in milliseconds; `d` is `delayMs`.
 *
 * none `d`, linear `n * d`, exponential `(2^n - 1) * d` as in Dagster's `RetryPolicy`
 * (https://docs.dagster.io/api/dagster/ops#dagster.RetryPolicy); ramp runs evenly from `delayMs` to `maxDelayMs` over
 * the retries, `min + (k - 1) / max(N - 1, 1) * (max - min)`, as in Coflux (https://docs.coflux.com/retries); `N` is
 * the largest cap, where single failure classes have caps of their own. uniform lies at `random` (in [0, 1)) between
 * the two, as Coflux draws it where the number of retries is not limited.
 */
export function baseDelayMs(policy: RetryPolicy, n: number, random: number): number {
  const { delayMs, maxDelayMs } = policy;
  switch (policy.backoff) {
    case 'none':
      return delayMs;
    case 'linear':
      return n * delayMs;
    case 'exponential':
      return (2 ** n - 1) * delayMs;
    case 'ramp': {
      const steps = Math.max(policy.maxRetries, ...Object.values(policy.maxRetriesByClass)) - 1;
      const progress = steps > 0 ? Math.min(n - 1, steps) / steps : 0;
      return delayMs + progress * (maxDelayMs - delayMs);
    }
    case 'uniform':
      return delayMs + random * (maxDelayMs - delayMs);
  }
}

/**
 * The delay before retry `n` of this run in whole milliseconds, between 0 and `maxDelayMs`. Jitter is a pure function
 * of run and retry, so that every replica and every replay computes the same delay.
 *
 * full and plus_minus as in Dagster; spread adds up to a fifth, so that runs which failed together come back apart,
 * and none earlier than asked.
 */
export function retryDelayMs(policy: RetryPolicy, key: RunKey, n: number): number {
  const random = unitHash(`${formatRunKey(key)}#${n}`);
  const baseMs = Math.min(baseDelayMs(policy, n, unitHash(`${formatRunKey(key)}#${n}#base`)), policy.maxDelayMs);
  return Math.round(Math.min(Math.max(0, jittered(policy, baseMs, random)), policy.maxDelayMs));
}

function jittered(policy: RetryPolicy, baseMs: number, random: number): number {
  switch (policy.jitter) {
    case 'none':
      return baseMs;
    case 'full':
      return random * baseMs;
    case 'plus_minus':
      return baseMs + 2 * random * policy.delayMs - policy.delayMs;
    case 'spread':
      return baseMs * (1 + 0.2 * random);
  }
}

/**
 * When the retry is due: the delay counts from the end of the failed attempt, `max(0, delay - (now - ended))`, as in
 * DolphinScheduler. An end in the future (a worker's clock may be ahead) counts as now.
 */
export function retryDueAtMs(policy: RetryPolicy, key: RunKey, n: number, endedAtMs: number, nowMs: number): number {
  return Math.max(nowMs, Math.min(endedAtMs, nowMs) + retryDelayMs(policy, key, n));
}

/** Maps text to [0, 1) evenly: FNV-1a over UTF-16 code units, then the finisher of MurmurHash3. */
export function unitHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
