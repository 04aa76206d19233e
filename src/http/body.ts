import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CallerGone, fieldProblem, HttpProblem } from './problems.ts';

/** Largest body taken, in bytes; a callback has about one thousand. */
export const MAX_BODY_BYTES = 256 * 1024;
/** A callback's body has a depth of three. */
const MAX_DEPTH = 32;

/**
 * Refuses a body that is not plain JSON in UTF-8, before any of it is read. Compressed bodies are refused rather than
 * inflated: a callback is small, and 256 KiB can inflate to 256 MiB.
 * @throws HttpProblem `unsupported_media_type`
 */
export function requireJson({ headers }: IncomingMessage): void {
  const type = headers['content-type'];
  if (type !== 'application/json' && !isJsonType(type)) {
    throw fieldProblem('unsupported_media_type', 'content-type', 'must be application/json in UTF-8');
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new HttpProblem('unsupported_media_type', 'The body must not be compressed', {
      errors: [{ field: 'content-encoding', message: 'must be identity or absent' }],
      headers: { 'Accept-Encoding': 'identity' },
    });
  }
  const transfer = headers['transfer-encoding'];
  if (transfer !== undefined && transfer.trim().toLowerCase() !== 'chunked') {
    throw fieldProblem('unsupported_media_type', 'transfer-encoding', 'must be chunked or absent');
  }
}

function isJsonType(header: string | undefined): boolean {
  const [type, ...parameters] = (header ?? '').split(';');
  if (type?.trim().toLowerCase() !== 'application/json') return false;
  return parameters.every((parameter) => {
    const [name, value] = parameter.split('=');
    if (name?.trim().toLowerCase() !== 'charset') return true;
    return /^(?:utf-8|"utf-8")$/i.test(value?.trim() ?? '');
  });
}

/**
 * Reads the body as it came.
 * @throws HttpProblem `body_too_large` without reading the rest, CallerGone when the rest never comes
 */
export function readBody(request: IncomingMessage, response: ServerResponse): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) {
      reject(tooLarge());
      return;
    }
    // The server leaves this to us, so that a caller who waits for it sends no body that nobody wants.
    if (request.headers.expect !== undefined) response.writeContinue();
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) {
        chunks.push(chunk);
      } else {
        request.removeAllListeners('data');
        request.pause();
        reject(tooLarge());
      }
    });
    request.on('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    request.on('error', () => reject(new CallerGone()));
  });
}

function tooLarge(): HttpProblem {
  return fieldProblem('body_too_large', 'body', `must have at most ${MAX_BODY_BYTES} bytes`);
}

/**
 * Reads JSON text; a byte order mark in front is left out.
 * @throws HttpProblem `invalid_json`
 */
export function parseJson(body: Buffer): unknown {
  const bytes = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
  if (!isUtf8(bytes)) throw notJson('must be UTF-8');
  if (isDeeperThan(bytes, MAX_DEPTH)) throw notJson(`must not be nested deeper than ${MAX_DEPTH} levels`);
  const text = bytes.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (error) {
    if (text.trim() === '') throw notJson('must not be empty');
    throw notJson(`must be JSON${positionIn(error)}`);
  }
}

export function notJson(message: string): HttpProblem {
  return fieldProblem('invalid_json', 'body', message);
}

/** Where parsing stopped, from V8's message; the message itself repeats parts of the body. */
function positionIn(error: unknown): string {
  const position = error instanceof SyntaxError ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
  return position === undefined ? '' : `, breaks at character ${position}`;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** `[` and `]` differ from `{` and `}` by this bit only. */
const BRACE_BIT = 0x20;
const OPENING = 0x5b | BRACE_BIT;
const CLOSING = 0x5d | BRACE_BIT;

/** Looks only at brackets outside of strings; text that is no JSON at all is found out by the parser. */
function isDeeperThan(bytes: Buffer, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0;
    if (inString) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) {
      inString = true;
    } else if ((byte | BRACE_BIT) === OPENING) {
      depth += 1;
      if (depth > limit) return true;
    } else if ((byte | BRACE_BIT) === CLOSING) {
      depth -= 1;
    }
  }
  return false;
}
