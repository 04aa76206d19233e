import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { HttpProblem, problemBody } from './problems.ts';

/** How long a caller whose request was refused may go on sending before the connection is cut under it. */
const LINGER_MS = 1_000;

/**
 * Answers what Node's parser refused, and requests that took too long. There is no response object for these: the
 * answer is written by hand, and only where no other answer on the connection could be taken for it.
 */
export function createClientErrorHandler(inFlight: ReadonlySet<ServerResponse>) {
  const refused = new WeakSet<Duplex>();

  return function answerClientError(error: Error, socket: Duplex): void {
    const pending = [...inFlight].filter((response) => response.req.socket === socket);
    const code = 'code' in error ? String(error.code) : '';
    // What came after a complete request cannot be read; that request is still to be answered.
    const answerable = pending.findLast((response) => response.req.complete);
    if (answerable !== undefined) {
      answerable.once('close', () => socket.destroy());
    } else if (code === 'ECONNRESET' || !socket.writable || pending.some((response) => response.headersSent)) {
      socket.destroy();
    } else if (!refused.has(socket)) {
      // Further errors come while the rest of the broken request arrives.
      refused.add(socket);
      refuse(socket, problemFor(code));
    }
  };
}

/** Closed at once, the connection would be reset, which can destroy the answer before it is read. */
function refuse(socket: Duplex, problem: HttpProblem): void {
  socket.end(rawAnswer(problem));
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer)).once('end', () => socket.destroy());
  socket.resume();
}

function problemFor(code: string): HttpProblem {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HttpProblem('request_timeout', 'The request was not complete in time');
    case 'HPE_HEADER_OVERFLOW':
      return new HttpProblem('headers_too_large', 'The request line and the headers are too large together');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new HttpProblem('body_too_large', 'The chunk extensions are too large');
    default:
      return new HttpProblem('malformed_request', 'The request is not HTTP/1.1 as RFC 9112 has it');
  }
}

function rawAnswer(problem: HttpProblem): string {
  const { status } = problem;
  const body = JSON.stringify(problemBody(problem, null));
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/problem+json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    '',
    body,
  ].join('\r\n');
}
