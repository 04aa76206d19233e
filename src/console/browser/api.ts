import type { Session } from './session.ts';

type Query = Readonly<Record<string, string | number | null | undefined>>;

/** The service's answer to what it would not or could not do, or (status 0) that it did not answer. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
  }
}

/** The service's API under the page's own address. @throws ApiError from every call */
export interface Api {
  /** T is the view that `src/http` answers with: page and API are parts of one service, so it is not checked again. */
  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T>;
  post<T>(path: string, body: object): Promise<T>;
  /** An answer that goes on for long, as text in pieces. */
  stream(path: string, signal: AbortSignal): Promise<ReadableStream<string>>;
}

export interface ApiDeps {
  readonly fetch: typeof fetch;
  /** With a slash at its end. */
  readonly root: string;
  readonly session: Pick<Session, 'token'>;
  readonly onUnauthorized: (problem: ApiError) => void;
}

/** What takes longer will not come: the service bounds what it does for a read. */
const READ_TIMEOUT_MS = 30_000;
/** Thousands of runs may be acted on. */
const ACT_TIMEOUT_MS = 300_000;

export function createApi({ fetch, root, session, onUnauthorized }: ApiDeps): Api {
  async function send(path: string, init: RequestInit): Promise<Response> {
    const token = session.token();
    const headers = { ...init.headers, ...(token === null ? {} : { Authorization: `Bearer ${token}` }) };
    const options: RequestInit = { ...init, headers, credentials: 'omit', cache: 'no-store' };
    const response = await fetch(root + path, options).catch((error: unknown) => {
      if (init.signal?.aborted === true) throw error;
      throw unanswered(init, 'The service does not answer. Is it running, and can this browser reach it?');
    });
    if (response.ok) return response;
    const problem = await problemOf(response, init.signal ?? null);
    const isRefused = problem.status === 401 || problem.code === 'forbidden';
    // Of a token that has been replaced meanwhile nobody needs to hear.
    if (isRefused && session.token() === token) onUnauthorized(problem);
    throw problem;
  }

  async function ask<T>(path: string, init: RequestInit, timeoutMs: number): Promise<T> {
    const tooLate = AbortSignal.timeout(timeoutMs);
    const given = init.signal ?? null;
    const signal = given === null ? tooLate : AbortSignal.any([given, tooLate]);
    try {
      const response = await send(path, { ...init, signal });
      return await response.json();
    } catch (error) {
      if (!tooLate.aborted || given?.aborted === true) throw error;
      const seconds = timeoutMs / 1_000;
      throw unanswered(init, `The service has not answered in ${seconds} s. Are many windows of this page open?`);
    }
  }

  return {
    get: (path, query = {}, signal) =>
      ask(path + queryText(query), signal === undefined ? {} : { signal }, READ_TIMEOUT_MS),
    post(path, body) {
      const headers = { 'Content-Type': 'application/json' };
      return ask(path, { method: 'POST', headers, body: JSON.stringify(body) }, ACT_TIMEOUT_MS);
    },
    async stream(path, signal) {
      const { body } = await send(path, { signal });
      if (body === null) throw new ApiError(0, 'no_answer', 'The answer is empty');
      // The DOM's types give the decoder a wider input than a body's pieces have.
      return body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>);
    },
  };
}

function unanswered({ method }: RequestInit, message: string): ApiError {
  return new ApiError(0, method === 'POST' ? 'outcome_unknown' : 'no_answer', message);
}

export function queryText(query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? '' : `?${text}`;
}

export function runPath(run: { readonly dag_id: string; readonly dag_run_id: string }): string {
  return `v1/runs/${encodeURIComponent(run.dag_id)}/${encodeURIComponent(run.dag_run_id)}`;
}

async function problemOf(response: Response, signal: AbortSignal | null): Promise<ApiError> {
  const { status } = response;
  const body: unknown = await response.json().catch((error: unknown) => {
    // Whoever asked has gone, and what the answer says is not known.
    if (signal?.aborted === true) throw error;
    // A proxy in between answers with something else.
    return null;
  });
  if (typeof body === 'object' && body !== null && 'code' in body && 'detail' in body) {
    const requestId = 'request_id' in body ? ` (request ${String(body.request_id)})` : '';
    return new ApiError(status, String(body.code), `${String(body.detail)}${requestId}`);
  }
  return new ApiError(status, 'unexpected_answer', `Something between here and the service answered ${status}`);
}
