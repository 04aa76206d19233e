import type { IncomingMessage, ServerResponse } from 'node:http';
import { type HttpProblem, problemBody } from './problems.ts';

const JSON_TYPE = 'application/json';
const PROBLEM_TYPE = 'application/problem+json';
/** A body that was not read is taken off the wire only up to here, so that the connection can be used again. */
const MAX_DISCARDED_BYTES = 256 * 1024;
/** A caller that still sends gets this long to see its answer before the connection is closed under it. */
const LINGER_MS = 1_000;
const MAX_LINGER_BYTES = 1024 * 1024;

/** Answers with JSON. Express's own `res.json` costs more and adds entity tags that nobody uses here. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.end(begin(response, status, JSON_TYPE, body));
}

/** Answers with a problem. Where more of the body may come than is worth reading, the connection is closed afterwards. */
export function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  problem: HttpProblem,
  requestId: string | null = null,
): void {
  for (const [name, value] of Object.entries(problem.headers)) response.setHeader(name, value);
  const isAbandoned = !request.complete && !isSmall(request);
  if (isAbandoned) response.setHeader('Connection', 'close');
  const text = begin(response, problem.status, PROBLEM_TYPE, problemBody(problem, requestId));
  if (!isAbandoned) {
    response.end(text);
    return;
  }
  // The whole answer goes out now. Ending it would close the connection, and closing it while the caller still sends
  // resets it, which can destroy the answer before the caller has read it.
  response.write(text);
  drain(request, () => response.end());
}

function begin(response: ServerResponse, status: number, type: string, body: object): string {
  const text = JSON.stringify(body);
  response.statusCode = status;
  response.setHeader('Content-Type', type);
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.setHeader('Cache-Control', 'no-store');
  return text;
}

function isSmall(request: IncomingMessage): boolean {
  if (request.headers['transfer-encoding'] !== undefined) return false;
  return Number(request.headers['content-length'] ?? 0) <= MAX_DISCARDED_BYTES;
}

/** Reads and drops what still comes, within limits; `done` is called exactly once. */
function drain(request: IncomingMessage, done: () => void): void {
  let drainedBytes = 0;
  const timer = setTimeout(finish, LINGER_MS);
  function finish(): void {
    clearTimeout(timer);
    request.off('data', count).off('close', finish).off('end', finish);
    request.pause();
    done();
  }
  function count(chunk: Buffer): void {
    drainedBytes += chunk.length;
    if (drainedBytes > MAX_LINGER_BYTES) finish();
  }
  request.on('data', count).on('close', finish).on('end', finish).on('error', ignore);
  request.resume();
}

function ignore(): void {}
