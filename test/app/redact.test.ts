import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { readEnvironment, SETTINGS, type Setting } from '../../src/config/environment.ts';
import { secretsOf } from '../../src/config/secrets.ts';
import type { Variables } from '../../src/config/setting.ts';
import { DagainError } from '../../src/core/errors.ts';
import { captureLog } from './log-lines.ts';
import { type Stack, startStack, until } from './stack.ts';

const AIRFLOW = { DAGAIN_AIRFLOW_URL: 'http://airflow:8080' };
/** A value of every secret setting, in groups that go together; `%` and `"` are written in other ways in URLs and JSON. */
const PASSWORD = { DAGAIN_AIRFLOW_USERNAME: 'svc', DAGAIN_AIRFLOW_PASSWORD: 'p4ss"w%rd-of-airflow' };
const REST = {
  DAGAIN_REDIS_URL: 'redis://svc:r3dis%2Fpassword@redis:6379/0',
  DAGAIN_ALERT_WEBHOOK_URL: 'https://alerts.example/hook/very-secret-path',
  DAGAIN_ALERT_WEBHOOK_SECRET: 'whsec_c2VjcmV0IG9mIGFsZXJ0cw==',
  DAGAIN_SLACK_WEBHOOK_URL: 'https://hooks.slack.example/services/T0/B0/slack-key',
  DAGAIN_PAGERDUTY_ROUTING_KEY: '0123456789abcdef0123456789ABCDEF',
  DAGAIN_ALERTMANAGER_URL: 'http://svc:alertmanager-pw@alertmanager:9093',
  DAGAIN_TEAMS_WEBHOOK_URL: 'https://teams.example/workflows/teams-sig',
  DAGAIN_SMTP_URL: 'smtp://mailer:smtp-passw0rd@mail.example:587',
  DAGAIN_EMAIL_FROM: 'dagain@example.com',
  DAGAIN_EMAIL_TO: 'ann@example.com',
  DAGAIN_CALLBACK_TOKEN: 'callback-token-1,callback-token-2',
  DAGAIN_OPERATOR_TOKEN: 'operator-token-1',
  DAGAIN_WEBHOOK_SECRET: 'webhook-secret-1',
};
const GROUPS: Readonly<Record<string, Variables>> = {
  'a password': { ...AIRFLOW, ...PASSWORD, ...REST },
  'a client': { ...AIRFLOW, DAGAIN_AIRFLOW_CLIENT_ID: 'client', DAGAIN_AIRFLOW_CLIENT_SECRET: 'client-s3cret' },
  'a token': { ...AIRFLOW, DAGAIN_AIRFLOW_TOKEN: 'static-airflow-token' },
};
/** What must be nowhere in a line. */
const PARTS = [
  ...['p4ss', 'w%rd-of', 'r3dis', 'very-secret-path', 'c2VjcmV0', 'slack-key', '0123456789abcdef', 'alertmanager-pw'],
  ...['teams-sig', 'smtp-passw0rd', 'callback-token', 'operator-token', 'webhook-secret-1', 'client-s3cret'],
  'static-airflow-token',
];

describe('every secret setting', () => {
  test('is in one of the groups here', () => {
    const secret = Object.entries(SETTINGS).filter(([, one]) => (one as Setting<unknown>).secret === true);
    const given = Object.assign({}, ...Object.values(GROUPS));
    expect(secret.map(([name]) => name).filter((name) => given[name] === undefined)).toEqual([]);
  });

  test.each(Object.entries(GROUPS))('stays out of lines about errors: %s', (_name, variables) => {
    const { log, raw, lines } = captureLog(secretsOf(readEnvironment(variables)));
    for (const value of Object.values(variables)) {
      const cause = Object.assign(new Error(`connecting to ${value} failed`), { config: { url: value } });
      const error = Object.assign(new DagainError('store_unavailable', `with ${value}`, { cause }), { options: value });
      log.error({ err: error }, `of ${value}`);
      log.warn({ detail: `in a URL: ${encodeURIComponent(value ?? '')}`, nested: { deep: [value] } }, 'more');
      for (const one of value?.split(',') ?? []) log.info({ detail: one, headers: { authorization: one } }, one);
    }
    expect(lines().length).toBeGreaterThan(3);
    const text = raw.join('');
    expect(PARTS.filter((part) => text.includes(part) || text.includes(encodeURIComponent(part)))).toEqual([]);
    expect(text).toContain('[redacted]');
  });
});

