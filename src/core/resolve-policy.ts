import { formatDurationMs } from './duration.ts';
import { BUILT_IN_POLICY, type RetryPolicy } from './policy.ts';
import type { PolicyLayer, PolicyLimits } from './policy-layer.ts';

/** A layer and where it came from, such as `policy file, dags[2]`. */
export interface NamedLayer {
  readonly source: string;
  readonly layer: PolicyLayer;
}

/** The policy in force, where each of its values came from, and which values the limits have lowered. */
export interface ResolvedPolicy {
  readonly policy: RetryPolicy;
  readonly origins: Readonly<Record<PolicyKey, string>>;
  readonly clamped: readonly {
    readonly key: PolicyKey;
    readonly from: number;
    readonly to: number;
    readonly source: string;
  }[];
  /** Channels that are asked for and not configured: nothing can be sent there. */
  readonly unconfiguredChannels: readonly string[];
}
export type PolicyKey = Exclude<keyof PolicyLayer, 'retries'>;

// Which resolved field each written key sets; `satisfies` keeps the two vocabularies together.
const FIELDS = {
  max_retries: 'maxRetries',
  delay: 'delayMs',
  backoff: 'backoff',
  max_delay: 'maxDelayMs',
  jitter: 'jitter',
  strategy: 'strategy',
  gate: 'gate',
  settle_timeout: 'settleTimeoutMs',
  on_settle_timeout: 'onSettleTimeout',
  max_duration: 'maxDurationMs',
  retry_on: 'retryOn',
  max_retries_by_class: 'maxRetriesByClass',
  only_tasks: 'onlyTasks',
  ignore_tasks: 'ignoreTasks',
  ignore_operators: 'ignoreOperators',
  never_on: 'neverOn',
  manual_runs: 'manualRuns',
  run_on_latest_version: 'runOnLatestVersion',
  alerts: 'alerts',
  alert_channels: 'alertChannels',
} as const satisfies Record<PolicyKey, keyof RetryPolicy>;

export const POLICY_KEYS = Object.keys(FIELDS) as readonly PolicyKey[];

const DURATIONS: ReadonlySet<PolicyKey> = new Set(['delay', 'max_delay', 'settle_timeout', 'max_duration']);

/** The value of `key` as it would stand in the policy file. */
export function writtenValue(policy: RetryPolicy, key: PolicyKey): unknown {
  const value = policy[FIELDS[key]];
  return DURATIONS.has(key) && typeof value === 'number' ? formatDurationMs(value) : value;
}

/**
 * Lays `layers`, lowest precedence first, over the built-in policy; then `limits`, which nothing passes. `alertChannels`
 * are the configured ones: all of them where no layer chooses. Pure.
 */
export function resolvePolicy(
  layers: readonly NamedLayer[],
  limits: PolicyLimits,
  alertChannels: readonly string[],
): ResolvedPolicy {
  const origins = Object.fromEntries(POLICY_KEYS.map((key) => [key, 'built-in'])) as Record<PolicyKey, string>;
  let policy: RetryPolicy = { ...BUILT_IN_POLICY, alertChannels };
  const writtenBy: Partial<Record<PolicyKey, number>> = {};
  for (const [index, { source, layer }] of layers.entries()) {
    const expanded = expandShortForm(layer);
    for (const key of POLICY_KEYS) {
      if (expanded[key] === undefined) continue;
      policy = { ...policy, [FIELDS[key]]: expanded[key] };
      origins[key] = source;
      writtenBy[key] = index;
    }
  }
  // Whoever asks for 2 h after somebody below has capped delays at 1 h means 2 h: a run must not come back earlier.
  if (policy.delayMs > policy.maxDelayMs && (writtenBy.delay ?? -1) > (writtenBy.max_delay ?? -1)) {
    policy = { ...policy, maxDelayMs: policy.delayMs };
    origins.max_delay = origins.delay;
  }
  const { known, unknown } = reachable(policy.alertChannels, alertChannels);
  const clamped = clamp({ ...policy, alertChannels: known }, origins, limits);
  return { ...clamped, unconfiguredChannels: unknown };
}

/** Alerts fail open: where none of the channels that were chosen is configured, all others are told. */
function reachable(chosen: readonly string[], configured: readonly string[]) {
  const known = [...new Set(chosen)].filter((channel) => configured.includes(channel));
  const unknown = chosen.filter((channel) => !configured.includes(channel));
  return { known: known.length === 0 && unknown.length > 0 ? configured : known, unknown };
}

/** Explicit keys of the same layer win over its short form, which has been expanded when it was read. */
function expandShortForm({ retries, ...explicit }: PolicyLayer): PolicyLayer {
  return { ...retries, ...explicit };
}

function clamp(
  policy: RetryPolicy,
  origins: Record<PolicyKey, string>,
  limits: PolicyLimits,
): Omit<ResolvedPolicy, 'unconfiguredChannels'> {
  const clamped: { key: PolicyKey; from: number; to: number; source: string }[] = [];
  const lower = (key: 'max_retries' | 'delay' | 'max_delay', from: number, to: number) => {
    if (from <= to) return from;
    clamped.push({ key, from, to, source: origins[key] });
    origins[key] = 'limits';
    return to;
  };
  const maxRetriesLimit = limits.max_retries ?? policy.maxRetriesLimit;
  const maxDelayLimitMs = limits.max_delay ?? 24 * 3_600_000;
  return {
    policy: {
      ...policy,
      maxRetriesLimit,
      maxRetries: lower('max_retries', policy.maxRetries, maxRetriesLimit),
      delayMs: lower('delay', policy.delayMs, maxDelayLimitMs),
      maxDelayMs: lower('max_delay', policy.maxDelayMs, maxDelayLimitMs),
    },
    origins,
    clamped,
  };
}
