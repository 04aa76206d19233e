import { generateKeyPairSync, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpResponse, http } from 'msw';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Orchestrator } from '../../src/orchestrator/port.ts';
import { useNetwork } from '../support/network.ts';
import { CREDENTIAL_KINDS, type CredentialKind } from './credential-kinds.ts';
import { createClock, KEY, open, runJson, versionHandlers } from './fixtures.ts';
import { type Issuer, startIssuer } from './issuers.ts';

const network = useNetwork();
const WHOLE = { mode: 'all_tasks', runOnLatestVersion: false } as const;
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function stage(makeKind: () => CredentialKind, isWrong = false) {
  const kind = makeKind();
  // Google's library counts the life of its tokens by the machine's clock.
  const clock = createClock(Date.now());
  const issuer: Issuer = await startIssuer({ ...kind, nowMs: clock.nowMs });
  const variables = { ...NO_PROXY, ...kind.variables?.(issuer.url, isWrong) };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value === '' ? undefined : value);
  const said: unknown[] = [];
  const log = { info: (...entry: unknown[]) => said.push(entry), warn: (...entry: unknown[]) => said.push(entry) };
  const credentials = kind.credentials(issuer.url, isWrong);
  const airflow: Orchestrator = open({ url: issuer.url, credentials, clock, log });
  closing.push(
    () => airflow.close(),
    () => issuer.close(),
  );
  return { kind, clock, issuer, airflow, said };
}

const NO_PROXY = { HTTP_PROXY: '', HTTPS_PROXY: '', http_proxy: '', https_proxy: '', no_proxy: '' };

/** Logins that brought a token; each may take several requests. */
const renewals = ({ issued }: Issuer) => issued.length;

describe.each(CREDENTIAL_KINDS.map((make) => [make().name, make] as const))('%s', (_name, make) => {
  test('a token is asked for once, then kept, also by many requests at a time', async () => {
    const { airflow, issuer } = await stage(make);
    const found = await Promise.all(Array.from({ length: 10 }, () => airflow.observe(KEY)));
    expect(found.map(({ type }) => type)).toEqual(Array.from({ length: 10 }, () => 'found'));
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'found' });
    expect(renewals(issuer)).toBe(1);
    expect(issuer.seen.filter(({ path }) => path.startsWith('/api/'))).toHaveLength(11);
  });

  test('and renewed before it expires', async () => {
    const { airflow, issuer, clock, kind } = await stage(make);
    await airflow.observe(KEY);
    // Half a life is too early, except that an MWAA session is given half of what it has.
    clock.advance(kind.lifeMs * 0.49);
    await airflow.observe(KEY);
    expect(renewals(issuer)).toBe(1);
    clock.advance(kind.lifeMs * 0.5);
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'found' });
    expect(renewals(issuer)).toBe(2);
    // A token that had expired would have been refused first.
    expect(issuer.seen.filter(({ path }) => path.startsWith('/api/'))).toHaveLength(3);
  });

  test('and renewed once when Airflow refuses it, for a clear too', async () => {
    const { airflow, issuer } = await stage(make);
    await airflow.observe(KEY);
    issuer.revoke();
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'found' });
    issuer.revoke();
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'accepted' });
    expect(renewals(issuer)).toBe(3);
    expect(issuer.seen.filter(({ path }) => path.endsWith('/clear'))).toHaveLength(2);
  });

  test('a refusal is told, and not repeated at once', async () => {
    const { airflow, issuer, clock, said } = await stage(make, true);
    const refused = { type: 'unavailable', reason: 'unauthorized', retryAfterMs: 1_000 };
    said.push(await airflow.observe(KEY), await airflow.clear(KEY, WHOLE));
    expect(said.find((one) => typeof one === 'object' && one !== null && 'type' in one)).toMatchObject(refused);
    const before = issuer.logins();
    await airflow.observe(KEY);
    expect(issuer.logins()).toBe(before);
    clock.advance(1_000);
    expect(await airflow.observe(KEY)).toMatchObject({ ...refused, retryAfterMs: 2_000 });
    expect(issuer.logins()).toBeGreaterThan(before);
    expect(issuer.seen.filter(({ path }) => path.startsWith('/api/'))).toEqual([]);
    expect(JSON.stringify(said)).not.toContain('hunter2');
  });

  test.each([
    [503, 'server_error'],
    ['broken', 'unreachable'],
  ] as const)(
    'an outage (%s) is one, after which it goes on',
    async (trouble, reason) => {
      const { airflow, issuer, clock, said } = await stage(make);
      issuer.trouble(trouble);
      const observed = await airflow.observe(KEY);
      said.push(observed);
      expect(observed).toMatchObject({ type: 'unavailable', reason });
      expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'not_applied', reason });
      issuer.trouble(null);
      clock.advance(1_000);
      expect(await airflow.observe(KEY)).toMatchObject({ type: 'found' });
      expect(JSON.stringify(said)).not.toContain('hunter2');
    },
    20_000,
  );

  test('what is shown to Airflow goes to nobody that it redirects to', async () => {
    const { airflow, issuer, clock, kind, said } = await stage(make);
    await airflow.observe(KEY);
    const other = await startIssuer({ ...make(), nowMs: Date.now });
    closing.push(() => other.close());
    issuer.redirectTo(other.url);
    said.push(await airflow.observe(KEY), await airflow.clear(KEY, WHOLE));
    // Google's library asks Google alone, and follows what Google answers.
    if (!kind.name.startsWith('Google')) {
      clock.advance(kind.lifeMs);
      said.push(await airflow.observe(KEY));
    }
    expect(said.filter(isOutage).length).toBeGreaterThan(1);
    expect(other.seen).toEqual([]);
    for (const token of issuer.issued) expect(JSON.stringify(said)).not.toContain(token);
  });
});

