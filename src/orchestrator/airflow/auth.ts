import type { Unavailable } from './answers.ts';
import { unavailable } from './answers.ts';
import type { AdapterLog } from './log.ts';
import { createLogin, type Login } from './login.ts';
import { askGoogle } from './login-google.ts';
import { askMwaa, type MwaaEnvironment } from './login-mwaa.ts';
import { type Ask, type AskDeps, askAirflow, askIdentityProvider, type OAuthClient } from './login-requests.ts';
import type { ApiVersion } from './versions.ts';

/** How to show Airflow who is calling. `read` gives the bearer token of the moment, e.g. from a file that is rotated. */
export type Credentials =
  | { readonly type: 'password'; readonly username: string; readonly password: string }
  /** A client that Airflow's Keycloak auth manager knows. */
  | { readonly type: 'client'; readonly clientId: string; readonly clientSecret: string }
  | ({ readonly type: 'oauth' } & OAuthClient)
  | { readonly type: 'google' }
  | ({ readonly type: 'mwaa' } & MwaaEnvironment)
  | { readonly type: 'token'; read(): Promise<string> }
  | { readonly type: 'none' };

export interface Authorization {
  readonly type: 'authorized';
  readonly headers: Readonly<Record<string, string>>;
  /** What the headers show, to tell one authorization from the next; null for nothing. */
  readonly shown: string | null;
  /** What an answer to a request with these headers might echo. */
  readonly secrets: readonly string[];
}

export interface Authenticator {
  authorize(api: ApiVersion): Promise<Authorization | Unavailable>;
  /** What can be shown before the version is known. */
  atHand(): Promise<Authorization | Unavailable>;
  /** Says that the server refused `used`, as expired for instance: it is not handed out again. */
  discard(used: Authorization): void;
  /** Says that the server refused `used` too, although it was just renewed: a further renewal has to wait. */
  giveUpOn(used: Authorization): void;
}

export interface AuthDeps extends AskDeps {
  readonly credentials: Credentials;
  readonly log: AdapterLog;
}

/** Airflow 3 takes a token for a password, Airflow 2 the password itself; all other tokens serve both. */
export function createAuthenticator({ credentials, ...deps }: AuthDeps): Authenticator {
  switch (credentials.type) {
    case 'password':
      return createPasswordAuthenticator(credentials.username, credentials.password, deps);
    case 'client':
      return createClientAuthenticator(credentials.clientId, credentials.clientSecret, deps);
    case 'oauth':
      return createBearerAuthenticator(askIdentityProvider(deps, credentials), [credentials.clientSecret], deps);
    case 'google':
      return createBearerAuthenticator(askGoogle(deps), [], deps);
    case 'mwaa':
      return createMwaaAuthenticator(credentials, deps);
    case 'token':
      return createTokenAuthenticator(() => credentials.read());
    case 'none':
      return { authorize: showNothing, atHand: showNothing, discard() {}, giveUpOn() {} };
  }
}

type KindDeps = Omit<AuthDeps, 'credentials'>;

const anonymous: Authorization = { type: 'authorized', headers: {}, shown: null, secrets: [] };

async function showNothing(): Promise<Authorization> {
  return anonymous;
}

function createPasswordAuthenticator(username: string, password: string, deps: KindDeps): Authenticator {
  const ask = askAirflow(deps, { username, password }, password, 'the user name and password');
  const login = createLogin({ ...deps, ask });
  const pair = Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
  const headers = { authorization: `Basic ${pair}` };
  const basic: Authorization = { type: 'authorized', headers, shown: pair, secrets: [pair, password] };
  return {
    authorize: async (api) => (api === 'v1' ? basic : showToken(login, (token) => bearer(token, [password]))),
    atHand: showNothing,
    ...refusals([login]),
  };
}

function createClientAuthenticator(clientId: string, clientSecret: string, deps: KindDeps): Authenticator {
  const body = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret };
  const login = createLogin({ ...deps, ask: askAirflow(deps, body, clientSecret, 'the client id and secret') });
  return {
    async authorize(api) {
      if (api === 'v2') return await showToken(login, (token) => bearer(token, [clientSecret]));
      return unavailable('unauthorized', 'Airflow 2 has no login for a client id and secret');
    },
    atHand: showNothing,
    ...refusals([login]),
  };
}

/** A token that has nothing to do with Airflow's version, and that a proxy in front of Airflow may want for everything. */
function createBearerAuthenticator(ask: Ask, more: readonly string[], deps: KindDeps): Authenticator {
  const login = createLogin({ ...deps, ask });
  const show = () => showToken(login, (token) => bearer(token, more));
  return { authorize: show, atHand: show, ...refusals([login]) };
}

function createMwaaAuthenticator(environment: MwaaEnvironment, deps: KindDeps): Authenticator {
  const v1 = createLogin({ ...deps, ask: askMwaa(deps, environment, 'v1') });
  const v2 = createLogin({ ...deps, ask: askMwaa(deps, environment, 'v2') });
  return {
    authorize: (api) => (api === 'v1' ? showToken(v1, sessionCookie) : showToken(v2, (token) => bearer(token, []))),
    atHand: showNothing,
    ...refusals([v1, v2]),
  };
}

async function showToken(login: Login, show: (token: string) => Authorization): Promise<Authorization | Unavailable> {
  const token = await login.token();
  return token.type === 'unavailable' ? token : show(token.value);
}

function refusals(logins: readonly Login[]): Pick<Authenticator, 'discard' | 'giveUpOn'> {
  return {
    discard({ shown }) {
      if (shown !== null) for (const login of logins) login.discard(shown);
    },
    giveUpOn({ shown }) {
      if (shown !== null) for (const login of logins) login.giveUpOn(shown);
    },
  };
}

function createTokenAuthenticator(read: () => Promise<string>): Authenticator {
  // Read each time, so that a rotated token is in use at once.
  async function show(): Promise<Authorization | Unavailable> {
    let token: string;
    try {
      token = (await read()).trim();
    } catch {
      return unavailable('unauthorized', 'the Airflow token could not be read');
    }
    // The value itself must not get into an error, which is what the HTTP client's own check would make of it.
    if (!/^[\x21-\x7e]+$/.test(token)) {
      return unavailable('unauthorized', 'the Airflow token is empty or holds a character that no header can carry');
    }
    return bearer(token, []);
  }
  return { authorize: show, atHand: show, discard() {}, giveUpOn() {} };
}

function bearer(token: string, more: readonly string[]): Authorization {
  const headers = { authorization: `Bearer ${token}` };
  return { type: 'authorized', headers, shown: token, secrets: [token, ...more] };
}

function sessionCookie(session: string): Authorization {
  return { type: 'authorized', headers: { cookie: `session=${session}` }, shown: session, secrets: [session] };
}
