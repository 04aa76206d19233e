import { afterEach, describe, expect, test } from 'vitest';
import type { AuthSettings } from '../../src/http/auth.ts';
import { problemIn } from './problem.ts';
import { type Serving, type ServingOptions, serve, TASK_FAILED } from './serve.ts';
import { signed } from './signing.ts';

const NONE: AuthSettings = { callbackTokens: [], operatorTokens: [], webhookSecrets: [] };
const CALLBACK = 'callback-token-1';
const OPERATOR = 'operator-token-1';
const SECRET = 'a shared secret';
const ALL: AuthSettings = { callbackTokens: [CALLBACK], operatorTokens: [OPERATOR], webhookSecrets: [SECRET] };
const BODY = JSON.stringify(TASK_FAILED);

let http: Serving | null = null;
afterEach(async () => {
  await http?.close();
  http = null;
});

async function serving(auth: Partial<AuthSettings>, options: ServingOptions = {}): Promise<Serving> {
  http = await serve({ ...options, auth: { ...NONE, ...auth } });
  return http;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

type Who = 'nobody' | 'callback' | 'operator' | 'stranger' | 'signer' | 'forger';
const HEADERS: Readonly<Record<Who, Record<string, string>>> = {
  nobody: {},
  callback: bearer(CALLBACK),
  operator: bearer(OPERATOR),
  stranger: bearer('some-other-token'),
  signer: signed(BODY, { key: SECRET }),
  forger: signed(BODY, { key: 'another secret' }),
};

/** Every combination of what is configured and who calls: the status on callbacks, and on operations. */
const MATRIX: readonly (readonly [configured: string, auth: Partial<AuthSettings>, Readonly<Record<Who, string>>])[] = [
  [
    'nothing',
    {},
    {
      nobody: '202 200',
      callback: '202 200',
      operator: '202 200',
      stranger: '202 200',
      signer: '202 200',
      forger: '202 200',
    },
  ],
  [
    'a callback token',
    { callbackTokens: [CALLBACK] },
    {
      nobody: '401 401',
      callback: '202 403',
      operator: '401 401',
      stranger: '401 401',
      signer: '401 401',
      forger: '401 401',
    },
  ],
  [
    'an operator token',
    { operatorTokens: [OPERATOR] },
    {
      nobody: '401 401',
      callback: '401 401',
      operator: '403 200',
      stranger: '401 401',
      signer: '401 401',
      forger: '401 401',
    },
  ],
  [
    'a webhook secret',
    { webhookSecrets: [SECRET] },
    {
      nobody: '401 401',
      callback: '401 401',
      operator: '401 401',
      stranger: '401 401',
      signer: '202 401',
      forger: '401 401',
    },
  ],
  [
    'both tokens',
    { callbackTokens: [CALLBACK], operatorTokens: [OPERATOR] },
    {
      nobody: '401 401',
      callback: '202 403',
      operator: '403 200',
      stranger: '401 401',
      signer: '401 401',
      forger: '401 401',
    },
  ],
  [
    'a callback token and a webhook secret',
    { callbackTokens: [CALLBACK], webhookSecrets: [SECRET] },
    {
      nobody: '401 401',
      callback: '202 403',
      operator: '401 401',
      stranger: '401 401',
      signer: '202 401',
      forger: '401 401',
    },
  ],
  [
    'an operator token and a webhook secret',
    { operatorTokens: [OPERATOR], webhookSecrets: [SECRET] },
    {
      nobody: '401 401',
      callback: '401 401',
      operator: '403 200',
      stranger: '401 401',
      signer: '202 401',
      forger: '401 401',
    },
  ],
  [
    'everything',
    ALL,
    {
      nobody: '401 401',
      callback: '202 403',
      operator: '403 200',
      stranger: '401 401',
      signer: '202 401',
      forger: '401 401',
    },
  ],
];

describe.each(MATRIX)('with %s configured', (_configured, auth, expected) => {
  test.each(Object.keys(HEADERS).filter((who): who is Who => who in HEADERS))('%s', async (who) => {
    const { post, get, intake } = await serving(auth);
    const callback = await post('/v1/callbacks/task-failed', BODY, HEADERS[who]);
    const operation = await get('/v1/runs', HEADERS[who]);
    expect(`${callback.status} ${operation.status}`).toBe(expected[who]);
    expect(intake.reports).toHaveLength(callback.status === 202 ? 1 : 0);
    for (const got of [callback, operation]) {
      if (got.status === 401) {
        expect(problemIn(got).code).toBe('unauthenticated');
        expect(got.headers['www-authenticate']).toMatch(/^Bearer realm="dagain"/);
      }
      if (got.status === 403) expect(problemIn(got).code).toBe('forbidden');
    }
  });

  test('health, metrics and the document are open to all', async () => {
    const { get } = await serving(auth);
    for (const path of ['/livez', '/readyz', '/metrics', '/openapi.json']) expect((await get(path)).status).toBe(200);
  });
});

describe('tokens', () => {
  test('two may be valid at once, so that one can replace the other', async () => {
    const { post, get } = await serving({
      callbackTokens: ['old-token', 'new-token'],
      operatorTokens: ['old-op', 'new-op'],
    });
    for (const token of ['old-token', 'new-token']) {
      expect((await post('/v1/callbacks/task-failed', BODY, bearer(token))).status).toBe(202);
    }
    for (const token of ['old-op', 'new-op']) expect((await get('/v1/runs', bearer(token))).status).toBe(200);
  });

  test('one token may serve both sides', async () => {
    const { post, get } = await serving({ callbackTokens: ['one-token'], operatorTokens: ['one-token'] });
    expect((await post('/v1/callbacks/task-failed', BODY, bearer('one-token'))).status).toBe(202);
    expect((await get('/v1/runs', bearer('one-token'))).status).toBe(200);
  });

  test.each([
    `Bearer ${CALLBACK.slice(0, -1)}`,
    `Bearer ${CALLBACK}1`,
    `Bearer ${CALLBACK.toUpperCase()}`,
    `Bearer ${CALLBACK},${OPERATOR}`,
    `Bearer ${CALLBACK} ${OPERATOR}`,
    'Bearer',
    'Bearer ',
    `Basic ${Buffer.from(`x:${CALLBACK}`).toString('base64')}`,
    CALLBACK,
    `Bearer ${'a'.repeat(10_000)}`,
  ])('%s is refused', async (authorization) => {
    const { post } = await serving(ALL);
    expect((await post('/v1/callbacks/task-failed', BODY, { authorization })).status).toBe(401);
  });

  test('the scheme may be written in any case', async () => {
    const { post } = await serving(ALL);
    expect((await post('/v1/callbacks/task-failed', BODY, { authorization: `bearer  ${CALLBACK}` })).status).toBe(202);
  });

  test('a token that belongs to the other side is told so', async () => {
    const { post, get } = await serving(ALL);
    const onCallbacks = problemIn(await post('/v1/callbacks/task-failed', BODY, HEADERS.operator));
    expect(onCallbacks.detail).toContain('This is an operator token');
    const onOperations = problemIn(await get('/v1/runs', HEADERS.callback));
    expect(onOperations.detail).toContain('This is a callback token');
  });

  test('nothing is said about a body, a run or a route of operations before the caller is known', async () => {
    const { send, get } = await serving(ALL);
    const garbage = await send({ method: 'POST', path: '/v1/callbacks/task-failed', body: 'garbage' });
    expect(garbage.status).toBe(401);
    expect((await get('/v1/runs/etl/r')).status).toBe(401);
    expect((await get('/v1/runs?limit=0')).status).toBe(401);
    expect((await get('/v1/runs/etl/..')).status).toBe(401);
  });

  test('no answer and no log line repeats a token', async () => {
    const { post, get, log } = await serving(ALL);
    const answers = [
      await post('/v1/callbacks/task-failed', BODY, HEADERS.operator),
      await post('/v1/callbacks/task-failed', BODY, HEADERS.stranger),
      await get('/v1/runs', HEADERS.callback),
    ];
    const said = JSON.stringify([answers.map(({ text, headers }) => [text, headers]), log.lines]);
    for (const secret of [CALLBACK, OPERATOR, SECRET, 'some-other-token']) expect(said).not.toContain(secret);
  });
});
