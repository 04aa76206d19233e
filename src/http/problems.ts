import { DagainError, type ErrorCode } from '../core/errors.ts';

/** What a caller can be told is wrong; the codes are stable. `status` is HTTP's. */
export const PROBLEMS = {
  malformed_request: { status: 400, title: 'The HTTP request is malformed' },
  invalid_json: { status: 400, title: 'The body is not a JSON object' },
  invalid_body: { status: 400, title: 'The body does not have the required form' },
  invalid_query: { status: 400, title: 'The query does not have the required form' },
  invalid_path: { status: 400, title: 'The path does not have the required form' },
  unauthenticated: { status: 401, title: 'Valid credentials are required' },
  forbidden: { status: 403, title: 'These credentials are not for this route' },
  host_not_allowed: { status: 403, title: 'The service is not known by this name' },
  not_found: { status: 404, title: 'There is no such route' },
  run_not_found: { status: 404, title: 'Nothing is known of this run' },
  method_not_allowed: { status: 405, title: 'The route does not have this method' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  operation_not_possible: { status: 409, title: 'The run is not in a phase for this' },
  more_runs_than_expected: { status: 409, title: 'More runs match than expected' },
  webhook_id_reused: { status: 409, title: 'The webhook id was used for another body' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body is not in a supported format' },
  expectation_failed: { status: 417, title: 'The expectation cannot be met' },
  too_many_bulk_calls: { status: 429, title: 'Too many calls wait to act on many runs' },
  too_many_streams: { status: 429, title: 'Too many streams are open' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  internal_error: { status: 500, title: 'The service failed' },
  store_corrupt: { status: 500, title: 'The stored state of the run cannot be read' },
  store_unavailable: { status: 503, title: 'The store cannot be reached' },
  store_contention: { status: 503, title: 'Others change this run at the same time' },
} as const satisfies Record<string, { status: number; title: string }>;
export type ProblemCode = keyof typeof PROBLEMS;

/** One thing that is wrong, and where: a dotted path into the body, or the name of a header or query parameter. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export interface ProblemOptions {
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Thrown by whatever handles a request, answered as `application/problem+json`. `detail` is for the caller's eyes. */
export class HttpProblem extends Error {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HttpProblem';
    this.code = code;
    this.detail = detail;
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }
}

/** One thing wrong with one field. */
export function fieldProblem(code: ProblemCode, field: string, message: string): HttpProblem {
  return new HttpProblem(code, `${field} ${message}`, { errors: [{ field, message }] });
}

/** The caller has gone before the whole request was there: nobody is left to be answered. */
export class CallerGone extends Error {
  constructor() {
    super('the caller closed the connection before the request was complete');
    this.name = 'CallerGone';
  }
}

/** A problem in the form of RFC 9457. `requestId` is also in the log line. */
export function problemBody(problem: HttpProblem, requestId: string | null): object {
  const { code, detail, errors, status } = problem;
  return {
    type: `urn:dagain:problem:${code}`,
    title: PROBLEMS[code].title,
    status,
    code,
    detail,
    ...(errors.length === 0 ? {} : { errors }),
    ...(requestId === null ? {} : { request_id: requestId }),
  };
}

const RETRY_SOON = { 'Retry-After': '1' };

/** The one place that maps errors to HTTP. What is not foreseen here says nothing but that the service failed. */
export function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (isUndecodablePath(error)) {
    return new HttpProblem('invalid_path', 'The path holds a percent sign that does not begin an encoded character');
  }
  switch (codeOf(error)) {
    case 'store_unavailable':
      return new HttpProblem(
        'store_unavailable',
        'Nothing was stored, because the store cannot be reached: send the same request again',
        { headers: RETRY_SOON, cause: error },
      );
    case 'store_contention':
      return new HttpProblem('store_contention', 'Nothing was stored: send the same request again', {
        headers: RETRY_SOON,
        cause: error,
      });
    case 'store_corrupt':
      return new HttpProblem('store_corrupt', 'The service has logged what it found', { cause: error });
    case 'cursor_invalid': {
      const message = 'must be the next_cursor of an earlier answer';
      return new HttpProblem('invalid_query', `cursor ${message}`, {
        errors: [{ field: 'cursor', message }],
        cause: error,
      });
    }
    case 'configuration_invalid':
    case 'store_unsupported':
    case 'invalid_transition':
    case null:
      return new HttpProblem('internal_error', 'The service has logged what happened', { cause: error });
  }
}

function codeOf(error: unknown): ErrorCode | null {
  return error instanceof DagainError ? error.code : null;
}

/** Express's router marks a path that `decodeURIComponent` refuses like this. */
function isUndecodablePath(error: unknown): boolean {
  return error instanceof URIError && 'status' in error && error.status === 400;
}