function isOutage(one: unknown): boolean {
  return typeof one === 'object' && one !== null && 'type' in one && one.type !== 'found';
}

describe('a service account of Google', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const folder = mkdtempSync(join(tmpdir(), 'dagain-google-'));
  const file = join(folder, 'key.json');
  afterEach(() => rmSync(file, { force: true }));

  function use(content: string): Orchestrator {
    writeFileSync(file, content);
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file);
    const airflow = open({ credentials: { type: 'google' }, clock: createClock(Date.now()) });
    closing.push(() => airflow.close());
    return airflow;
  }

  const account = JSON.stringify({
    type: 'service_account',
    client_email: 'dagain@project.iam.gserviceaccount.com',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    private_key_id: 'k1',
    project_id: 'project',
  });

  test('signs for its token with the key in its file', async () => {
    const authorizations: (string | null)[] = [];
    network.use(
      ...versionHandlers('3.3.2'),
      http.post('https://oauth2.googleapis.com/token', async ({ request }) => {
        const form = new URLSearchParams(await request.text());
        const [head = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.');
        const isSigned = verify(
          'RSA-SHA256',
          Buffer.from(`${head}.${claims}`),
          publicKey,
          Buffer.from(signature, 'base64url'),
        );
        const { iss, scope } = JSON.parse(Buffer.from(claims, 'base64url').toString());
        const isRight =
          isSigned && iss === 'dagain@project.iam.gserviceaccount.com' && scope.endsWith('/cloud-platform');
        if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer' || !isRight) {
          return HttpResponse.json({ error: 'invalid_grant' }, { status: 400 });
        }
        return HttpResponse.json({ access_token: 'ya29.token', expires_in: 3_600, token_type: 'Bearer' });
      }),
      http.get('http://airflow.test/api/v2/dags/:dag/dagRuns/:run', ({ request }) => {
        authorizations.push(request.headers.get('authorization'));
        return HttpResponse.json(runJson());
      }),
    );
    expect(await use(account).observe(KEY)).toMatchObject({ type: 'found' });
    expect(authorizations).toEqual(['Bearer ya29.token']);
  });

  test.each([
    '{"private_key": "hunter2',
    '{"type": "service_account", "private_key": "hunter2", "client_email": "x", "project_id": "p"}',
    '[]',
  ])('with a file that is no good is refused, and the file not quoted: %s', async (content) => {
    const observed = await use(content).observe(KEY);
    expect(observed).toMatchObject({ type: 'unavailable', reason: 'unauthorized' });
    expect(JSON.stringify(observed)).not.toContain('hunter2');
  });
});

test('Airflow 2 has no login for a client of Keycloak', async () => {
  network.use(...versionHandlers('2.11.2'));
  const credentials = { type: 'client', clientId: 'dagain', clientSecret: 'hunter2' } as const;
  expect(await open({ credentials }).observe(KEY)).toMatchObject({
    reason: 'unauthorized',
    detail: 'Airflow 2 has no login for a client id and secret',
  });
});
