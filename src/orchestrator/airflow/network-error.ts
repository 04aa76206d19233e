import { z } from 'zod';
import type { UnavailableReason } from '../port.ts';

/** What a rejected request tells. `sent` is false only when the request certainly never left this machine. */
export interface NetworkError {
  readonly reason: UnavailableReason;
  readonly sent: boolean;
  /** The connection broke, as an idle one does when the server has just closed it. */
  readonly reset: boolean;
  readonly detail: string;
}

const ErrorFields = z.object({
  name: z.string(),
  code: z.string().optional(),
  syscall: z.string().optional(),
  message: z.string(),
});

const RESETS = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);
const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

// Raised while the connection is being made, or before that: no byte of the request has gone out. ECONNRESET during the
// TLS handshake is not here, because its code does not tell it from a reset that came after the request.
const BEFORE_SENDING = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_CLOSED',
  'UND_ERR_INVALID_ARG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
const CONNECTING = new Set(['connect', 'getaddrinfo']);

/** Reads what the HTTP client threw; `timedOut` says that our own time limit had passed by then. */
export function readNetworkError(error: unknown, timedOut: boolean): NetworkError {
  if (timedOut)
    return { reason: 'timed_out', sent: true, reset: false, detail: 'no whole answer within the time limit' };
  const { name, code, message } = fieldsOf(error);
  const sent = !neverSent(error);
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return { reason: 'timed_out', sent, reset: false, detail: message };
  if (TIMEOUTS.has(code)) return { reason: 'timed_out', sent, reset: false, detail: message };
  // What came was not HTTP, or more than the client takes in.
  const isGarbled = name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW';
  const detail = code === '' || message.includes(code) ? message : `${message} (${code})`;
  return { reason: isGarbled ? 'unexpected_answer' : 'unreachable', sent, reset: RESETS.has(code), detail };
}

function neverSent(error: unknown): boolean {
  // A host with several addresses fails with one error for each.
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(neverSent);
  const { code, syscall } = fieldsOf(error);
  return BEFORE_SENDING.has(code) || CONNECTING.has(syscall);
}

interface Fields {
  readonly name: string;
  readonly code: string;
  readonly syscall: string;
  readonly message: string;
}

function fieldsOf(error: unknown): Fields {
  const fields = ErrorFields.safeParse(error);
  if (!fields.success) return { name: '', code: '', syscall: '', message: 'the request failed' };
  const { name, code = '', syscall = '', message } = fields.data;
  return { name, code, syscall, message: message === '' ? 'the request failed' : message };
}
