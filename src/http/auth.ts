import { createHash, hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Log } from '../engine/log.ts';
import { HttpProblem } from './problems.ts';
import {
  CHALLENGE,
  isSigned,
  readSignedHeaders,
  refusedSignature,
  SIGNATURE_TOLERANCE_MS,
  type SignedHeaders,
  signingKey,
} from './webhook-signature.ts';

/** Each list may hold several values, so that one can replace another without a gap. All empty: anybody may call. */
export interface AuthSettings {
  readonly callbackTokens: readonly string[];
  readonly operatorTokens: readonly string[];
  /** `whsec_<base64>`, or any other text. */
  readonly webhookSecrets: readonly string[];
}

/** Whether nobody needs a token or a signature. */
export function isAnonymous({ callbackTokens, operatorTokens, webhookSecrets }: AuthSettings): boolean {
  return callbackTokens.length + operatorTokens.length + webhookSecrets.length === 0;
}

/** Remembers the ids of signed deliveries. What it holds may be lost. */
export interface SeenWebhookIds {
  /** Keeps `digest` under `id` for `ttlMs` unless one is kept already; returns the one that is kept now. */
  claim(id: string, digest: string, ttlMs: number): Promise<string>;
}

export interface AuthDeps {
  readonly settings: AuthSettings;
  readonly nowMs: () => number;
  readonly log: Log;
  readonly seenWebhookIds?: SeenWebhookIds;
}

export interface Auth {
  /** @throws HttpProblem `unauthenticated` or `forbidden` */
  requireOperator(request: IncomingMessage): void;
  /**
   * Looks at the headers; null when they suffice. Otherwise the caller must still `verify` the body.
   * @throws HttpProblem `unauthenticated` or `forbidden`
   */
  requireCallback(request: IncomingMessage): PendingSignature | null;
}

export interface PendingSignature {
  /** @throws HttpProblem `unauthenticated`, or `webhook_id_reused` for another body than before under the same id */
  verify(body: Buffer): Promise<void>;
}

/** From the oldest to the newest time that a signature is taken at: an id can come back for so long. */
const REPLAY_WINDOW_MS = 2 * SIGNATURE_TOLERANCE_MS;

/** @throws DagainError `configuration_invalid` for a webhook secret that cannot be used */
export function createAuth({ settings, nowMs, log, seenWebhookIds }: AuthDeps): Auth {
  const callbackDigests = settings.callbackTokens.map(digestOf);
  const operatorDigests = settings.operatorTokens.map(digestOf);
  const keys = settings.webhookSecrets.map(signingKey);
  const isOpen = isAnonymous(settings);

  /** The tokens of one side; the other side's are told apart, because mixing them up is the likeliest mistake. */
  function requireToken(request: IncomingMessage, side: Side): void {
    const presented = bearerOf(request);
    if (presented === null) throw unauthenticated(side.missing);
    const digest = digestOf(presented);
    const isOurs = isOneOf(digest, side.own);
    const isOther = isOneOf(digest, side.other);
    if (isOurs) return;
    if (isOther) throw new HttpProblem('forbidden', side.mixedUp);
    throw unauthenticated('The bearer token is not valid here', 'Bearer realm="dagain", error="invalid_token"');
  }

  async function verify(headers: SignedHeaders, path: string, body: Buffer): Promise<void> {
    if (!isSigned(headers, body, keys)) throw refusedSignature();
    if (seenWebhookIds === undefined) return;
    // The signature does not cover the path: a delivery must not be replayed as another kind of callback either.
    const digest = createHash('sha256').update(`${path}\n`).update(body).digest('base64url');
    const kept = await seenWebhookIds.claim(headers.id, digest, REPLAY_WINDOW_MS).catch((error: unknown) => {
      // The same delivery twice changes nothing anyway: better to take it in than to lose a failure.
      log.warn({ err: error }, 'could not look up a webhook id; the delivery is taken in');
      return digest;
    });
    if (kept === digest) return;
    throw new HttpProblem('webhook_id_reused', 'webhook-id was already used for another body', {
      errors: [{ field: 'webhook-id', message: 'was already used for another body' }],
    });
  }

  const operatorSide: Side = { ...OPERATOR_TEXTS, own: operatorDigests, other: callbackDigests };
  const callbackSide: Side = { ...CALLBACK_TEXTS, own: callbackDigests, other: operatorDigests };
  return {
    requireOperator(request) {
      if (!isOpen) requireToken(request, operatorSide);
    },
    requireCallback(request) {
      if (isOpen) return null;
      const isSigning = keys.length > 0 && request.headers['webhook-signature'] !== undefined;
      if (!isSigning || isOneOf(digestOf(bearerOf(request) ?? ''), callbackDigests)) {
        requireToken(request, callbackSide);
        return null;
      }
      const headers = readSignedHeaders(request.headers, nowMs());
      const path = (request.url ?? '').replace(/\?.*$/s, '');
      return { verify: (body) => verify(headers, path, body) };
    },
  };
}

interface Side {
  readonly own: readonly Buffer[];
  readonly other: readonly Buffer[];
  readonly missing: string;
  readonly mixedUp: string;
}

const OPERATOR_TEXTS = {
  missing: 'Send the operator token (DAGAIN_OPERATOR_TOKEN) as a bearer token',
  mixedUp: 'This is a callback token; operations need the operator token (DAGAIN_OPERATOR_TOKEN)',
};
const CALLBACK_TEXTS = {
  missing:
    'Send the callback token (DAGAIN_CALLBACK_TOKEN) as a bearer token, or sign the request by Standard Webhooks',
  mixedUp: 'This is an operator token; callbacks need the callback token (DAGAIN_CALLBACK_TOKEN)',
};

function unauthenticated(detail: string, challenge: string = CHALLENGE['WWW-Authenticate']): HttpProblem {
  return new HttpProblem('unauthenticated', detail, { headers: { 'WWW-Authenticate': challenge } });
}

function bearerOf({ headers }: IncomingMessage): string | null {
  return /^bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1] ?? null;
}

/** Digests have one length whatever the token's, and say nothing about how much of it was right. */
function digestOf(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}

/** Looks at every one, also after a match. */
function isOneOf(digest: Buffer, digests: readonly Buffer[]): boolean {
  let found = false;
  for (const one of digests) found = timingSafeEqual(digest, one) || found;
  return found;
}
