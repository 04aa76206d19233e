import type { Credentials } from '../../src/orchestrator/airflow/auth.ts';
import { type Answer, type Asked, type Endpoint, type IssuerOptions, isSignedBy } from './issuers.ts';

const SECRET = 'hunter2-"ä/\\&:+ x';
const WRONG = 'hunter2-wrong';
const KEY = { id: 'AKIDEXAMPLE', secret: 'hunter2/aws+secret' };
const HOUR = 3_600_000;

/** One kind of credentials, and what a faithful issuer of its tokens demands. */
export interface CredentialKind extends Pick<IssuerOptions, 'endpoint' | 'version' | 'shownBy' | 'lifeMs'> {
  readonly name: string;
  /** Of the issuer at `url`; `isWrong`: such as it refuses. */
  credentials(url: string, isWrong: boolean): Credentials;
  /** Variables of the process that a library reads by itself. */
  variables?(url: string, isWrong: boolean): Record<string, string>;
}

const bearer = (token: string) => ({ name: 'authorization', value: `Bearer ${token}` });
const refused = (status: number, json: unknown = { detail: `no: ${SECRET}` }): Answer => ({ status, json });

function isPost(asked: Asked, path: string, type: string): boolean {
  return asked.method === 'POST' && asked.path === path && asked.headers['content-type'] === type;
}

function airflowLogin(expected: object): Endpoint {
  return (asked, issue) => {
    if (!isPost(asked, '/auth/token', 'application/json')) return null;
    if (JSON.stringify(JSON.parse(asked.body)) !== JSON.stringify(expected)) return refused(401);
    return { status: 201, json: { access_token: issue('jwt') } };
  };
}

function identityProvider(clientAuth: 'basic' | 'post'): Endpoint {
  const pair = `${encodeForm('dagain:client')}:${encodeForm(SECRET)}`;
  const inBody = clientAuth === 'post' ? { client_id: 'dagain:client', client_secret: SECRET } : {};
  const form = { grant_type: 'client_credentials', scope: 'airflow.run read', audience: 'airflow', ...inBody };
  return (asked, issue) => {
    if (!isPost(asked, '/oauth2/token', 'application/x-www-form-urlencoded')) return null;
    const wanted = clientAuth === 'basic' ? `Basic ${Buffer.from(pair).toString('base64')}` : undefined;
    const sent = Object.fromEntries(new URLSearchParams(asked.body));
    const isRight = asked.headers['authorization'] === wanted && JSON.stringify(sent) === JSON.stringify(form);
    if (!isRight) return refused(401, { error: 'invalid_client', error_description: `not ${SECRET}` });
    return { status: 200, json: { access_token: issue(), token_type: 'Bearer', expires_in: 3_600 } };
  };
}

const encodeForm = (text: string) => new URLSearchParams({ k: text }).toString().slice(2);

const oauth = (clientAuth: 'basic' | 'post'): CredentialKind => ({
  name: `OAuth 2 client credentials (client_secret_${clientAuth})`,
  version: '3.3.2',
  lifeMs: HOUR,
  shownBy: bearer,
  endpoint: identityProvider(clientAuth),
  credentials: (url, isWrong) => ({
    type: 'oauth',
    tokenUrl: `${url}/oauth2/token`,
    clientId: 'dagain:client',
    clientSecret: isWrong ? WRONG : SECRET,
    clientAuth,
    scope: 'airflow.run read',
    audience: 'airflow',
  }),
});

/** The metadata server of Google's machines, which demands a header that no browser sends. */
const metadataServer =
  (isWrong: () => boolean): Endpoint =>
  (asked, issue) => {
    if (asked.method !== 'GET' || !asked.path.startsWith('/computeMetadata/v1/')) return null;
    const headers = { 'metadata-flavor': 'Google' };
    if (asked.headers['metadata-flavor'] !== 'Google') return refused(403);
    if (!asked.path.endsWith('/service-accounts/default/token')) return { status: 200, json: 'ok', headers };
    if (isWrong()) return { ...refused(403), headers };
    return { status: 200, json: { access_token: issue(), expires_in: 3_600, token_type: 'Bearer' }, headers };
  };

