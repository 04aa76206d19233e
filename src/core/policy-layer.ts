import { z } from 'zod';
import { Duration } from './duration.ts';
import { nearest } from './nearest.ts';
import { AlertPolicy, Backoff, CHANNEL_NAMES, FailureClass, Jitter, Strategy } from './policy.ts';

/** The most retries that anybody can ask for; the limits are far below. */
const MOST_RETRIES = 1_000;
const Count = z.int('must be a whole number of retries, 0 or more').min(0).max(MOST_RETRIES);
const Unlimited = z.literal('unlimited').transform(() => MOST_RETRIES);
const Retries = z.union([Count, Unlimited], {
  error: `must be a whole number of retries from 0 to ${MOST_RETRIES}, or unlimited`,
});
const Globs = z.array(z.string().min(1).max(250)).max(100);

const Channel = z.enum(CHANNEL_NAMES, {
  error: ({ input }) =>
    `${JSON.stringify(input)} is no alert channel; the nearest is "${nearest(String(input), CHANNEL_NAMES)}"`,
});

/** Without a number of retries there is no ramp: Coflux then draws each delay from the whole range. */
const UniformForm = z.tuple([z.literal('unlimited'), Duration, Duration]);

/** `N`, `[N, delay]` or `[N, min, max]`, as in Coflux: exact times, so without jitter. */
const ShortForm = z
  .union([Retries, z.tuple([Retries, Duration]), z.tuple([Count, Duration, Duration]), UniformForm], {
    error: 'must be N, [N, delay] or [N, min, max], where N is a whole number or unlimited',
  })
  .transform(expandShortForm);

type WrittenShortForm =
  | number
  | readonly [number, number]
  | readonly [number, number, number]
  | readonly ['unlimited', number, number];

function expandShortForm(written: WrittenShortForm) {
  if (typeof written === 'number') return { max_retries: written };
  const [count, delay, max] = written;
  const max_retries = count === 'unlimited' ? MOST_RETRIES : count;
  if (max === undefined) return { max_retries, delay, backoff: 'none', jitter: 'none' } as const;
  const backoff = count === 'unlimited' ? 'uniform' : 'ramp';
  return { max_retries, delay, max_delay: max, backoff, jitter: 'none' } as const;
}

/**
 * One layer of policy as people write it, in the environment, the policy file, a Dag's tags or a callback: every key
 * may be left out, no other key may be there. Durations parse to milliseconds.
 */
export const PolicyLayer = z
  .strictObject({
    retries: ShortForm.describe(
      'Short for max_retries and delay: N, [N, delay], [N, min, max] for an even ramp, [unlimited, min, max].',
    ),
    max_retries: Retries.describe('Retries on top of the original attempt; 0 turns retries off.'),
    delay: Duration.describe('Counts from the end of the failed attempt.'),
    backoff: Backoff.describe(
      'none: d. linear: n*d. exponential: (2^n - 1)*d. ramp: evenly from delay to max_delay. uniform: anywhere between.',
    ),
    max_delay: Duration.describe('No delay is longer, jitter included; the end of a ramp.'),
    jitter: Jitter.describe(
      'none. full: 0 to 1 times the delay. plus_minus: up to one delay more or less. spread: up to a fifth more.',
    ),
    strategy: Strategy.describe(
      'all_tasks: the whole run again. from_failure: only failed tasks and what follows them.',
    ),
    gate: z.enum(['settled', 'immediate']).describe('settled: wait until the run has failed. immediate: do not wait.'),
    settle_timeout: Duration.describe('How long to wait for the run to settle.'),
    on_settle_timeout: z.enum(['clear', 'give_up']).describe('What happens when it has not settled by then.'),
    max_duration: Duration.describe('From the first failure; retries that would fall later are given up.'),
    retry_on: z.array(FailureClass).describe('Failure classes that are retried.'),
    max_retries_by_class: z
      .partialRecord(FailureClass, Retries)
      .describe('Caps of their own for single failure classes, counted apart from max_retries.'),
    only_tasks: Globs.describe('Task ids (globs): a failure of any other task starts nothing.'),
    ignore_tasks: Globs.describe('Task ids (globs) whose failures start nothing.'),
    ignore_operators: Globs.describe('Operator names (globs) whose failures start nothing.'),
    never_on: Globs.describe('Exception types that are never retried: dotted name, its last part, or a glob.'),
    manual_runs: z.enum(['retry', 'ignore']).describe('Whether runs that a person triggered are retried.'),
    run_on_latest_version: z.boolean().describe('Whether the new attempt runs on the newest bundle version (3.1+).'),
    alerts: AlertPolicy.describe('final: when retries end. every_attempt, first_failure: then as well.'),
    alert_channels: z
      .array(Channel)
      .max(CHANNEL_NAMES.length)
      .describe('Where alerts go; unset: to every channel that is configured. Empty: nowhere.'),
  })
  .partial();
export type PolicyLayer = z.infer<typeof PolicyLayer>;

/** What no layer passes. */
export const PolicyLimits = z
  .strictObject({
    max_retries: Retries.describe('The highest cap, class caps and grants included.'),
    max_delay: Duration.describe('The longest delay.'),
  })
  .partial();
export type PolicyLimits = z.infer<typeof PolicyLimits>;
