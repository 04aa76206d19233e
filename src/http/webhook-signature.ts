import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { DagainError } from '../core/errors.ts';
import { type FieldError, HttpProblem } from './problems.ts';

/** How far a signed request's time may be from ours, before and after. */
export const SIGNATURE_TOLERANCE_MS = 5 * 60_000;
const PREFIX = 'whsec_';
const MAX_ID_LENGTH = 256;
/** 32 bytes in base64; other versions of the scheme are passed over. */
const SIGNATURE = /^v1,[A-Za-z0-9+/]{43}=$/;

/** What the headers of a signed request say; the signature is not checked yet. */
export interface SignedHeaders {
  readonly id: string;
  readonly timestamp: string;
  readonly signatures: readonly Buffer[];
}

/**
 * The key of a secret as people hold it: `whsec_` and base64, or any other text, which is used as it is.
 * @throws DagainError `configuration_invalid`, without the secret in its message
 */
export function signingKey(secret: string): Buffer {
  const isEncoded = secret.startsWith(PREFIX);
  const key = isEncoded ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret, 'utf8');
  const isWhole =
    !isEncoded || key.toString('base64').replace(/=+$/, '') === secret.slice(PREFIX.length).replace(/=+$/, '');
  if (key.length === 0 || !isWhole) {
    throw new DagainError('configuration_invalid', `A webhook secret must be ${PREFIX} and base64, or other text`);
  }
  return key;
}

/**
 * Reads the headers of https://www.standardwebhooks.com and checks the time, before the body is worth reading.
 * @throws HttpProblem `unauthenticated`
 */
export function readSignedHeaders(headers: IncomingHttpHeaders, nowMs: number): SignedHeaders {
  const id = one(headers, 'webhook-id');
  const timestamp = one(headers, 'webhook-timestamp');
  const signature = one(headers, 'webhook-signature');
  if (!/^[\x21-\x7e]+$/.test(id) || id.length > MAX_ID_LENGTH) {
    throw refused('webhook-id', `must be 1 to ${MAX_ID_LENGTH} visible ASCII characters`);
  }
  if (!/^\d{1,12}$/.test(timestamp)) throw refused('webhook-timestamp', 'must be a time in whole seconds since 1970');
  if (Math.abs(nowMs - Number(timestamp) * 1_000) > SIGNATURE_TOLERANCE_MS) {
    throw refused(
      'webhook-timestamp',
      `must be within ${SIGNATURE_TOLERANCE_MS / 60_000} minutes of the service's clock`,
    );
  }
  const entries = signature.split(' ').filter((entry) => SIGNATURE.test(entry));
  return { id, timestamp, signatures: entries.map((entry) => Buffer.from(entry.slice(3), 'base64')) };
}

/**
 * Whether one of the signatures was made over `body` with one of `keys`. Every pair is compared, in constant time, so
 * that the time taken tells neither which key nor how much of a signature was right.
 */
export function isSigned({ id, timestamp, signatures }: SignedHeaders, body: Buffer, keys: readonly Buffer[]): boolean {
  let found = false;
  for (const key of keys) {
    const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest();
    for (const signature of signatures) {
      const isEqual = signature.length === expected.length && timingSafeEqual(signature, expected);
      found = isEqual || found;
    }
  }
  return found;
}

export function refusedSignature(): HttpProblem {
  return refused('webhook-signature', 'must be made over webhook-id.webhook-timestamp.body with the shared secret');
}

function one(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  if (typeof value !== 'string' || value === '') throw refused(name, 'is required with a signed request');
  return value;
}

function refused(field: string, message: string): HttpProblem {
  const errors: FieldError[] = [{ field, message }];
  return new HttpProblem('unauthenticated', `${field} ${message}`, { errors, headers: CHALLENGE });
}

/** What a 401 must say. */
export const CHALLENGE = { 'WWW-Authenticate': 'Bearer realm="dagain"' };
