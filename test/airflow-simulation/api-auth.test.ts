import { describe, expect, test } from 'vitest';
import { createApiScenario, createFailedRun } from './api-scenario.ts';

const HOUR_MS = 3_600_000;

describe('Airflow 3', () => {
  test('gives a token for a password', async () => {
    const { call, runPath } = await createFailedRun();
    const login = await call('POST', '/auth/token', { username: 'admin', password: 'admin' }, null);
    expect(login).toMatchObject({ status: 201, body: { access_token: expect.stringMatching(/^eyJ.+\..+\..+$/) } });
    expect(await call('GET', runPath)).toMatchObject({ status: 200 });
  });

  test('refuses wrong credentials and bodies', async () => {
    const { call } = createApiScenario();
    expect(await call('POST', '/auth/token', { username: 'admin', password: 'bad' }, null)).toMatchObject({
      status: 401,
      body: { detail: 'Invalid credentials' },
    });
    expect(await call('POST', '/auth/token', { username: 'admin' }, null)).toMatchObject({
      status: 422,
      body: { detail: expect.any(String) },
    });
  });

  test('answers 401 without a header, and takes no password in it', async () => {
    const { call, runPath } = await createFailedRun();
    const refused = { status: 401, body: { detail: 'Not authenticated' } };
    expect(await call('GET', runPath, undefined, null)).toMatchObject(refused);
    expect(await call('GET', runPath, undefined, `Basic ${btoa('admin:admin')}`)).toMatchObject(refused);
  });

  test('answers 401 to a token from ten seconds after it has expired', async () => {
    const { call, runPath, api, timers } = await createFailedRun({ auth: { tokenLifetimeMs: HOUR_MS } });
    const token = `Bearer ${api.auth.login('admin', 'admin')}`;
    await timers.advanceBy(HOUR_MS + 8_000);
    expect(await call('GET', runPath, undefined, token)).toMatchObject({ status: 200 });
    await timers.advanceBy(3_000);
    expect(await call('GET', runPath, undefined, token)).toMatchObject({
      status: 401,
      body: { detail: 'Token Expired' },
    });
  });

  test('answers 403 to garbage, and to a token of the secret before', async () => {
    const { call, runPath, api } = await createFailedRun();
    const refused = { status: 403, body: { detail: 'Invalid JWT token' } };
    const token = `Bearer ${api.auth.login('admin', 'admin')}`;
    api.auth.rotateSecret();
    expect(await call('GET', runPath, undefined, token)).toMatchObject(refused);
    expect(await call('GET', runPath, undefined, 'Bearer garbage')).toMatchObject(refused);
    expect(await call('GET', runPath)).toMatchObject({ status: 200 });
  });

  test('answers 403 to a user who may not', async () => {
    const { call, runPath, api } = await createFailedRun();
    api.auth.forbid('admin');
    expect(await call('GET', runPath)).toMatchObject({ status: 403, body: { detail: 'Forbidden' } });
    api.auth.allow('admin');
    expect(await call('GET', runPath)).toMatchObject({ status: 200 });
  });

  test('checks who calls before it checks what', async () => {
    const { call, runPath } = await createFailedRun();
    expect(await call('POST', `${runPath}/clear`, { bogus: 1 }, null)).toMatchObject({ status: 401 });
  });
});

describe('Airflow 2', () => {
  test.each([
    [403, 'Forbidden', undefined],
    [401, 'Unauthorized', 401],
  ] as const)('takes a password in each request, and answers %i without', async (status, title, configured) => {
    const auth = configured === undefined ? {} : { unauthenticatedStatus: configured };
    const { call, runPath, api } = await createFailedRun({ version: '2.11', auth });
    expect(await call('GET', runPath)).toMatchObject({ status: 200 });
    expect(await call('GET', runPath, undefined, null)).toMatchObject({
      status,
      body: { title, status, detail: null },
    });
    api.auth.setPassword('admin', 'changed');
    expect(await call('GET', runPath)).toMatchObject({ status, body: { title } });
  });

  test('has no login', async () => {
    const { call } = createApiScenario({ version: '2.11' });
    expect(await call('POST', '/auth/token', { username: 'admin', password: 'admin' }, null)).toMatchObject({
      status: 404,
    });
  });
});

test('a long-lived token acts under the name that it was given for', async () => {
  for (const version of ['2.11', '3.3'] as const) {
    const auth = { tokens: { 'long-lived': 'dagain' } };
    const { call, runPath, model } = await createFailedRun({ version, auth });
    const answer = await call('POST', `${runPath}/clear`, { dry_run: false }, 'Bearer long-lived');
    expect(answer.status).toBe(200);
    expect(model.runs()[0]?.clears).toMatchObject([{ owner: 'dagain' }]);
  }
});

test.each(['2.11', '3.3'] as const)('version and health of Airflow %s are there for anybody', async (version) => {
  const { call, base, model } = createApiScenario({ version });
  const health = version === '2.11' ? `${base}/health` : `${base}/monitor/health`;
  expect(await call('GET', `${base}/version`, undefined, null)).toMatchObject({
    status: 200,
    body: { version: model.traits.release },
  });
  if (version === '2.11') expect(await call('GET', '/health', undefined, null)).toMatchObject({ status: 200 });
  expect(await call('GET', health, undefined, null)).toMatchObject({
    status: 200,
    body: { metadatabase: { status: 'healthy' }, scheduler: { status: 'healthy' } },
  });
});
