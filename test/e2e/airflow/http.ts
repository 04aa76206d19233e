import { z } from 'zod';
import { Token } from './answers.ts';

export interface Credentials {
  username: string;
  password: string;
}

export interface Reply {
  status: number;
  /** Null when the answer has no JSON. */
  body: unknown;
}

export interface AirflowHttp {
  /** The answer, whatever its status. `path` is below the API's base. */
  send(method: string, path: string, body?: unknown): Promise<Reply>;
  /** The answer read by `schema`. @throws Error on any status but 2xx. */
  read<T>(schema: z.ZodType<T>, method: string, path: string, body?: unknown): Promise<T>;
}

export interface HttpOptions extends Credentials {
  url: string;
  /** `/api/v1` logs in with Basic, `/api/v2` with a token. */
  base: '/api/v1' | '/api/v2';
}

/** A busy machine can hold up an Airflow on SQLite for half a minute: every writer waits for one lock. */
const TIMEOUT_MS = 90_000;

export function createAirflowHttp({ url, base, username, password }: HttpOptions): AirflowHttp {
  let token: string | undefined;

  async function send(method: string, path: string, body?: unknown): Promise<Reply> {
    const reply = await request(method, `${url}${base}${path}`, body, await authorization());
    if (reply.status !== 401 && reply.status !== 403) return reply;
    // Restarted with other secrets, or the token has expired: log in once more.
    token = undefined;
    return await request(method, `${url}${base}${path}`, body, await authorization());
  }

  async function authorization(): Promise<string> {
    if (base === '/api/v1') return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    token ??= Token.parse((await request('POST', `${url}/auth/token`, { username, password })).body);
    return `Bearer ${token}`;
  }

  return {
    send,
    async read(schema, method, path, body) {
      const reply = await send(method, path, body);
      if (reply.status < 200 || reply.status > 299) {
        throw new Error(`${method} ${path} was answered ${reply.status}: ${JSON.stringify(reply.body)}`);
      }
      return schema.parse(reply.body);
    },
  };
}

async function request(method: string, url: string, body?: unknown, authorization?: string): Promise<Reply> {
  const headers = new Headers();
  if (authorization !== undefined) headers.set('authorization', authorization);
  if (body !== undefined) headers.set('content-type', 'application/json');
  const response = await fetch(url, {
    method,
    headers,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((cause: unknown) => {
    throw new Error(`${method} ${url} was not answered`, { cause });
  });
  const text = await response.text();
  return { status: response.status, body: z.json().catch(null).parse(tryJson(text)) };
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
