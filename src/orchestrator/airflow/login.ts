import { z } from 'zod';
import { type Unavailable, unavailable } from './answers.ts';
import type { Http, HttpResult } from './http.ts';
import type { AdapterLog } from './log.ts';
import { urlOf } from './paths.ts';

export interface LoginDeps {
  readonly username: string;
  readonly password: string;
  readonly root: URL;
  readonly http: Http;
  readonly clock: { nowMs(): number };
  readonly requestTimeoutMs: number;
  readonly log: AdapterLog;
}

export interface Login {
  /** The token in force: cached, renewed before it expires, and asked for by one request at a time. */
  token(): Promise<Token | Unavailable>;
  /** Drops `value` if it is still the one in force; a token that was renewed meanwhile stays. */
  discard(value: string): void;
  /** Drops `value` and lets no login happen for a while, as after a failed one. */
  giveUpOn(value: string): void;
}

export interface Token {
  readonly type: 'token';
  readonly value: string;
  /** Null when the token does not tell: then only a refusal shows that it has expired. */
  readonly renewAtMs: number | null;
}

const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;
/** Longest that a server's `Retry-After` keeps us from logging in. */
const MAX_ASKED_WAIT_MS = 5 * 60_000;
/** After a new token was refused at once: servers that do not share one signing key accept every other token. */
const REFUSED_WAIT_MS = 10_000;
/** Tokens are renewed this long before they expire, or after four fifths of their life if that is later. */
const RENEWAL_MARGIN_MS = 5 * 60_000;

export function createLogin(deps: LoginDeps): Login {
  let current: Token | null = null;
  let pending: Promise<Token | Unavailable> | null = null;
  let failure: { readonly outage: Unavailable; readonly untilMs: number } | null = null;
  let failures = 0;

  function fail(outage: Unavailable, backoffMs: number): Unavailable {
    const waitMs = Math.max(backoffMs, Math.min(outage.retryAfterMs ?? 0, MAX_ASKED_WAIT_MS));
    failure = { outage, untilMs: deps.clock.nowMs() + waitMs };
    deps.log.warn({ reason: outage.reason, detail: outage.detail, wait_ms: waitMs }, 'cannot log in to Airflow');
    return { ...outage, retryAfterMs: waitMs };
  }

  async function logIn(): Promise<Token | Unavailable> {
    const result = await requestToken(deps);
    const token = readToken(result, deps.clock.nowMs());
    if (token.type === 'unavailable') {
      failures += 1;
      return fail(token, Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** Math.min(failures - 1, 10)));
    }
    current = token;
    failure = null;
    failures = 0;
    deps.log.info({ renew_at_ms: token.renewAtMs }, 'logged in to Airflow');
    return token;
  }

  return {
    async token() {
      const nowMs = deps.clock.nowMs();
      if (current !== null && (current.renewAtMs === null || nowMs < current.renewAtMs)) {
        return current;
      }
      if (failure !== null && nowMs < failure.untilMs)
        return { ...failure.outage, retryAfterMs: failure.untilMs - nowMs };
      pending ??= logIn().finally(() => {
        pending = null;
      });
      return pending;
    },
    discard(value) {
      if (current?.value === value) current = null;
    },
    giveUpOn(value) {
      if (current?.value !== value) return;
      current = null;
      fail(unavailable('unauthorized', 'Airflow refuses the token that it has just issued'), REFUSED_WAIT_MS);
    },
  };
}

async function requestToken({ http, root, username, password, requestTimeoutMs }: LoginDeps): Promise<HttpResult> {
  const url = urlOf(root, ['auth', 'token']);
  if (url === null) throw new Error('the path of the login is not as intended');
  return http.send({
    method: 'POST',
    url,
    authorization: null,
    body: { username, password },
    secrets: [password],
    timeLimitMs: requestTimeoutMs,
  });
}

const LoginAnswer = z.object({ access_token: z.string().regex(/^[\x21-\x7e]+$/) });

function readToken(result: HttpResult, nowMs: number): Token | Unavailable {
  if (result.type === 'failure') return unavailable(result.reason, result.detail, result.retryAfterMs);
  const { status, retryAfterMs } = result;
  const login = LoginAnswer.safeParse(result.json);
  if ((status === 201 || status === 200) && login.success) {
    const value = login.data.access_token;
    return { type: 'token', value, renewAtMs: renewalTimeMs(value, nowMs) };
  }
  // What the login answers is never quoted: a validation error of Airflow repeats the password, and an answer may hold
  // a token in a place that is not expected.
  if (status === 400 || status === 401 || status === 403) {
    return unavailable('unauthorized', `Airflow refused the user name and password with ${status}`, retryAfterMs);
  }
  if (status === 429) return unavailable('rate_limited', 'Airflow refused the login with 429', retryAfterMs);
  if (status >= 500) return unavailable('server_error', `the login at Airflow answered ${status}`, retryAfterMs);
  const target = result.redirectedTo === null ? '' : `, a redirect to ${result.redirectedTo}, which is not followed`;
  return unavailable(
    'unexpected_answer',
    `the login at Airflow answered ${status} without a token${target}`,
    retryAfterMs,
  );
}

const Claims = z.object({ exp: z.number(), iat: z.number().optional() });

/**
 * When to renew the token, in epoch milliseconds. Its life is counted from now, by the difference of its own two times:
 * the server's clock may differ from ours. Null for a token that does not tell, or that would have expired already.
 */
function renewalTimeMs(token: string, nowMs: number): number | null {
  const claims = readClaims(token);
  if (claims === null) return null;
  const lifeMs = claims.exp * 1_000 - (claims.iat === undefined ? nowMs : claims.iat * 1_000);
  if (lifeMs <= 0) return null;
  return nowMs + Math.max(lifeMs - RENEWAL_MARGIN_MS, lifeMs * 0.8);
}

function readClaims(token: string): z.infer<typeof Claims> | null {
  try {
    const claims = Claims.safeParse(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')));
    return claims.success ? claims.data : null;
  } catch {
    return null;
  }
}
