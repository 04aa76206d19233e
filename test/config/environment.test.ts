import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readEnvironment, SETTINGS, type Setting } from '../../src/config/environment.ts';
import type { Variables } from '../../src/config/setting.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-environment-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileWith(content: string): string {
  const path = join(folder, `secret-${content.length}-${Math.abs(hash(content))}`);
  writeFileSync(path, content);
  return path;
}
const hash = (text: string) => [...text].reduce((sum, one) => (sum * 31 + one.charCodeAt(0)) | 0, 7);

/** The lines of what is wrong, none if nothing is. */
function problemsOf(variables: Variables): string[] {
  try {
    readEnvironment(variables);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'configuration_invalid' });
    return (error as Error).message.split('\n');
  }
}

const SECRETS = Object.entries(SETTINGS)
  .filter(([, one]) => (one as Setting<unknown>).secret === true)
  .map(([name]) => name);
const TOKENS = { DAGAIN_CALLBACK_TOKEN: 'callback-token', DAGAIN_OPERATOR_TOKEN: 'operator-token' };

describe('readEnvironment', () => {
  test('has a value for everything that can go without one', () => {
    expect(readEnvironment({})).toMatchObject({
      DAGAIN_HOST: '127.0.0.1',
      DAGAIN_PORT: 8484,
      DAGAIN_DATA_DIR: './data',
      DAGAIN_NAMESPACE: 'dagain',
      DAGAIN_SWEEP_INTERVAL: 60_000,
      DAGAIN_TOMBSTONE_TTL: 7 * 86_400_000,
      DAGAIN_WATCH: 'off',
      DAGAIN_WATCH_INTERVAL: 30_000,
      DAGAIN_WATCH_LOOK_BACK: 86_400_000,
      DAGAIN_ALLOW_ANONYMOUS: false,
      DAGAIN_MODE: 'active',
      DAGAIN_LOG_LEVEL: 'info',
    });
    expect(readEnvironment({}).DAGAIN_MAX_RETRIES).toBeUndefined();
  });

  test('reads what is set, and takes empty for unset', () => {
    const environment = readEnvironment({
      DAGAIN_PORT: '0',
      DAGAIN_MAX_RETRIES: '0',
      DAGAIN_RETRY_DELAY: '5m',
      DAGAIN_CALLBACK_TOKEN: 'first-token, second-token',
      DAGAIN_REDIS_URL: '',
      DAGAIN_AIRFLOW_TOKEN_FILE: '/run/secrets/airflow-token',
      PATH: '/bin',
    });
    expect(environment).toMatchObject({
      DAGAIN_PORT: 0,
      DAGAIN_MAX_RETRIES: 0,
      DAGAIN_RETRY_DELAY: 300_000,
      DAGAIN_CALLBACK_TOKEN: ['first-token', 'second-token'],
      DAGAIN_AIRFLOW_TOKEN_FILE: '/run/secrets/airflow-token',
    });
    expect(environment.DAGAIN_REDIS_URL).toBeUndefined();
  });

  test.each([
    ['DAGAIN_PORT', '70000', /at most 65535, is "70000"/],
    ['DAGAIN_PORT', '-1', /whole number/],
    ['DAGAIN_PORT', ' ', /whole number/],
    ['DAGAIN_PORT', '0x50', /whole number/],
    ['DAGAIN_MAX_RETRIES', ' ', /whole number/],
    ['DAGAIN_MAX_RETRIES', '1e2', /whole number/],
    ['DAGAIN_MAX_RETRIES', '1001', /at most 1000/],
    ['DAGAIN_MAX_RETRIES', 'two', /whole number, is "two"/],
    ['DAGAIN_SWEEP_INTERVAL', '10ms', /at least 100ms/],
    ['DAGAIN_TOMBSTONE_TTL', '0', /at least 1m/],
    ['DAGAIN_WATCH', 'true', /must be off or on/],
    ['DAGAIN_WATCH_INTERVAL', '1s', /at least 5s/],
    ['DAGAIN_WATCH_LOOK_BACK', '10s', /at least 1m/],
    ['DAGAIN_AIRFLOW_URL', 'airflow:8080', /must be a URL such as/],
    ['DAGAIN_AIRFLOW_URL', 'ftp://airflow', /must be a URL such as/],
    ['DAGAIN_REDIS_URL', 'http://redis', /must be a URL such as redis:/],
    ['DAGAIN_NAMESPACE', 'a b', /letters, digits/],
    ['DAGAIN_GOOGLE_AUTH', 'yes', /must be true or false, is "yes"/],
    ['DAGAIN_ALLOW_ANONYMOUS', 'yes', /must be true or false, is "yes"/],
    ['DAGAIN_MODE', 'dry-run', /must be active or shadow/],
    ['DAGAIN_RETRY_DELAY', 'soon', /seconds, is "soon"$/],
    ['DAGAIN_LOG_LEVEL', 'loud', /^DAGAIN_LOG_LEVEL must be one of trace, debug, .*, silent, is "loud"$/],
    ['DAGAIN_CALLBACK_TOKEN', 'short', /at least 8 characters/],
    ['DAGAIN_CALLBACK_TOKEN', 'short,small', /^DAGAIN_CALLBACK_TOKEN must have at least 8 characters each$/],
    [
      'DAGAIN_WEBHOOK_SECRET',
      'whsec_not base64!',
      /^DAGAIN_WEBHOOK_SECRET must be whsec_ and base64, or any other text$/,
    ],
    ['DAGAIN_ALERT_WEBHOOK_SECRET', 'whsec_', /must have at least 8 characters/],
    ['DAGAIN_ALERT_WEBHOOK_SECRET', 'whsec_YWJ', /must be whsec_ and base64, or any other text$/],
    ['DAGAIN_PAGERDUTY_ROUTING_KEY', 'too-short', /must have 32 letters and digits$/],
    ['DAGAIN_SLACK_WEBHOOK_URL', 'hooks.slack.com/services/x', /must be a URL such as https:\/\/hooks\.slack\.com/],
    ['DAGAIN_CALLBACK_TOKEN', 'two words in one', /visible ASCII characters without blanks$/],
    ['DAGAIN_OPERATOR_TOKEN', 'Schlüsselwort', /visible ASCII characters without blanks$/],
    ['DAGAIN_CALLBACK_TOKEN', 'long-enough,', /at least 8 characters/],
    ['DAGAIN_CALLBACK_TOKEN', 'long-enough,also-long-enough,and-another', /two at most/],
  ])('%s=%j: %s', (name, value, problem) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringMatching(problem)]);
  });

  test('reports everything that is wrong at once', () => {
    const problems = problemsOf({
      DAGAIN_HOST: '0.0.0.0',
      DAGAIN_PORT: 'x',
      DAGAIN_RETRY_DELAY: 'x',
      DAGAIN_MAX_RETRYS: '3',
      DAGAIN_AIRFLOW_USERNAME: 'admin',
      DAGAIN_AIRFLOW_TOKEN: 'token',
      DAGAIN_WEBHOOK_SECRET_FILE: join(folder, 'missing'),
    });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'DAGAIN_MAX_RETRYS',
      'DAGAIN_PORT',
      'DAGAIN_RETRY_DELAY',
      'DAGAIN_WEBHOOK_SECRET_FILE',
      'DAGAIN_AIRFLOW_TOKEN',
      'DAGAIN_AIRFLOW_USERNAME',
      'DAGAIN_HOST',
    ]);
  });

  test.each([
    ['DAGAIN_MAX_RETRYS', 'DAGAIN_MAX_RETRIES'],
    ['DAGAIN_AIRFLOW_URI', 'DAGAIN_AIRFLOW_URL'],
    ['DAGAIN_AIRFLOW_PASSWORD_FIL', 'DAGAIN_AIRFLOW_PASSWORD_FILE'],
    ['DAGAIN_', 'DAGAIN_URL'],
  ])('a misspelt %s is named with the nearest that exists', (name, nearest) => {
    expect(problemsOf({ [name]: 'x' })).toEqual([`${name} is not a setting of dagain; the nearest is ${nearest}`]);
  });

  test('what Kubernetes sets for Services whose names begin with dagain is left alone', () => {
    const linked = {
      DAGAIN_SERVICE_HOST: '10.0.0.7',
      DAGAIN_SERVICE_PORT: '8484',
      DAGAIN_SERVICE_PORT_HTTP: '8484',
      DAGAIN_PORT: 'tcp://10.0.0.7:8484',
      DAGAIN_PORT_8484_TCP: 'tcp://10.0.0.7:8484',
      DAGAIN_PORT_8484_TCP_PROTO: 'tcp',
      DAGAIN_PORT_8484_TCP_PORT: '8484',
      DAGAIN_PORT_8484_TCP_ADDR: '10.0.0.7',
      DAGAIN_REDIS_SERVICE_HOST: '10.0.0.8',
      DAGAIN_REDIS_PORT: 'tcp://10.0.0.8:6379',
      DAGAIN_REDIS_PORT_6379_TCP: 'tcp://10.0.0.8:6379',
    };
    expect(problemsOf(linked)).toEqual([]);
    expect(readEnvironment(linked).DAGAIN_PORT).toBe(8484);
    expect(problemsOf({ DAGAIN_PORT: '8484x', DAGAIN_REDIS_PORT: '6379' })).toEqual([
      'DAGAIN_REDIS_PORT is not a setting of dagain; the nearest is DAGAIN_REDIS_URL',
      'DAGAIN_PORT must be a whole number, is "8484x"',
    ]);
  });

  test('what the callbacks inside Airflow read may stand in the same environment', () => {
    expect(problemsOf({ DAGAIN_URL: 'http://dagain:8484', DAGAIN_TIMEOUT: '5' })).toEqual([]);
    expect(problemsOf({ DAGAIN_LISTENER: 'true', DAGAIN_LISTENER_DAGS: 'x', DAGAIN_LISTENER_TAGS: 'y' })).toEqual([]);
  });
});

