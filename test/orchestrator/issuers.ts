import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwt, runJson } from './fixtures.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Answers a request that it takes for a login, null for one that it does not know. */
export type Endpoint = (asked: Asked, issue: (shape?: 'jwt' | 'opaque') => string) => Answer | null;

export interface Issuer {
  readonly url: string;
  /** Every token that was issued, the newest last. */
  readonly issued: readonly string[];
  /** All requests but those for Airflow's version. */
  readonly seen: readonly Asked[];
  /** How many requests have reached the login, answered or not. */
  logins(): number;
  /** No token issued so far is good any more. */
  revoke(): void;
  /** From now on logins are answered so; `broken` closes the connection, null is as before. */
  trouble(kind: 'broken' | 503 | null): void;
  /** From now on everything but the version is answered with a redirect there. */
  redirectTo(url: string): void;
  close(): Promise<void>;
}

export interface IssuerOptions {
  readonly endpoint: Endpoint;
  /** Which Airflow stands behind it, and how it is shown a token. */
  readonly version: '3.3.2' | '2.11.2';
  readonly shownBy: (token: string) => { readonly name: string; readonly value: string };
  readonly nowMs: () => number;
  readonly lifeMs: number;
}

/** A real server that issues tokens which expire, and an Airflow that takes no other. */
export async function startIssuer(options: IssuerOptions): Promise<Issuer> {
  const { endpoint, version, shownBy, nowMs, lifeMs } = options;
  const issued: string[] = [];
  const good = new Map<string, number>();
  const seen: Asked[] = [];
  let logins = 0;
  let trouble: 'broken' | 503 | null = null;
  let elsewhere: string | null = null;

  function issue(shape: 'jwt' | 'opaque' = 'opaque'): string {
    const iat = Math.floor(nowMs() / 1_000);
    const jti = `${issued.length + 1}`;
    const token = shape === 'jwt' ? jwt({ iat, exp: iat + lifeMs / 1_000, jti }) : `opaque-${jti}-hunter2`;
    issued.push(token);
    good.set(token, nowMs() + lifeMs);
    return token;
  }

  function isGood({ headers }: Asked): boolean {
    return [...good].some(([token, untilMs]) => {
      const { name, value } = shownBy(token);
      return headers[name] === value && nowMs() < untilMs;
    });
  }

  function answerTo(asked: Asked): Answer | 'broken' {
    const api = version.startsWith('2.') ? 'v1' : 'v2';
    if (asked.path === `/api/${api}/version`) return { status: 200, json: { version } };
    if (asked.path.endsWith('/version')) return { status: 404, json: { detail: 'Not Found' } };
    seen.push(asked);
    if (elsewhere !== null) return { status: 307, headers: { location: elsewhere + asked.path } };
    if (asked.path.startsWith('/api/')) {
      return isGood(asked) ? { status: 200, json: runJson() } : { status: 401, json: { detail: 'Unauthorized' } };
    }
    const answer = endpoint(asked, trouble === null ? issue : () => 'none');
    if (answer === null) return { status: 404, json: { detail: 'Not Found' } };
    logins += 1;
    if (trouble === 503) return { status: 503, json: {} };
    return trouble ?? answer;
  }

  const server = createServer(async (request, response) => {
    const answer = answerTo(await read(request));
    if (answer === 'broken') request.socket.destroy();
    else send(response, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    issued,
    seen,
    logins: () => logins,
    revoke: () => good.clear(),
    trouble(kind) {
      trouble = kind;
    },
    redirectTo(url) {
      elsewhere = url;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(request: IncomingMessage): Promise<Asked> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  return { method: request.method ?? '', path: new URL(request.url ?? '', 'http://x').pathname, headers, body };
}

function send(response: ServerResponse, { status, json, headers = {} }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(json === undefined ? '' : JSON.stringify(json));
}

/** Whether the request carries the Signature Version 4 of these keys, worked out anew from AWS's description of it. */
export function isSignedBy(
  asked: Asked,
  key: { readonly id: string; readonly secret: string },
  scope: string,
): boolean {
  const { authorization = '' } = asked.headers;
  const parts = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
    authorization,
  );
  const date = asked.headers['x-amz-date'] ?? '';
  const [, credential, names = '', signature] = parts ?? [];
  const fullScope = `${date.slice(0, 8)}/${scope}/aws4_request`;
  if (credential !== `${key.id}/${fullScope}` || !names.split(';').includes('host')) return false;
  const lines = names.split(';').map((name) => `${name}:${asked.headers[name] ?? ''}\n`);
  const canonical = [asked.method, asked.path, '', lines.join(''), names, sha256(asked.body)].join('\n');
  const text = ['AWS4-HMAC-SHA256', date, fullScope, sha256(canonical)].join('\n');
  const signingKey = fullScope
    .split('/')
    .reduce((from: Buffer, step) => hmac(from, step), Buffer.from(`AWS4${key.secret}`));
  return hmac(signingKey, text).toString('hex') === signature;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
