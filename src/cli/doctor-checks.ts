import { readFile } from 'node:fs/promises';
import { type Environment, LOOPBACK } from '../config/environment.ts';
import { readPolicyFile } from '../config/policy-file.ts';
import { DagainError } from '../core/errors.ts';
import { type Check, type Finding, fail, ok, warn } from '../core/finding.ts';
import { serviceCheck } from './doctor-service.ts';

/** Clocks further apart than this, in milliseconds, are told of. */
const TOLERATED_SKEW_MS = 5_000;
const MOST_PROBLEMS = 3;

/** A store as checks need it. */
export interface CheckedState {
  readonly name: string;
  readonly store: {
    /** Rejects when it cannot be written. */
    ping(): Promise<void>;
    warnings(): Promise<readonly string[]>;
  };
  /** The store's own clock, in epoch milliseconds; null where it has ours. */
  readonly readTime: (() => Promise<number>) | null;
}

/** What is checked besides the settings themselves. */
export interface Checked {
  openState(): Promise<CheckedState>;
  readonly airflowChecks: readonly Check[];
  /** The names of the configured alert channels. */
  readonly channels: readonly string[];
}

/** Every check, in the order in which people would mend things. */
export function doctorChecks(environment: Environment, checked: Checked, nowMs: () => number): Check[] {
  const { DAGAIN_HOST: host, DAGAIN_PORT: port, DAGAIN_POLICY_FILE: policyFile } = environment;
  const openState = () => checked.openState();
  const onRedis = environment.DAGAIN_REDIS_URL === undefined ? [] : [redisClockCheck(openState, nowMs)];
  return [
    storeCheck(openState),
    ...onRedis,
    ...checked.airflowChecks,
    callbackAuthCheck(environment),
    policyFileCheck(policyFile, checked.channels),
    alertsCheck(checked.channels),
    serviceCheck(host, port),
  ];
}

/** That the store is there, takes writes, and keeps what it is given. */
export function storeCheck(openState: () => Promise<CheckedState>): Check {
  return {
    name: 'store',
    async run() {
      try {
        const { name, store } = await openState();
        await store.ping();
        const warnings = await store.warnings();
        if (warnings.length === 0) return ok(`${name}, takes writes`);
        return warn(
          `${name}, takes writes. ${warnings.join(' ')}`,
          'Change its set-up as it says, or accept the risk.',
        );
      } catch (error) {
        if (!(error instanceof DagainError)) throw error;
        return fail(
          error.message,
          'Check DAGAIN_REDIS_URL, or DAGAIN_DATA_DIR where that is not set: nothing can be retried without it.',
        );
      }
    },
  };
}

/** That Redis has our time. */
export function redisClockCheck(openState: () => Promise<CheckedState>, nowMs: () => number): Check {
  return {
    name: "redis's clock",
    async run() {
      let beganMs: number;
      let toldMs: number;
      try {
        const { readTime } = await openState();
        if (readTime === null) return ok('is ours');
        beganMs = nowMs();
        toldMs = await readTime();
      } catch (error) {
        if (!(error instanceof DagainError)) throw error;
        return warn('not tried: Redis does not tell', 'Do first what is said about store.');
      }
      const skewMs = Math.max(0, beganMs - toldMs, toldMs - nowMs());
      if (skewMs <= TOLERATED_SKEW_MS) return ok('agrees with ours');
      const direction = toldMs < beganMs ? 'behind' : 'ahead of';
      return warn(
        `${Math.round(skewMs / 1_000)} s ${direction} ours`,
        "Synchronise both machines' clocks (NTP): what expires in Redis does so by its own.",
      );
    },
  };
}

/** Who may report failures, and who may operate. */
export function callbackAuthCheck(environment: Environment): Check {
  const { DAGAIN_HOST: host, DAGAIN_CALLBACK_TOKEN, DAGAIN_WEBHOOK_SECRET, DAGAIN_OPERATOR_TOKEN } = environment;
  const lacksToken = {
    callbacks: DAGAIN_CALLBACK_TOKEN === undefined && DAGAIN_WEBHOOK_SECRET === undefined,
    operations: DAGAIN_OPERATOR_TOKEN === undefined,
  };
  const bare = Object.entries(lacksToken).flatMap(([what, is]) => (is ? [what] : []));
  return {
    name: 'callback auth',
    async run() {
      if (bare.length === 0) return ok(`callbacks and operations are protected; listens on ${host}`);
      const remedy = 'Set DAGAIN_CALLBACK_TOKEN (or DAGAIN_WEBHOOK_SECRET) and DAGAIN_OPERATOR_TOKEN.';
      if (bare.length === 1) return warn(`${bare[0]} are refused: other tokens are set, and none for them`, remedy);
      const found = `${bare.join(' and ')} take anybody who reaches ${host}`;
      return LOOPBACK.has(host) ? ok(`${found}: this machine only`) : warn(found, remedy);
    },
  };
}

/** That the policy file is valid, and sends alerts only where they can go. */
export function policyFileCheck(path: string | undefined, channels: readonly string[]): Check {
  return {
    name: 'policy file',
    async run() {
      if (path === undefined) return ok('none: the built-in policy and the environment');
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        return fail(`cannot read ${path}: ${codeOf(error)}`, 'Check DAGAIN_POLICY_FILE, and who may read the file.');
      }
      return judge(path, text, channels);
    },
  };
}

function judge(path: string, text: string, channels: readonly string[]): Finding {
  const read = readPolicyFile(text);
  if (!read.ok) {
    const problems = read.problems.map(
      ({ line, path: at, message }) => `${path}:${line}: ${at === '' ? '' : `${at} `}${message}`,
    );
    const more = problems.length > MOST_PROBLEMS ? `; and ${problems.length - MOST_PROBLEMS} more` : '';
    return fail(
      `${problems.slice(0, MOST_PROBLEMS).join('; ')}${more}`,
      `Mend it; "dagain policy check ${path}" names everything.`,
    );
  }
  const asked = [read.file.defaults, ...read.file.dags].flatMap((layer) => layer.alert_channels ?? []);
  const missing = [...new Set(asked)].filter((name) => !channels.includes(name));
  if (missing.length === 0) return ok(`${path}: valid, ${read.file.dags.length} entries under dags`);
  return warn(
    `${path} sends alerts to ${missing.join(' and ')}, not configured`,
    'Configure the channel, or take it out of alert_channels.',
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}

/** That somebody is told when a run is given up. */
export function alertsCheck(channels: readonly string[]): Check {
  return {
    name: 'alerts',
    async run() {
      if (channels.length > 0) return ok(`${channels.join(', ')}; "dagain alerts test" sends one`);
      return warn(
        'no channel: give-ups show only in logs and metrics',
        'Set one of DAGAIN_SLACK_WEBHOOK_URL, DAGAIN_PAGERDUTY_ROUTING_KEY, DAGAIN_SMTP_URL, DAGAIN_ALERT_WEBHOOK_URL and the like.',
      );
    },
  };
}