function google(): CredentialKind {
  let isWrongNow = false;
  return {
    name: 'Google (metadata server)',
    version: '3.3.2',
    lifeMs: HOUR,
    shownBy: bearer,
    endpoint: metadataServer(() => isWrongNow),
    credentials(_url, isWrong) {
      isWrongNow = isWrong;
      return { type: 'google' };
    },
    variables: (url) => ({
      GCE_METADATA_HOST: new URL(url).host,
      METADATA_SERVER_DETECTION: 'assume-present',
      GOOGLE_APPLICATION_CREDENTIALS: '',
      CLOUDSDK_CONFIG: '/nonexistent',
      NO_PROXY: '*',
    }),
  };
}

const WEB_TOKEN = 'web-token-hunter2';

function mwaa(version: '3.3.2' | '2.11.2'): CredentialKind {
  const isOlder = version.startsWith('2.');
  const loginPath = isOlder ? '/aws_mwaa/login' : '/pluginsv2/aws_mwaa/login';
  const endpoint: Endpoint = (asked, issue) => {
    if (asked.method === 'POST' && asked.path === '/webtoken/prod') {
      const isRight =
        isSignedBy(asked, KEY, 'eu-west-1/airflow') && asked.headers['x-amz-security-token'] === 'hunter2-session';
      return isRight ? { status: 200, json: { WebToken: WEB_TOKEN, WebServerHostname: 'x' } } : refused(403);
    }
    if (!isPost(asked, loginPath, 'application/x-www-form-urlencoded')) return null;
    if (new URLSearchParams(asked.body).get('token') !== WEB_TOKEN) return refused(403);
    const cookie = isOlder ? `session=${issue()}; HttpOnly; Path=/` : `_token=${issue('jwt')}; Path=/; Secure`;
    const headers = { 'set-cookie': cookie, ...(isOlder ? { location: '/home' } : {}) };
    return { status: isOlder ? 302 : 200, headers };
  };
  return {
    name: `Amazon MWAA (Airflow ${version})`,
    version,
    lifeMs: isOlder ? 12 * HOUR : HOUR,
    shownBy: (token) => (isOlder ? { name: 'cookie', value: `session=${token}` } : bearer(token)),
    endpoint,
    credentials: (url) => ({ type: 'mwaa', name: 'prod', region: 'eu-west-1', endpoint: url }),
    variables: (_url, isWrong) => ({
      AWS_ACCESS_KEY_ID: KEY.id,
      AWS_SECRET_ACCESS_KEY: isWrong ? WRONG : KEY.secret,
      AWS_SESSION_TOKEN: 'hunter2-session',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_PROFILE: '',
    }),
  };
}

export const CREDENTIAL_KINDS: readonly (() => CredentialKind)[] = [
  () => ({
    name: 'password (Simple, FAB, Keycloak)',
    version: '3.3.2',
    lifeMs: HOUR,
    shownBy: bearer,
    endpoint: airflowLogin({ username: 'dagain', password: SECRET }),
    credentials: (_url, isWrong) => ({ type: 'password', username: 'dagain', password: isWrong ? WRONG : SECRET }),
  }),
  () => ({
    name: 'client of the Keycloak auth manager',
    version: '3.3.2',
    lifeMs: HOUR,
    shownBy: bearer,
    endpoint: airflowLogin({ grant_type: 'client_credentials', client_id: 'dagain', client_secret: SECRET }),
    credentials: (_url, isWrong) => ({ type: 'client', clientId: 'dagain', clientSecret: isWrong ? WRONG : SECRET }),
  }),
  () => oauth('basic'),
  () => oauth('post'),
  google,
  () => mwaa('3.3.2'),
  () => mwaa('2.11.2'),
];
