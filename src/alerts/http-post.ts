import { type Dispatcher, request } from 'undici';
import type { SendResult } from './port.ts';

/** Somebody who takes alerts over HTTP. The URL may hold a secret. */
export interface Receiver {
  /** A user and password in it are sent as Basic authentication. */
  readonly url: string;
  readonly timeoutMs: number;
  readonly dispatcher?: Dispatcher;
}

const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * Posts JSON once. Any 2xx counts as accepted; redirects are not followed. Never rejects, and tells nothing that could
 * hold a secret: neither of the URL, nor of the answer, nor of an error's text.
 */
export async function postJson(
  receiver: Receiver,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<SendResult> {
  try {
    const { url, authorization } = splitCredentials(receiver.url);
    const answer = await request(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'dagain', ...authorization, ...headers },
      body,
      signal: AbortSignal.timeout(receiver.timeoutMs),
      ...(receiver.dispatcher === undefined ? {} : { dispatcher: receiver.dispatcher }),
    });
    // Never rejects: the status has decided, and a broken body must not make an accepted alert go out again.
    await answer.body.dump({ limit: MAX_ANSWER_BYTES });
    return toResult(answer.statusCode, answer.headers['retry-after']);
  } catch (error) {
    return { type: 'retryable', detail: describeFailure(error), retryAfterMs: null };
  }
}

function splitCredentials(written: string): { url: URL; authorization: Record<string, string> } {
  const url = new URL(written);
  const { username, password } = url;
  if (username === '' && password === '') return { url, authorization: {} };
  url.username = '';
  url.password = '';
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return { url, authorization: { authorization: `Basic ${credentials.toString('base64')}` } };
}

function toResult(status: number, retryAfter: string | string[] | undefined): SendResult {
  if (status >= 200 && status < 300) return { type: 'accepted' };
  const detail = `the receiver answered ${status}`;
  const mayWorkLater = status === 408 || status === 429 || status >= 500;
  if (!mayWorkLater) return { type: 'permanent', detail };
  const seconds = Number(retryAfter);
  return { type: 'retryable', detail, retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : null };
}

/** The URL may hold a secret, and so may an error's text that repeats it: only the error's code is told. */
function describeFailure(error: unknown): string {
  const { name, code } = error as { name?: string; code?: string };
  return `the receiver could not be reached (${code ?? name ?? 'unknown error'})`;
}
