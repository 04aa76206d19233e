import type { z } from 'zod';
import type { ServiceAddress } from './address.ts';
import { readEvents, type ServerEvent } from './event-stream.ts';
import { notDagain, refusalOf, unreachable } from './refusal.ts';

/** Longer than the service takes for ten thousand runs. */
const TIMEOUT_MS = 120_000;
const STREAM_TIMEOUT_MS = 10_000;

/** Values that are undefined are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** What the service answered: as it was written, and what we read in it. */
export interface Answer<T> {
  readonly json: unknown;
  readonly value: T;
}

/** The running service. All reject with a CommandError that says what to do. */
export interface ServiceClient {
  get<T>(path: string, query: Query, schema: z.ZodType<T>): Promise<Answer<T>>;
  post<T>(path: string, body: object, schema: z.ZodType<T>): Promise<Answer<T>>;
  /** Server-sent events until the connection ends. */
  events(path: string): AsyncIterable<ServerEvent>;
}

/** A path of escaped segments: ids are no paths. */
export function pathOf(...segments: readonly string[]): string {
  return `/v1/${segments.map(encodeURIComponent).join('/')}`;
}

// Node's own fetch is undici as well, is there without being loaded, and minds the proxy settings of the environment.
export function createServiceClient(address: ServiceAddress): ServiceClient {
  const authorization = address.token === null ? {} : { authorization: `Bearer ${address.token}` };

  async function send(path: string, init: RequestInit): Promise<Response> {
    try {
      const headers = { ...authorization, ...init.headers };
      return await fetch(`${address.url}${path}`, { ...init, headers, redirect: 'manual' });
    } catch (error) {
      throw unreachable(address, error);
    }
  }

  async function ask<T>(path: string, init: RequestInit, schema: z.ZodType<T>): Promise<Answer<T>> {
    const response = await send(path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const json = await bodyOf(response);
    if (!response.ok) throw refusalOf(address, response.status, json);
    const read = schema.safeParse(json);
    if (!read.success) throw notDagain(address, `answered ${path} in a form that is not known here`);
    return { json, value: read.data };
  }

  async function bodyOf(response: Response): Promise<unknown> {
    let text: string;
    try {
      text = await response.text();
    } catch (error) {
      throw unreachable(address, error);
    }
    try {
      return JSON.parse(text);
    } catch {
      return null;
    }
  }

  return {
    get: (path, query, schema) => ask(`${path}${queryText(query)}`, {}, schema),
    post: (path, body, schema) =>
      ask(
        path,
        { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
        schema,
      ),
    async *events(path) {
      const connecting = new AbortController();
      const timer = setTimeout(() => connecting.abort(new DOMException('', 'TimeoutError')), STREAM_TIMEOUT_MS);
      const response = await send(path, { signal: connecting.signal }).finally(() => clearTimeout(timer));
      if (!response.ok) throw refusalOf(address, response.status, await bodyOf(response));
      if (response.body === null) throw notDagain(address, 'sends no events');
      try {
        yield* readEvents(response.body);
      } catch (error) {
        throw unreachable(address, error);
      }
    },
  };
}

function queryText(query: Query): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value));
  return given.size === 0 ? '' : `?${given}`;
}
