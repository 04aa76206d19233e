/** A request as it arrives: the path undecoded and with its query, header names in lower case. */
export interface AirflowRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Ends a request that is never answered. */
  readonly signal?: AbortSignal;
}

export interface AirflowResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The connection broke before an answer came; whether the request was carried out, it does not say. */
export class ConnectionResetError extends Error {
  readonly code = 'ECONNRESET';

  constructor() {
    super('read ECONNRESET');
    this.name = 'ConnectionResetError';
  }
}

export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): AirflowResponse {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

export function html(status: number, body: string): AirflowResponse {
  return { status, headers: { 'content-type': 'text/html; charset=utf-8' }, body };
}

/** Thrown by handlers to answer with an error at once. */
export class Refusal extends Error {
  readonly response: AirflowResponse;

  constructor(response: AirflowResponse) {
    super(`refused with ${response.status}`);
    this.name = 'Refusal';
    this.response = response;
  }
}
