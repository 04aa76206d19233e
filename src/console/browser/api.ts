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

export function createApi({ fetch, root, session, onUnauthorized }: ApiDeps): Api {
  async function send(path: string, init: RequestInit): Promise<Response> {
    const token = session.token();
    const headers = { ...init.headers, ...(token === null ? {} : { Authorization: `Bearer ${token}` }) };
    const options: RequestInit = { ...init, headers, credentials: 'omit', cache: 'no-store' };
    const response = await fetch(root + path, options).catch((error: unknown) => {
      if (init.signal?.aborted === true) throw error;
      throw new ApiError(0, 'no_answer', 'The service does not answer. Is it running, and can this browser reach it?');
    });
    if (response.ok) return response;
    const problem = await problemOf(response, init.signal ?? null);
    const isRefused = problem.status === 401 || problem.code === 'forbidden';
    // Of a token that has been replaced meanwhile nobody needs to hear.
    if (isRefused && session.token() === token) onUnauthorized(problem);
    throw problem;
  }

  return {
    async get(path, query = {}, signal) {
      const response = await send(path + queryText(query), signal === undefined ? {} : { signal });
      return await response.json();
    },
    async post(path, body) {
      const headers = { 'Content-Type': 'application/json' };
      const response = await send(path, { method: 'POST', headers, body: JSON.stringify(body) });
      return await response.json();
    },
    async stream(path, signal) {
      const { body } = await send(path, { signal });
      if (body === null) throw new ApiError(0, 'no_answer', 'The answer is empty');
      // The DOM's types give the decoder a wider input than a body's pieces have.
      return body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array<ArrayBuffer>>);
    },
  };
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

/** What to do about an error, in one sentence. */
export function adviceFor(error: unknown): string {
  if (!(error instanceof ApiError)) return 'Load the page again; if it stays, the browser console says more.';
  switch (error.code) {
    case 'no_answer':
      return 'The page tries again by itself.';
    case 'unauthenticated':
    case 'forbidden':
      return 'Sign in with a token from DAGAIN_OPERATOR_TOKEN.';
    case 'run_not_found':
      return 'The run may have recovered meanwhile, and its record be gone.';
    case 'operation_not_possible':
      return 'The run has moved on; look at its present phase and decide again.';
    case 'more_runs_than_expected':
      return 'More runs match than the preview showed: preview again.';
    case 'store_unavailable':
    case 'store_contention':
      return 'Nothing was changed; try again in a moment.';
    default:
      return error.status >= 500 ? "Look the request up in the service's log." : 'Correct what is named and try again.';
  }
}
