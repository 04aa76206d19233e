import type { Dispatcher } from 'undici';
import { request as undiciRequest } from 'undici';
import type { UnavailableReason } from '../port.ts';
import { excerptOf, redact } from './excerpt.ts';
import { type NetworkError, readNetworkError } from './network-error.ts';
import { parseRetryAfterMs } from './retry-after.ts';

/** Largest answer that is read, in bytes; a run is some kilobytes. */
export const MAX_BODY_BYTES = 5 * 1024 * 1024;

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH';
  readonly url: URL;
  /** Besides those of every request: what shows who is calling. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a GET has none. */
  readonly body?: unknown;
  /** Sent as a form, in place of `body`. */
  readonly form?: Readonly<Record<string, string>>;
  /** What must not show up in any detail, although the server may echo it. */
  readonly secrets: readonly string[];
  /** For everything from connecting to the last byte of the answer, in milliseconds. */
  readonly timeLimitMs: number;
}

/** The server answered, with whatever status. */
export interface HttpAnswer {
  readonly type: 'answer';
  readonly status: number;
  /** The parsed body, or undefined when it is not JSON. */
  readonly json: unknown;
  /** One short printable line of the body, without secrets. */
  readonly excerpt: string;
  readonly retryAfterMs: number | null;
  /** Where a redirect leads, as an origin only: the rest may hold session tokens. */
  readonly redirectedTo: string | null;
  /** The server's clock, in epoch milliseconds and whole seconds, where it tells. */
  readonly dateMs: number | null;
  /** As the `Set-Cookie` headers have them: secrets, for logins alone. */
  readonly cookies: readonly string[];
}

/** There was no usable answer. */
export interface HttpFailure {
  readonly type: 'failure';
  readonly reason: UnavailableReason;
  /** False only when the request certainly did not reach the server. */
  readonly sent: boolean;
  readonly detail: string;
  readonly retryAfterMs: number | null;
}

export type HttpResult = HttpAnswer | HttpFailure;

export interface Http {
  /** Never rejects. A GET is repeated once when its connection breaks, a POST or PATCH never; redirects are not followed. */
  send(request: HttpRequest): Promise<HttpResult>;
}

export interface HttpDeps {
  /** For GETs, over kept-alive connections. */
  readonly pooled: Dispatcher;
  /**
   * For POSTs and repeated GETs, each over a connection of its own: a kept-alive one may just have been closed by the
   * server, which leaves open whether the request arrived. It must not repeat POSTs.
   */
  readonly fresh: Dispatcher;
  readonly clock: { nowMs(): number };
}

type Attempt = HttpResult | { readonly type: 'error'; readonly error: NetworkError };

export function createHttp({ pooled, fresh, clock }: HttpDeps): Http {
  async function attempt(request: HttpRequest, dispatcher: Dispatcher, signal: AbortSignal): Promise<Attempt> {
    try {
      const response = await undiciRequest(request.url, {
        method: request.method,
        headers: headersOf(request),
        body: bodyOf(request),
        dispatcher,
        signal,
        // The signal is the one time limit: it also covers waiting for a connection.
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      return toResult(request, response, await readBody(response.body), clock.nowMs());
    } catch (error) {
      return { type: 'error', error: readNetworkError(error, signal.aborted) };
    }
  }

  return {
    async send(request) {
      const limit = new AbortController();
      const timer = setTimeout(() => limit.abort(), Math.max(1, request.timeLimitMs));
      try {
        const first = await attempt(request, request.method === 'GET' ? pooled : fresh, limit.signal);
        if (first.type !== 'error') return first;
        if (request.method !== 'GET' || !first.error.reset) return failureOf(request, first.error);
        const second = await attempt(request, fresh, limit.signal);
        return second.type === 'error' ? failureOf(request, second.error) : second;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function headersOf(request: HttpRequest): Record<string, string> {
  const headers: Record<string, string> = { accept: 'application/json', 'accept-encoding': 'identity' };
  if (request.body !== undefined) headers['content-type'] = 'application/json';
  if (request.form !== undefined) headers['content-type'] = 'application/x-www-form-urlencoded';
  return { ...headers, ...request.headers };
}

function bodyOf({ body, form }: HttpRequest): string | null {
  if (form !== undefined) return new URLSearchParams(form).toString();
  return body === undefined ? null : JSON.stringify(body);
}

interface Body {
  readonly text: string;
  readonly truncated: boolean;
}

async function readBody(stream: AsyncIterable<Uint8Array>): Promise<Body> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    size += chunk.length;
    // Leaving the loop drops the connection, and with it what is still to come.
    if (size > MAX_BODY_BYTES) return { text: Buffer.concat(chunks).toString('utf8', 0, 1024), truncated: true };
  }
  return { text: Buffer.concat(chunks).toString('utf8'), truncated: false };
}

function toResult(request: HttpRequest, response: Dispatcher.ResponseData, body: Body, nowMs: number): HttpResult {
  const { statusCode: status, headers } = response;
  const retryAfterMs = parseRetryAfterMs(oneOf(headers['retry-after']), nowMs);
  if (body.truncated && status < 300) {
    const detail = `${nameOf(request)} answered ${status} with more than ${MAX_BODY_BYTES} bytes`;
    return { type: 'failure', reason: 'unexpected_answer', sent: true, detail, retryAfterMs };
  }
  const json = body.truncated ? undefined : parseJson(oneOf(headers['content-type']), body.text);
  const excerpt = excerptOf(body.text, json, request.secrets);
  const redirectedTo = status >= 300 && status < 400 ? originOf(oneOf(headers['location']), request.url) : null;
  const dateMs = Date.parse(oneOf(headers['date']) ?? '');
  const cookies = [headers['set-cookie'] ?? []].flat();
  const told = { dateMs: Number.isNaN(dateMs) ? null : dateMs, cookies };
  return { type: 'answer', status, json, excerpt, retryAfterMs, redirectedTo, ...told };
}

function failureOf(request: HttpRequest, { reason, sent, detail }: NetworkError): HttpFailure {
  const text = redact(`${nameOf(request)}: ${detail}`, request.secrets);
  return { type: 'failure', reason, sent, detail: text, retryAfterMs: null };
}

/** How details name a request: its method and path, no query. */
export function nameOf(request: Pick<HttpRequest, 'method' | 'url'>): string {
  return `${request.method} ${request.url.pathname}`;
}

function oneOf(header: string | string[] | undefined): string | null {
  return (Array.isArray(header) ? header[0] : header) ?? null;
}

function parseJson(contentType: string | null, text: string): unknown {
  // Login pages and error pages of proxies are HTML; anything that does not call itself JSON is not Airflow's answer.
  if (contentType === null || !/^application\/([\w.+-]+\+)?json\b/i.test(contentType)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function originOf(location: string | null, base: URL): string {
  if (location === null || !URL.canParse(location, base.href)) return 'an unknown place';
  return new URL(location, base).origin;
}
