import { type Unavailable, unavailable } from './answers.ts';
import type { AdapterLog } from './log.ts';

export interface LoginDeps {
  /** Asks for a new token, once. */
  readonly ask: () => Promise<IssuedToken | Unavailable>;
  readonly clock: { nowMs(): number };
  readonly log: AdapterLog;
}

/** A token as its issuer hands it out. */
export interface IssuedToken {
  readonly type: 'token';
  readonly value: string;
  /** From now, in milliseconds; null when nobody tells: then only a refusal shows that it has expired. */
  readonly lifeMs: number | null;
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
  /** Null when the token does not tell when it expires. */
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

/** Holds the token of whichever kind of credentials: how to get one is all that kinds differ in. */
export function createLogin({ ask, clock, log }: LoginDeps): Login {
  let current: Token | null = null;
  let pending: Promise<Token | Unavailable> | null = null;
  let failure: { readonly outage: Unavailable; readonly untilMs: number } | null = null;
  let failures = 0;

  function fail(outage: Unavailable, backoffMs: number): Unavailable {
    const waitMs = Math.max(backoffMs, Math.min(outage.retryAfterMs ?? 0, MAX_ASKED_WAIT_MS));
    failure = { outage, untilMs: clock.nowMs() + waitMs };
    log.warn({ reason: outage.reason, detail: outage.detail, wait_ms: waitMs }, 'cannot log in to Airflow');
    return { ...outage, retryAfterMs: waitMs };
  }

  async function logIn(): Promise<Token | Unavailable> {
    const issued = await ask();
    if (issued.type === 'unavailable') {
      failures += 1;
      return fail(issued, Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** Math.min(failures - 1, 10)));
    }
    const { value, lifeMs } = issued;
    const token: Token = { type: 'token', value, renewAtMs: renewalTimeMs(lifeMs, clock.nowMs()) };
    current = token;
    failure = null;
    failures = 0;
    log.info({ renew_at_ms: token.renewAtMs }, 'logged in to Airflow');
    return token;
  }

  return {
    async token() {
      const nowMs = clock.nowMs();
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

/** When to renew a token that lives that long from now, in epoch milliseconds. */
function renewalTimeMs(lifeMs: number | null, nowMs: number): number | null {
  if (lifeMs === null || lifeMs <= 0) return null;
  return nowMs + Math.max(lifeMs - RENEWAL_MARGIN_MS, lifeMs * 0.8);
}
