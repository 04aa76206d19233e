import { afterEach, describe, expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import type { SeenWebhookIds } from '../../src/http/auth.ts';
import { signingKey } from '../../src/http/webhook-signature.ts';
import { problemIn } from './problem.ts';
import { NOW_MS, type Serving, type ServingOptions, serve, TASK_FAILED } from './serve.ts';
import { type Signing, signatureOf, signed } from './signing.ts';

const SECRET = 'a shared secret';
const BODY = JSON.stringify(TASK_FAILED);
const NOW_S = NOW_MS / 1_000;

let http: Serving | null = null;
afterEach(async () => {
  await http?.close();
  http = null;
});

async function serving(webhookSecrets: string[] = [SECRET], options: ServingOptions = {}): Promise<Serving> {
  http = await serve({ ...options, auth: { callbackTokens: [], operatorTokens: ['operator-token'], webhookSecrets } });
  return http;
}

async function statusOf(headers: Record<string, string>, secrets?: string[], body = BODY): Promise<number> {
  const { post } = await serving(secrets);
  return (await post('/v1/callbacks/task-failed', body, headers)).status;
}

describe('a secret', () => {
  test('with the prefix is base64; the example is the specification’s own', async () => {
    const key = signingKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
    const signing = { key, id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestamp: 1_614_265_330 };
    expect(signatureOf('{"test": 2432232314}', signing)).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
  });

  test.each([
    ['encoded', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64')],
    ['encoded, without padding', 'whsec_YWJj', 'abc'],
    ['any text', 'größer als base64!', 'größer als base64!'],
  ])('%s signs callbacks', async (_kind, secret, key) => {
    expect(await statusOf(signed(BODY, { key }), [secret])).toBe(202);
  });

  test('either of two is taken, so that one can replace the other', async () => {
    expect(await statusOf(signed(BODY, { key: 'old' }), ['old', 'new'])).toBe(202);
    await http?.close();
    expect(await statusOf(signed(BODY, { key: 'new' }), ['old', 'new'])).toBe(202);
  });

  test.each(['', 'whsec_', 'whsec_not base64!', 'whsec_YWJ'])('%j cannot be used, and is not repeated', (secret) => {
    expect(() => signingKey(secret)).toThrow(DagainError);
    expect(() => signingKey(secret)).not.toThrow(/not base64|YWJ/);
  });
});

describe('signatures', () => {
  const good = signatureOf(BODY, { key: SECRET });
  const bad = signatureOf(BODY, { key: 'another secret' });

  test.each([
    ['one of several', `${bad} v1a,${good.slice(3)} ${good} ${bad}`, 202],
    ['the last of several', `${bad} ${bad} ${good}`, 202],
    ['none of several', `${bad} ${bad}`, 401],
    ['another version', good.replace('v1,', 'v2,'), 401],
    ['asymmetric', good.replace('v1,', 'v1a,'), 401],
    ['no version', good.slice(3), 401],
    ['cut', good.slice(0, 12), 401],
    ['empty', 'v1,', 401],
    ['not base64', 'v1,????', 401],
    ['separated by a comma', `${good},${bad}`, 401],
    ['many', Array.from({ length: 300 }, () => 'v1,AAAA').join(' '), 401],
  ])('%s', async (_what, signature, status) => {
    expect(await statusOf({ ...signed(BODY, { key: SECRET }), 'webhook-signature': signature })).toBe(status);
  });

  test.each([
    ['another body', signed(`${BODY} `, { key: SECRET })],
    ['another id', { ...signed(BODY, { key: SECRET }), 'webhook-id': 'msg_2' }],
    ['another time', { ...signed(BODY, { key: SECRET }), 'webhook-timestamp': String(NOW_S + 1) }],
  ])('over %s', async (_what, headers) => {
    const { post, intake } = await serving();
    const problem = problemIn(await post('/v1/callbacks/task-failed', BODY, headers));
    expect(problem).toMatchObject({ status: 401, errors: [{ field: 'webhook-signature' }] });
    expect(intake.reports).toEqual([]);
  });

  test('cover the bytes as they came, not what they mean', async () => {
    const spaced = ` ${BODY.replaceAll(',', ' ,\n ')}\u00e4`.replace('\u00e4', '');
    expect(await statusOf(signed(spaced, { key: SECRET }), [SECRET], spaced)).toBe(202);
  });

  test('are checked before the body is looked into', async () => {
    const { post } = await serving();
    expect((await post('/v1/callbacks/task-failed', 'garbage', signed(BODY, { key: SECRET }))).status).toBe(401);
    expect((await post('/v1/callbacks/task-failed', 'garbage', signed('garbage', { key: SECRET }))).status).toBe(400);
  });

  test('do not open operations', async () => {
    const { get } = await serving();
    expect((await get('/v1/runs', signed('', { key: SECRET }))).status).toBe(401);
  });
});

describe('headers', () => {
  test.each([
    ['webhook-id', ''],
    ['webhook-id', 'x'.repeat(257)],
    ['webhook-id', 'two words'],
    ['webhook-timestamp', ''],
    ['webhook-timestamp', 'yesterday'],
    ['webhook-timestamp', `${NOW_S}.5`],
    ['webhook-timestamp', '-1'],
    ['webhook-timestamp', '9'.repeat(40)],
    ['webhook-signature', ''],
  ])('%s: %j', async (field, value) => {
    const { post } = await serving();
    const got = await post('/v1/callbacks/task-failed', BODY, { ...signed(BODY, { key: SECRET }), [field]: value });
    expect(problemIn(got)).toMatchObject({ status: 401, code: 'unauthenticated', errors: [{ field }] });
  });

  test.each(['webhook-id', 'webhook-timestamp'])('without %s', async (field) => {
    const { post } = await serving();
    const headers = Object.fromEntries(
      Object.entries(signed(BODY, { key: SECRET })).filter(([name]) => name !== field),
    );
    expect(problemIn(await post('/v1/callbacks/task-failed', BODY, headers))).toMatchObject({
      status: 401,
      errors: [{ field }],
    });
  });

  test.each([
    [-300, 202],
    [-301, 401],
    [300, 202],
    [301, 401],
    [-86_400, 401],
  ])('a time %i s away from ours: %i', async (offsetS, status) => {
    expect(await statusOf(signed(BODY, { key: SECRET, timestamp: NOW_S + offsetS }))).toBe(status);
  });
});

describe('ids are remembered', () => {
  function createSeen(): SeenWebhookIds & { readonly claims: { id: string; ttlMs: number }[] } {
    const kept = new Map<string, string>();
    const claims: { id: string; ttlMs: number }[] = [];
    return {
      claims,
      async claim(id, digest, ttlMs) {
        claims.push({ id, ttlMs });
        const before = kept.get(id) ?? digest;
        kept.set(id, before);
        return before;
      },
    };
  }

  async function deliver(http: Serving, body: string, signing: Partial<Signing> = {}) {
    return http.post('/v1/callbacks/task-failed', body, signed(body, { key: SECRET, ...signing }));
  }

  test('the same delivery again is taken in again, also with a new time: it changes nothing', async () => {
    const seenWebhookIds = createSeen();
    const serving1 = await serving([SECRET], { seenWebhookIds });
    expect((await deliver(serving1, BODY)).status).toBe(202);
    expect((await deliver(serving1, BODY)).status).toBe(202);
    expect((await deliver(serving1, BODY, { timestamp: NOW_S + 60 })).status).toBe(202);
    expect(serving1.intake.reports).toHaveLength(3);
    expect(seenWebhookIds.claims[0]).toEqual({ id: 'msg_1', ttlMs: 600_000 });
  });

  test('the same id for another body is refused, every time', async () => {
    const serving1 = await serving([SECRET], { seenWebhookIds: createSeen() });
    const other = JSON.stringify({ ...TASK_FAILED, task_id: 'other' });
    expect((await deliver(serving1, BODY)).status).toBe(202);
    for (const _again of [1, 2]) {
      expect(problemIn(await deliver(serving1, other))).toMatchObject({
        status: 409,
        code: 'webhook_id_reused',
        errors: [{ field: 'webhook-id' }],
      });
    }
    expect((await deliver(serving1, other, { id: 'msg_2' })).status).toBe(202);
    expect(serving1.intake.reports).toHaveLength(2);
  });

  test('a delivery cannot be replayed as another kind of callback', async () => {
    const { post, intake } = await serving([SECRET], { seenWebhookIds: createSeen() });
    const headers = signed(BODY, { key: SECRET });
    expect((await post('/v1/callbacks/task-failed', BODY, headers)).status).toBe(202);
    expect(problemIn(await post('/v1/callbacks/run-succeeded', BODY, headers)).code).toBe('webhook_id_reused');
    expect((await post('/v1/callbacks/task-failed?again', BODY, headers)).status).toBe(202);
    expect(intake.reports).toHaveLength(2);
  });

  test('an id whose signature is wrong is not remembered', async () => {
    const seenWebhookIds = createSeen();
    const serving1 = await serving([SECRET], { seenWebhookIds });
    expect((await deliver(serving1, BODY, { key: 'another secret' })).status).toBe(401);
    expect(seenWebhookIds.claims).toEqual([]);
  });

  test('a failure is taken in although nobody can say whether the id was seen', async () => {
    const seenWebhookIds: SeenWebhookIds = {
      claim: async () => {
        throw new DagainError('store_unavailable', 'connect ECONNREFUSED 10.0.0.5:6379');
      },
    };
    const serving1 = await serving([SECRET], { seenWebhookIds });
    expect((await deliver(serving1, BODY)).status).toBe(202);
    expect(serving1.log.lines).toMatchObject([{ level: 'warn' }]);
  });
});
