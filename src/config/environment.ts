import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Duration } from '../core/duration.ts';
import { DagainError } from '../core/errors.ts';
import { nearest } from '../core/nearest.ts';
import { AIRFLOW_SETTINGS, airflowContradictions } from './airflow-settings.ts';
import { ALERT_SETTINGS } from './alert-settings.ts';
import { withoutServiceLinks } from './service-links.ts';
import { type Setting, setting, type Variables } from './setting.ts';
import { Flag, LogLevel, Tokens, Url, WebhookSecrets, WholeNumber } from './setting-values.ts';
import { TRACING_SETTINGS } from './tracing-settings.ts';
import { WATCH_SETTINGS } from './watch-settings.ts';

/** Where nobody else can reach what listens there. */
export const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);

/** Read by the command line, or by the callbacks inside Airflow; all may share an environment with the service. */
const OF_OTHERS = [
  'DAGAIN_URL',
  'DAGAIN_ACTOR',
  'DAGAIN_TIMEOUT',
  'DAGAIN_LISTENER',
  'DAGAIN_LISTENER_DAGS',
  'DAGAIN_LISTENER_TAGS',
];

/** Every setting there is; the README's table and `--help` are made from it. */
export const SETTINGS = {
  DAGAIN_HOST: setting(z.string().min(1), '127.0.0.1', 'Address to listen on.'),
  DAGAIN_PORT: setting(WholeNumber(0, 65_535), '8484', 'Port to listen on; 0 takes a free one.'),
  ...AIRFLOW_SETTINGS,
  DAGAIN_REDIS_URL: setting(
    Url(/^rediss?$/, 'redis://redis:6379/0').optional(),
    null,
    'Redis to keep the state in; unset: SQLite under DAGAIN_DATA_DIR.',
    true,
  ),
  DAGAIN_DATA_DIR: setting(z.string().min(1), './data', 'Folder of the embedded SQLite store.'),
  DAGAIN_NAMESPACE: setting(
    z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, - or _'),
    'dagain',
    'Prefix of all keys in Redis: several sidecars can share one.',
  ),
  DAGAIN_POLICY_FILE: setting(z.string().min(1).optional(), null, 'YAML file with the retry policy.'),
  DAGAIN_MAX_RETRIES: setting(
    WholeNumber(0, 1_000).optional(),
    null,
    'Retries on top of the original attempt (built-in: 2); 0 turns retries off.',
  ),
  DAGAIN_RETRY_DELAY: setting(Duration.optional(), null, 'Delay before the first retry (built-in: 60s).'),
  DAGAIN_SWEEP_INTERVAL: setting(
    Duration.refine((ms) => ms >= 100, 'must be at least 100ms'),
    '60s',
    'How soon a watched run is looked at when no callback comes.',
  ),
  DAGAIN_TOMBSTONE_TTL: setting(
    Duration.refine((ms) => ms >= 60_000, 'must be at least 1m: a callback that comes after it starts a new count'),
    '7d',
    'How long a given-up run is remembered, so that late callbacks start nothing.',
  ),
  ...WATCH_SETTINGS,
  ...ALERT_SETTINGS,
  DAGAIN_CALLBACK_TOKEN: setting(
    Tokens.optional(),
    null,
    'Bearer token of callbacks; two, comma-separated, for rotation.',
    true,
  ),
  DAGAIN_OPERATOR_TOKEN: setting(
    Tokens.optional(),
    null,
    'Bearer token of operations; two, comma-separated, for rotation.',
    true,
  ),
  DAGAIN_WEBHOOK_SECRET: setting(
    WebhookSecrets.optional(),
    null,
    'Accepts callbacks signed by Standard Webhooks under this secret.',
    true,
  ),
  DAGAIN_ALLOW_ANONYMOUS: setting(Flag, 'false', 'Allows to listen on other than loopback without tokens.'),
  DAGAIN_NOTES: setting(
    z.enum(['off', 'on'], { error: 'must be off or on' }),
    'on',
    'on: what was decided about a run stands in its note in Airflow; needs the permission to edit runs.',
  ),
  DAGAIN_MODE: setting(
    z.enum(['active', 'shadow'], { error: 'must be active or shadow' }),
    'active',
    'shadow: everything is decided, logged, shown and alerted as what would have been; nothing is cleared or written.',
  ),
  DAGAIN_LOG_LEVEL: setting(LogLevel, 'info', 'Least level that is logged.'),
  ...TRACING_SETTINGS,
} as const;

export type { Setting } from './setting.ts';

