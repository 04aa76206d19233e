import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type AuthSettings, createAuth } from '../../src/http/auth.ts';
import { createFakeLog, NOW_MS } from './serve.ts';
import { signed } from './signing.ts';

/** Every comparison of secrets, by the lengths of what was compared. */
const compared = vi.hoisted((): number[][] => []);
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return {
    ...crypto,
    timingSafeEqual(a: Uint8Array, b: Uint8Array) {
      compared.push([a.length, b.length]);
      return crypto.timingSafeEqual(a, b);
    },
  };
});

beforeEach(() => {
  compared.length = 0;
});

const SETTINGS: AuthSettings = {
  callbackTokens: ['callback-1', 'callback-2'],
  operatorTokens: ['operator-1', 'operator-2'],
  webhookSecrets: ['secret-1', 'secret-2'],
};
const auth = createAuth({ settings: SETTINGS, nowMs: () => NOW_MS, log: createFakeLog() });
type Incoming = Parameters<typeof auth.requireOperator>[0];

/** All that is looked at of a request are its headers. */
async function incoming(headers: Record<string, string>): Promise<Incoming> {
  const { IncomingMessage } = await import('node:http');
  const { Socket } = await import('node:net');
  return Object.assign(new IncomingMessage(new Socket()), { headers });
}

function outcome(check: () => unknown): string {
  try {
    check();
    return 'in';
  } catch {
    return 'out';
  }
}

describe('a token is compared with every one that there is, as digests of one length', () => {
  test.each([
    ['the first', 'operator-1', 'in'],
    ['the last', 'operator-2', 'in'],
    ['the other side’s', 'callback-2', 'out'],
    ['right but for its end', 'operator-3', 'out'],
    ['far too short', 'x', 'out'],
    ['far too long', 'x'.repeat(5_000), 'out'],
  ])('%s', async (_which, token, expected) => {
    const request = await incoming({ authorization: `Bearer ${token}` });
    expect(outcome(() => auth.requireOperator(request))).toBe(expected);
    expect(compared).toEqual([
      [32, 32],
      [32, 32],
      [32, 32],
      [32, 32],
    ]);
  });
});

describe('every signature is compared under every secret', () => {
  test.each([
    ['the first secret', 'secret-1', true],
    ['the last secret', 'secret-2', true],
    ['no secret of ours', 'secret-3', false],
  ])('%s', async (_which, key, isIn) => {
    const headers = signed('body', { key });
    const decoy = signed('body', { key: 'decoy' })['webhook-signature'];
    const request = await incoming({ ...headers, 'webhook-signature': `${headers['webhook-signature']} ${decoy}` });
    const pending = auth.requireCallback(request);
    compared.length = 0;
    const verified = await pending?.verify(Buffer.from('body')).then(
      () => true,
      () => false,
    );
    expect(verified).toBe(isIn);
    expect(compared).toEqual(Array.from({ length: 4 }, () => [32, 32]));
  });
});
