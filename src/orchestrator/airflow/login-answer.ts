import { z } from 'zod';
import { type Unavailable, unavailable } from './answers.ts';
import type { HttpAnswer, HttpResult } from './http.ts';
import type { IssuedToken } from './login.ts';

/** Who was asked for a token, and what was shown, in the words of details: `the identity provider`, `the client id and secret`. */
export interface Asked {
  readonly issuer: string;
  readonly shown: string;
}

/** What can be sent in a header as it is. */
export const TokenText = z.string().regex(/^[\x21-\x7e]+$/);

const LoginAnswer = z.object({ access_token: TokenText, expires_in: z.coerce.number().positive().optional() });

/** Reads what a token endpoint answered: a token, or why there is none. */
export function readToken(asked: Asked, result: HttpResult, nowMs: number): IssuedToken | Unavailable {
  if (result.type === 'failure') return unavailable(result.reason, result.detail, result.retryAfterMs);
  const login = LoginAnswer.safeParse(result.json);
  if ((result.status === 201 || result.status === 200) && login.success) {
    const { access_token: value, expires_in: lifeS } = login.data;
    return { type: 'token', value, lifeMs: lifeS === undefined ? lifeMsOf(value, nowMs) : lifeS * 1_000 };
  }
  return refusal(asked, result);
}

/**
 * Why an issuer's answer holds no token. What it says is never quoted: a validation error of Airflow repeats the
 * password, and an answer may hold a token in a place that is not expected.
 */
export function refusal({ issuer, shown }: Asked, answer: HttpAnswer): Unavailable {
  const { status, retryAfterMs, redirectedTo } = answer;
  if (status === 400 || status === 401 || status === 403) {
    return unavailable(
      'unauthorized',
      `${issuer} refused ${shown} with ${status}${stableWord(answer.json)}`,
      retryAfterMs,
    );
  }
  if (status === 429) return unavailable('rate_limited', `${issuer} refused the login with 429`, retryAfterMs);
  if (status >= 500) return unavailable('server_error', `the login at ${issuer} answered ${status}`, retryAfterMs);
  const target = redirectedTo === null ? '' : `, a redirect to ${redirectedTo}, which is not followed`;
  const detail = `the login at ${issuer} answered ${status} without a token${target}`;
  return unavailable('unexpected_answer', detail, retryAfterMs);
}

/** The words of RFC 6749, section 5.2, which hold nothing of the request. */
const OAuthError = z.object({
  error: z.enum([
    'invalid_request',
    'invalid_client',
    'invalid_grant',
    'invalid_scope',
    'unauthorized_client',
    'unsupported_grant_type',
  ]),
});

function stableWord(json: unknown): string {
  const said = OAuthError.safeParse(json);
  return said.success ? ` (${said.data.error})` : '';
}

const Claims = z.object({ exp: z.number(), iat: z.number().optional() });

/**
 * How long a JWT lives from now, in milliseconds, by the difference of its own two times: the server's clock may differ
 * from ours. Null for a token that does not tell, or that would have expired already.
 */
export function lifeMsOf(token: string, nowMs: number): number | null {
  const claims = readClaims(token);
  if (claims === null) return null;
  const lifeMs = claims.exp * 1_000 - (claims.iat === undefined ? nowMs : claims.iat * 1_000);
  return lifeMs <= 0 ? null : lifeMs;
}

function readClaims(token: string): z.infer<typeof Claims> | null {
  try {
    const claims = Claims.safeParse(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')));
    return claims.success ? claims.data : null;
  } catch {
    return null;
  }
}