type Settings = typeof SETTINGS;
export type SettingName = keyof Settings;
export type Environment = { readonly [K in SettingName]: Settings[K] extends Setting<infer T> ? T : never };

/**
 * Reads and checks every setting, and reports all that is wrong at once.
 * @throws DagainError `configuration_invalid`; its message never holds a value of a secret.
 */
export function readEnvironment(given: Variables): Environment {
  const variables = withoutServiceLinks(given);
  const problems = unknownNames(variables);
  const isSet = new Set<string>();
  const entries = Object.entries(SETTINGS).map(([name, one]) => {
    const value = readVariable(name, one.secret === true, variables, problems);
    if (value !== undefined) isSet.add(name);
    if (value === null) return [name, undefined];
    const text = value ?? one.fallback ?? undefined;
    const parsed = one.schema.safeParse(text);
    if (parsed.success) return [name, parsed.data];
    problems.push(`${name} ${describe(parsed.error, one.secret === true ? undefined : text)}`);
    return [name, undefined];
  });
  const environment = Object.fromEntries(entries) as Environment;
  problems.push(...contradictions((name) => isSet.has(name), environment));
  if (problems.length > 0) throw new DagainError('configuration_invalid', problems.join('\n'));
  return environment;
}

/** What is wrong with a value, and the value where it may be shown. */
function describe(error: z.ZodError, text: string | undefined): string {
  const messages = [...new Set(error.issues.map((issue) => issue.message))].join('; ');
  if (text === undefined) return messages;
  // A URL may hold a password, also one that is no good as a URL.
  const shown = `, is ${JSON.stringify(text.replace(/(^|\/\/)[^/]*@/, '$1***@'))}`;
  return messages.endsWith(shown) ? messages : messages + shown;
}

/**
 * `NAME`, or the content of the file that `NAME_FILE` names, without the newline at its end. Empty means unset; null: the
 * file cannot be read.
 */
function readVariable(
  name: string,
  isSecret: boolean,
  variables: Variables,
  problems: string[],
): string | null | undefined {
  const direct = variables[name] || undefined;
  const file = isSecret ? variables[`${name}_FILE`] || undefined : undefined;
  if (direct !== undefined && file !== undefined) problems.push(`${name} and ${name}_FILE are both set: keep one`);
  if (file === undefined) return direct;
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    problems.push(`${name}_FILE names ${file}, which cannot be read: ${(error as Error).message}`);
    return null;
  }
}

/** A misspelt setting that is silently ignored is the worst kind: name it, with the nearest one that exists. */
function unknownNames(variables: Variables): string[] {
  const known = new Set<string>([...Object.keys(SETTINGS), ...OF_OTHERS]);
  for (const [name, one] of Object.entries(SETTINGS))
    if ((one as Setting<unknown>).secret === true) known.add(`${name}_FILE`);
  const unknown = Object.keys(variables).filter((name) => name.startsWith('DAGAIN_') && !known.has(name));
  return unknown.map((name) => `${name} is not a setting of dagain; the nearest is ${nearest(name, [...known])}`);
}

/** What does not go together; settings that are wrong in themselves count as set, so that all is told at once. */
function contradictions(isSet: (name: SettingName) => boolean, environment: Partial<Environment>): string[] {
  const problems = airflowContradictions(isSet, environment.DAGAIN_GOOGLE_AUTH === true);
  const mail = (['DAGAIN_SMTP_URL', 'DAGAIN_EMAIL_FROM', 'DAGAIN_EMAIL_TO'] as const).filter((name) => !isSet(name));
  if (mail.length === 1 || mail.length === 2) problems.push(`mail needs ${mail.join(' and ')} as well`);
  const hasCallbackAuth = isSet('DAGAIN_CALLBACK_TOKEN') || isSet('DAGAIN_WEBHOOK_SECRET');
  const isProtected = hasCallbackAuth && isSet('DAGAIN_OPERATOR_TOKEN');
  const { DAGAIN_HOST: host = '', DAGAIN_ALLOW_ANONYMOUS: mayBeAnonymous } = environment;
  if (!LOOPBACK.has(host) && !isProtected && mayBeAnonymous === false) {
    problems.push(
      `DAGAIN_HOST is ${host}, which others can reach: set DAGAIN_OPERATOR_TOKEN and DAGAIN_CALLBACK_TOKEN (or DAGAIN_WEBHOOK_SECRET), or DAGAIN_ALLOW_ANONYMOUS=true`,
    );
  }
  return problems;
}