describe('what no setting holds', () => {
  test.each([
    ['a token in a message', { detail: 'sent Authorization: Bearer abc.DEF-123456' }, 'abc.DEF'],
    ['a login in a message', { detail: 'sent Basic c3ZjOnNlY3JldA==' }, 'c3ZjOn'],
    ['a JSON Web Token', { detail: 'got eyJhbGciOiJI.eyJzdWIiOiI.c2lnbmF0' }, 'eyJzdWIi'],
    ['a password in a URL', { detail: 'asked https://u:hunter2@host/path' }, 'hunter2'],
    ['headers of a request', { request: { headers: { authorization: 'x1y2z3', cookie: 's=x1y2z3' } } }, 'x1y2z3'],
    ['a cookie of an answer', { headers: { 'set-cookie': ['session=x1y2z3'] } }, 'x1y2z3'],
  ])('%s is taken out by its shape or place', (_name, fields, secret) => {
    const { log, raw } = captureLog();
    log.info(fields, 'said');
    expect(raw.join('')).not.toContain(secret);
    expect(raw.join('')).toContain('[redacted]');
  });

  test('plain words stay', () => {
    const { log, lines } = captureLog(['secret-of-mine']);
    const said = 'send the bearer token; basic authentication; see https://airflow.example/dags/a@b';
    log.info({ detail: said }, said);
    expect(lines()).toMatchObject([{ detail: said, msg: said }]);
  });

  test('an error brings its kind, text, code and cause, and nothing else', () => {
    const { log, lines } = captureLog();
    const error = new DagainError('store_corrupt', 'unreadable', { cause: new TypeError('no JSON') });
    log.error({ err: Object.assign(error, { request: { body: 'all of it' } }) }, 'x');
    const [line] = lines();
    expect(line?.['err']).toEqual({
      ...{ type: 'DagainError', message: 'unreadable', code: 'store_corrupt', cause: 'TypeError: no JSON' },
      stack: expect.stringContaining('redact.test.ts'),
    });
  });
});

describe('a running service', () => {
  let stack: Stack | null = null;
  let folder = '';
  afterEach(async () => {
    await stack?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('logs none of its secrets, whatever is sent to it and whatever Airflow echoes', async () => {
    folder = mkdtempSync(join(tmpdir(), 'dagain-redact-'));
    stack = await startStack([]);
    const tokens = { callback: 'callback-token-1', operator: 'operator-token-1', airflow: 'static-airflow-token' };
    writeFileSync(join(folder, 'token'), tokens.callback);
    const settings = {
      DAGAIN_DATA_DIR: folder,
      DAGAIN_AIRFLOW_USERNAME: '',
      DAGAIN_AIRFLOW_PASSWORD: '',
      DAGAIN_AIRFLOW_TOKEN: tokens.airflow,
      DAGAIN_CALLBACK_TOKEN_FILE: join(folder, 'token'),
      DAGAIN_OPERATOR_TOKEN: tokens.operator,
      DAGAIN_SLACK_WEBHOOK_URL: `${stack.airflow.url}/services/T0/slack-key`,
    };
    const airflowUrl = { DAGAIN_AIRFLOW_URL: stack.airflow.url };
    const { log, raw, lines } = captureLog(secretsOf(readEnvironment({ ...airflowUrl, ...settings })));
    const echo = JSON.stringify({ detail: `Bearer ${tokens.airflow} of ${Object.values(tokens).join(' ')}` });
    stack.airflow.faults.add({ action: { type: 'status', status: 500, body: echo }, times: 1_000 });
    const { url } = await stack.startApp(settings, log);
    const post = (path: string, token: string, body: unknown) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    for (const secret of Object.values(tokens)) {
      const failure = {
        dag_id: 'etl',
        dag_run_id: secret,
        task_id: secret,
        exception: { type: secret, message: echo },
      };
      expect((await post('/v1/callbacks/task-failed', tokens.callback, failure)).status).toBe(202);
      expect((await post('/v1/callbacks/task-failed', tokens.callback, { [secret]: secret })).status).toBe(400);
      await post('/v1/callbacks/task-failed', `${secret}x`, failure);
      await post(`/v1/runs/etl/${secret}/cancel`, tokens.operator, { actor: secret, comment: secret });
      await post(`/v1/runs/${secret}/${secret}/pause?token=${secret}`, secret, {});
    }
    await until(() => lines().some(({ msg }) => msg.includes('could not be read')));
    const text = raw.join('');
    expect(Object.values(tokens).filter((token) => text.includes(token))).toEqual([]);
    expect(text).not.toContain('slack-key');
    expect(lines().length).toBeGreaterThan(10);
  });
});
