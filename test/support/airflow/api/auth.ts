import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Timers } from '../../timers.ts';

export interface AuthOptions {
  /** Passwords by user name; `admin` with `admin` by default. */
  readonly users?: Readonly<Record<string, string>>;
  /** Long-lived bearer tokens, and whose they are. */
  readonly tokens?: Readonly<Record<string, string>>;
  readonly tokenLifetimeMs?: number;
  /** Takes every request, as `anonymous`. */
  readonly anonymous?: boolean;
  /** What Airflow 2 answers to missing or wrong credentials: a real 2.11.2 says 403, its specification 401. */
  readonly unauthenticatedStatus?: 401 | 403;
}

export type Verdict =
  | { readonly type: 'user'; readonly name: string }
  | { readonly type: 'refused'; readonly why: 'missing' | 'expired' | 'invalid' };

export interface Auth {
  /** Who sends this `authorization` header. */
  check(header: string | undefined): Verdict;
  /** A new token (Airflow 3), or null for wrong credentials. */
  login(username: string, password: string): string | null;
  mayAct(name: string): boolean;
  /** Every token issued so far becomes invalid (403), as when the servers' secret is changed. */
  rotateSecret(): void;
  setPassword(username: string, password: string): void;
  setTokenLifetimeMs(lifetimeMs: number): void;
  /** This user may log in, but do nothing (403 Forbidden). */
  forbid(username: string): void;
  allow(username: string): void;
}

interface Dependencies extends AuthOptions {
  readonly timers: Timers;
  readonly api: 'v1' | 'v2';
}

const DAY_MS = 86_400_000;
/** Airflow takes a token for so long after it has expired. */
const LEEWAY_MS = 10_000;

export function createAuth({ timers, api, ...options }: Dependencies): Auth {
  const users = new Map(Object.entries(options.users ?? { admin: 'admin' }));
  const tokens = new Map(Object.entries(options.tokens ?? {}));
  const forbidden = new Set<string>();
  let lifetimeMs = options.tokenLifetimeMs ?? DAY_MS;
  let secret = 'secret-1';
  let issued = 0;
  let rotations = 0;

  const checkBasic = (credentials: string): Verdict => {
    const [name = '', ...rest] = Buffer.from(credentials, 'base64').toString('utf8').split(':');
    return users.get(name) === rest.join(':') ? { type: 'user', name } : { type: 'refused', why: 'missing' };
  };

  const checkBearer = (token: string): Verdict => {
    const owner = tokens.get(token);
    if (owner !== undefined) return { type: 'user', name: owner };
    return api === 'v1' ? { type: 'refused', why: 'missing' } : readToken(token, secret, timers.nowMs());
  };

  return {
    check(header) {
      if (options.anonymous === true) return { type: 'user', name: 'anonymous' };
      const [, scheme = '', credentials = ''] = /^(\S+)\s+(\S+)$/.exec(header ?? '') ?? [];
      if (scheme.toLowerCase() === 'bearer') return checkBearer(credentials);
      if (scheme.toLowerCase() === 'basic' && api === 'v1') return checkBasic(credentials);
      return { type: 'refused', why: 'missing' };
    },
    login(username, password) {
      if (users.get(username) !== password) return null;
      issued += 1;
      return signToken({ sub: username, jti: `token-${issued}` }, secret, timers.nowMs(), lifetimeMs);
    },
    mayAct: (name) => !forbidden.has(name),
    rotateSecret() {
      rotations += 1;
      secret = `secret-${rotations + 1}`;
    },
    setPassword: (username, password) => void users.set(username, password),
    setTokenLifetimeMs(next) {
      lifetimeMs = next;
    },
    forbid: (username) => void forbidden.add(username),
    allow: (username) => void forbidden.delete(username),
  };
}

const Claims = z.object({ sub: z.string(), exp: z.number() });

function signToken(claims: { sub: string; jti: string }, secret: string, nowMs: number, lifetimeMs: number): string {
  const seconds = Math.floor(nowMs / 1_000);
  const times = { nbf: seconds, iat: seconds, exp: seconds + Math.floor(lifetimeMs / 1_000) };
  const head = encode({ alg: 'HS512', kid: 'not-used', typ: 'JWT' });
  const payload = encode({ ...claims, role: 'admin', aud: 'apache-airflow', ...times });
  return `${head}.${payload}.${sign(`${head}.${payload}`, secret)}`;
}

function readToken(token: string, secret: string, nowMs: number): Verdict {
  const [head = '', payload = '', signature = ''] = token.split('.');
  const expected = Buffer.from(sign(`${head}.${payload}`, secret));
  const given = Buffer.from(signature);
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) return { type: 'refused', why: 'invalid' };
  const claims = Claims.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
  if (!claims.success) return { type: 'refused', why: 'invalid' };
  const hasExpired = claims.data.exp * 1_000 + LEEWAY_MS <= nowMs;
  return hasExpired ? { type: 'refused', why: 'expired' } : { type: 'user', name: claims.data.sub };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function sign(text: string, secret: string): string {
  return createHmac('sha512', secret).update(text).digest('base64url');
}