describe('secrets', () => {
  test.each(SECRETS)('%s can stand in a file, without the newline at its end', (name) => {
    const value = valueFor(name);
    for (const ending of ['', '\n', '\r\n']) {
      const variables = { ...partnersOf(name), [`${name}_FILE`]: fileWith(`${value}${ending}`) };
      const environment = readEnvironment(variables) as unknown as Record<string, unknown>;
      expect([environment[name]].flat()).toEqual([value]);
    }
  });

  test.each(SECRETS)('%s in a file that is empty or gone is an error, not an unset value', (name) => {
    expect(problemsOf({ [`${name}_FILE`]: fileWith('') })).not.toEqual([]);
    const [problem] = problemsOf({ [`${name}_FILE`]: join(folder, 'missing') });
    expect(problem).toMatch(new RegExp(`^${name}_FILE names .*missing, which cannot be read: ENOENT`));
    const withPartners = problemsOf({ ...partnersOf(name), [`${name}_FILE`]: join(folder, 'missing') });
    expect(withPartners, 'only what is wrong is reported').toEqual([problem]);
  });

  test.each(SECRETS)('%s and its file at the same time are one too many', (name) => {
    const value = valueFor(name);
    const variables = { ...partnersOf(name), [name]: value, [`${name}_FILE`]: fileWith(value) };
    expect(problemsOf(variables)).toEqual([`${name} and ${name}_FILE are both set: keep one`]);
  });

  test('never show in a message, whatever is wrong with them', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9]{12,20}$/);
    fc.assert(
      fc.property(fc.constantFrom(...SECRETS), secret, fc.constantFrom('', ':', ' ', ',', '\n'), (name, text, odd) => {
        const broken = {
          [name]: `${odd}${text}${odd}`,
          DAGAIN_PORT: 'x',
          DAGAIN_AIRFLOW_TOKEN: 'x',
          DAGAIN_HOST: '0.0.0.0',
        };
        expect(problemsOf(broken).join('\n')).not.toContain(text);
      }),
    );
  });

  test('in a URL that is no good are left out as well', () => {
    const urls = ['htp://admin:hunter2secret@airflow', 'ftp://admin:hunter2secret@airflow/x@y'];
    for (const url of [...urls, 'admin:hunter2secret@airflow:8080']) {
      const [problem] = problemsOf({ DAGAIN_AIRFLOW_URL: url });
      expect(problem).toContain('***@');
      expect(problem).not.toContain('hunter2secret');
    }
  });

  function valueFor(name: string): string {
    if (name === 'DAGAIN_REDIS_URL') return 'redis://:redis-password@redis:6379/0';
    if (name === 'DAGAIN_SMTP_URL') return 'smtp://user:mail-password@mail.example:587';
    if (name === 'DAGAIN_PAGERDUTY_ROUTING_KEY') return '0123456789abcdef0123456789ABCDEF';
    return name.endsWith('URL') ? 'https://hooks.example/secret-path' : 'long-enough-secret';
  }

  function partnersOf(name: string): Variables {
    if (name === 'DAGAIN_SMTP_URL') return MAIL;
    if (name === 'DAGAIN_AIRFLOW_CLIENT_SECRET') return { DAGAIN_AIRFLOW_CLIENT_ID: 'dagain' };
    return name === 'DAGAIN_AIRFLOW_PASSWORD' ? { DAGAIN_AIRFLOW_USERNAME: 'admin' } : {};
  }
});

