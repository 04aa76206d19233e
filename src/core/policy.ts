import { z } from 'zod';

/** Why a run failed, as far as the callback and Airflow tell. */
export const FailureClass = z.enum(['task_error', 'infra', 'timeout', 'deadlock']);
export type FailureClass = z.infer<typeof FailureClass>;

export const Backoff = z.enum(['none', 'linear', 'exponential', 'ramp', 'uniform']);
export type Backoff = z.infer<typeof Backoff>;

export const Jitter = z.enum(['none', 'full', 'plus_minus', 'spread']);
export type Jitter = z.infer<typeof Jitter>;

export const Strategy = z.enum(['all_tasks', 'from_failure']);
export type Strategy = z.infer<typeof Strategy>;

export const AlertPolicy = z.enum(['final', 'every_attempt', 'first_failure']);
export type AlertPolicy = z.infer<typeof AlertPolicy>;

/** Where alerts can go. */
export const CHANNEL_NAMES = ['webhook', 'slack', 'pagerduty', 'alertmanager', 'teams', 'email'] as const;

/** The policy in force for one run: every value resolved, durations in milliseconds. */
export interface RetryPolicy {
  /** Retries on top of the original attempt; 0 turns retries off. */
  readonly maxRetries: number;
  /** What nothing passes, class caps and grants included. */
  readonly maxRetriesLimit: number;
  readonly delayMs: number;
  readonly backoff: Backoff;
  readonly maxDelayMs: number;
  readonly jitter: Jitter;
  readonly strategy: Strategy;
  readonly gate: 'settled' | 'immediate';
  readonly settleTimeoutMs: number;
  readonly onSettleTimeout: 'clear' | 'give_up';
  /** From the first failure; a retry that would fall later is given up. */
  readonly maxDurationMs: number;
  readonly retryOn: readonly FailureClass[];
  /** A class named here has a cap of its own, counted apart from `maxRetries`. */
  readonly maxRetriesByClass: Readonly<Partial<Record<FailureClass, number>>>;
  readonly onlyTasks: readonly string[] | null;
  readonly ignoreTasks: readonly string[];
  readonly ignoreOperators: readonly string[];
  readonly neverOn: readonly string[];
  readonly manualRuns: 'retry' | 'ignore';
  readonly runOnLatestVersion: boolean;
  readonly alerts: AlertPolicy;
  /** Names of the alert channels that hear of this run. */
  readonly alertChannels: readonly string[];
}

/** What the service does when nobody says otherwise; the documentation's table is checked against it. */
export const BUILT_IN_POLICY: RetryPolicy = {
  maxRetries: 2,
  maxRetriesLimit: 10,
  delayMs: 60_000,
  backoff: 'exponential',
  maxDelayMs: 3_600_000,
  jitter: 'spread',
  strategy: 'all_tasks',
  gate: 'settled',
  settleTimeoutMs: 6 * 3_600_000,
  onSettleTimeout: 'give_up',
  maxDurationMs: 24 * 3_600_000,
  retryOn: FailureClass.options,
  maxRetriesByClass: {},
  onlyTasks: null,
  ignoreTasks: [],
  ignoreOperators: [],
  neverOn: ['AirflowFailException'],
  manualRuns: 'retry',
  runOnLatestVersion: false,
  alerts: 'final',
  alertChannels: [],
};
