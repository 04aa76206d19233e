import type { Unavailable } from './answers.ts';
import type { Http } from './http.ts';
import type { IssuedToken } from './login.ts';
import { readToken } from './login-answer.ts';
import { urlOf } from './paths.ts';

/** What every way to get a token needs. */
export interface AskDeps {
  /** Airflow's address. */
  readonly root: URL;
  readonly http: Http;
  readonly clock: { nowMs(): number };
  readonly requestTimeoutMs: number;
}

export type Ask = () => Promise<IssuedToken | Unavailable>;

/**
 * Logs in at Airflow itself: `POST /auth/token` of the Simple, FAB and Keycloak auth managers, the last of which also
 * takes a client's id and secret.
 */
export function askAirflow(deps: AskDeps, body: Readonly<Record<string, string>>, secret: string, shown: string): Ask {
  const { root, http, clock, requestTimeoutMs } = deps;
  const url = urlOf(root, ['auth', 'token']);
  if (url === null) throw new Error('the path of the login is not as intended');
  return async () => {
    const timeLimitMs = requestTimeoutMs;
    const result = await http.send({ method: 'POST', url, body, secrets: [secret], timeLimitMs });
    return readToken({ issuer: 'Airflow', shown }, result, clock.nowMs());
  };
}

/** A client of an identity provider (RFC 6749, section 4.4). */
export interface OAuthClient {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Whether id and secret go in the `Authorization` header (`client_secret_basic`) or in the body (`client_secret_post`). */
  readonly clientAuth: 'basic' | 'post';
  readonly scope: string | null;
  readonly audience: string | null;
}

/** Asks an identity provider's token endpoint. */
export function askIdentityProvider({ http, clock, requestTimeoutMs }: AskDeps, client: OAuthClient): Ask {
  const { clientId, clientSecret, clientAuth, scope, audience } = client;
  const url = new URL(client.tokenUrl);
  // Both are encoded as in a form before they are joined (section 2.3.1): a colon in the id would divide them elsewhere.
  const pair = Buffer.from(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`).toString('base64');
  const isBasic = clientAuth === 'basic';
  const form = {
    grant_type: 'client_credentials',
    ...(scope === null ? {} : { scope }),
    ...(audience === null ? {} : { audience }),
    ...(isBasic ? {} : { client_id: clientId, client_secret: clientSecret }),
  };
  const headers: Record<string, string> = isBasic ? { authorization: `Basic ${pair}` } : {};
  const secrets = [clientSecret, formEncoded(clientSecret), pair];
  return async () => {
    const result = await http.send({ method: 'POST', url, headers, form, secrets, timeLimitMs: requestTimeoutMs });
    const asked = { issuer: 'the identity provider', shown: 'the client id and secret' };
    return readToken(asked, result, clock.nowMs());
  };
}

function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1);
}