const MAIL = { DAGAIN_EMAIL_FROM: 'dagain@example.com', DAGAIN_EMAIL_TO: 'oncall@example.com, data@example.com' };

test.each(['nobody', 'a@b@c', 'a@example.com\r\nBcc: b@example.com', 'Anna <a@example.com>', 'a@example.com,'])(
  'mail goes to addresses, not to %j',
  (address) => {
    const problems = problemsOf({ ...MAIL, DAGAIN_SMTP_URL: 'smtp://mail', DAGAIN_EMAIL_TO: address });
    expect(problems).toEqual([expect.stringMatching(/^DAGAIN_EMAIL_TO must be addresses such as a@example.com, is /)]);
  },
);

describe('what does not go together', () => {
  test.each([
    [{ DAGAIN_AIRFLOW_TOKEN: 't', DAGAIN_AIRFLOW_TOKEN_FILE: '/x' }, /TOKEN and DAGAIN_AIRFLOW_TOKEN_FILE are set/],
    [{ DAGAIN_AIRFLOW_USERNAME: 'u' }, /must be set together/],
    [{ DAGAIN_AIRFLOW_PASSWORD: 'p' }, /must be set together/],
    [{ DAGAIN_AIRFLOW_CLIENT_ID: 'c' }, /CLIENT_ID and DAGAIN_AIRFLOW_CLIENT_SECRET must be set together/],
    [{ DAGAIN_MWAA_ENVIRONMENT: 'prod' }, /DAGAIN_MWAA_ENVIRONMENT and DAGAIN_MWAA_REGION must be set together/],
    [{ DAGAIN_AIRFLOW_TOKEN: 't', DAGAIN_GOOGLE_AUTH: 'true' }, /TOKEN and DAGAIN_GOOGLE_AUTH are set at the same/],
    [
      { DAGAIN_GOOGLE_AUTH: 'true', DAGAIN_MWAA_ENVIRONMENT: 'prod', DAGAIN_MWAA_REGION: 'eu-west-1' },
      /GOOGLE_AUTH and DAGAIN_MWAA_ENVIRONMENT are set at the same time/,
    ],
    [{ DAGAIN_OAUTH_TOKEN_URL: 'https://idp.test/token' }, /does nothing without DAGAIN_AIRFLOW_CLIENT_ID/],
    [
      { DAGAIN_AIRFLOW_CLIENT_ID: 'c', DAGAIN_AIRFLOW_CLIENT_SECRET: 's', DAGAIN_OAUTH_SCOPE: 'x' },
      /OAUTH_SCOPE does nothing without DAGAIN_OAUTH_TOKEN_URL/,
    ],
    [{ DAGAIN_MWAA_ENDPOINT: 'https://vpce.test' }, /MWAA_ENDPOINT does nothing without DAGAIN_MWAA_ENVIRONMENT/],
    [MAIL, /^mail needs DAGAIN_SMTP_URL as well$/],
    [{ DAGAIN_SMTP_URL: 'smtp://mail' }, /^mail needs DAGAIN_EMAIL_FROM and DAGAIN_EMAIL_TO as well$/],
  ])('%j', (variables, problem) => {
    expect(problemsOf(variables)).toEqual([expect.stringMatching(problem)]);
  });

  test('user and password, or a token', () => {
    expect(problemsOf({ DAGAIN_AIRFLOW_USERNAME: 'u', DAGAIN_AIRFLOW_PASSWORD: 'p' })).toEqual([]);
    expect(problemsOf({ DAGAIN_AIRFLOW_TOKEN: 't' })).toEqual([]);
    expect(problemsOf({ DAGAIN_AIRFLOW_TOKEN: 't', DAGAIN_GOOGLE_AUTH: 'false' })).toEqual([]);
    expect(problemsOf({ DAGAIN_MWAA_ENVIRONMENT: 'prod', DAGAIN_MWAA_REGION: 'us-gov-west-1' })).toEqual([]);
    const client = { DAGAIN_AIRFLOW_CLIENT_ID: 'c', DAGAIN_AIRFLOW_CLIENT_SECRET: 's' };
    expect(problemsOf(client)).toEqual([]);
    expect(problemsOf({ ...client, DAGAIN_OAUTH_TOKEN_URL: 'https://idp.test/t', DAGAIN_OAUTH_AUDIENCE: 'a' })).toEqual(
      [],
    );
  });
});

