import type { Unavailable } from './answers.ts';
import { unavailable } from './answers.ts';
import { createLogin, type LoginDeps } from './login.ts';
import type { ApiVersion } from './versions.ts';

/** How to show Airflow who is calling. `read` gives the bearer token of the moment, e.g. from a file that is rotated. */
export type Credentials =
  | { readonly type: 'password'; readonly username: string; readonly password: string }
  | { readonly type: 'token'; read(): Promise<string> }
  | { readonly type: 'none' };

export interface Authorization {
  readonly type: 'authorized';
  /** The whole header, or null for none. */
  readonly header: string | null;
  /** What an answer to a request with this header might echo. */
  readonly secrets: readonly string[];
}

export interface Authenticator {
  authorize(api: ApiVersion): Promise<Authorization | Unavailable>;
  /** What can be shown without a login and before the version is known. */
  atHand(): Promise<Authorization | Unavailable>;
  /** Says that the server refused `used`, as expired for instance: it is not handed out again. */
  discard(used: Authorization): void;
  /** Says that the server refused `used` too, although it was just renewed: a further renewal has to wait. */
  giveUpOn(used: Authorization): void;
}

export type AuthDeps = Omit<LoginDeps, 'username' | 'password'> & { readonly credentials: Credentials };

/** Airflow 3 takes a token for a password, Airflow 2 the password itself; a given token serves both. */
export function createAuthenticator({ credentials, ...deps }: AuthDeps): Authenticator {
  switch (credentials.type) {
    case 'password':
      return createPasswordAuthenticator(credentials.username, credentials.password, deps);
    case 'token':
      return createTokenAuthenticator(() => credentials.read());
    case 'none':
      return { authorize: showNothing, atHand: showNothing, discard() {}, giveUpOn() {} };
  }
}

const anonymous: Authorization = { type: 'authorized', header: null, secrets: [] };

async function showNothing(): Promise<Authorization> {
  return anonymous;
}

function createPasswordAuthenticator(
  username: string,
  password: string,
  deps: Omit<LoginDeps, 'username' | 'password'>,
): Authenticator {
  const login = createLogin({ ...deps, username, password });
  const pair = Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
  const basic: Authorization = { type: 'authorized', header: `Basic ${pair}`, secrets: [pair, password] };
  return {
    async authorize(api) {
      if (api === 'v1') return basic;
      const token = await login.token();
      return token.type === 'unavailable' ? token : bearer(token.value, [password]);
    },
    atHand: showNothing,
    discard: (used) => login.discard(tokenOf(used)),
    giveUpOn: (used) => login.giveUpOn(tokenOf(used)),
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
  return { type: 'authorized', header: `Bearer ${token}`, secrets: [token, ...more] };
}

function tokenOf(used: Authorization): string {
  return used.header?.replace(/^Bearer /, '') ?? '';
}