describe('listening where others can reach it', () => {
  const reachable = { DAGAIN_HOST: '0.0.0.0' };

  test.each(['127.0.0.1', '::1', 'localhost'])('%s is loopback and needs no tokens', (host) => {
    expect(problemsOf({ DAGAIN_HOST: host })).toEqual([]);
  });

  test.each([
    [{}],
    [{ DAGAIN_CALLBACK_TOKEN: TOKENS.DAGAIN_CALLBACK_TOKEN }],
    [{ DAGAIN_WEBHOOK_SECRET: 'webhook-secret' }],
    [{ DAGAIN_OPERATOR_TOKEN: TOKENS.DAGAIN_OPERATOR_TOKEN }],
    [{ DAGAIN_ALLOW_ANONYMOUS: 'false' }],
  ])('with %j it is refused', (variables) => {
    expect(problemsOf({ ...reachable, ...variables })).toEqual([
      expect.stringMatching(/^DAGAIN_HOST is 0\.0\.0\.0, which others can reach: set/),
    ]);
  });

  test.each([
    [TOKENS],
    [{ DAGAIN_OPERATOR_TOKEN: TOKENS.DAGAIN_OPERATOR_TOKEN, DAGAIN_WEBHOOK_SECRET: 'webhook-secret' }],
    [{ DAGAIN_ALLOW_ANONYMOUS: 'true' }],
  ])('with %j it is allowed', (variables) => {
    expect(problemsOf({ ...reachable, ...variables })).toEqual([]);
  });

  test.each(['::', '10.0.0.1', 'dagain.internal', '127.0.0.1.example', 'LOCALHOST'])('%s is not loopback', (host) => {
    expect(problemsOf({ DAGAIN_HOST: host })).toHaveLength(1);
  });
});
