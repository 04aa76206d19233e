import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ANSWER, type Serving, serve, TASK_FAILED } from './serve.ts';
import { type Part, talk } from './wire.ts';

const BODY = JSON.stringify(TASK_FAILED);
const GET = 'GET /livez HTTP/1.1\r\nHost: x\r\n';
const POST = 'POST /v1/callbacks/task-failed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
/** What a smuggler hides behind a request, for somebody else to take for the next one. */
const SMUGGLED = `${POST}Content-Length: ${BODY.length}\r\n\r\n${BODY}`;

let http: Serving;
beforeAll(async () => {
  http = await serve({
    limits: { headersTimeoutMs: 300, requestTimeoutMs: 600, checkIntervalMs: 30, keepAliveTimeoutMs: 200 },
  });
});
afterAll(() => http.close());

interface BadWire {
  readonly name: string;
  readonly parts: readonly Part[];
  readonly status: number;
  readonly code: string;
}

const malformed = (name: string, ...parts: Part[]): BadWire => ({
  name,
  parts,
  status: 400,
  code: 'malformed_request',
});

/** What no HTTP library sends. */
const BAD_WIRE: readonly BadWire[] = [
  malformed('a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  malformed('garbage', 'hello there\r\n\r\n'),
  malformed('HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  malformed('a method that does not exist', 'RETRY /livez HTTP/1.1\r\nHost: x\r\n\r\n'),
  malformed('a version that does not exist', 'GET /livez HTTP/1.9\r\nHost: x\r\n\r\n'),
  malformed('no host', 'GET /livez HTTP/1.1\r\n\r\n'),
  malformed('two hosts', `${GET}hOST: y\r\n\r\n${SMUGGLED}`),
  malformed('bare line feeds', 'GET /livez HTTP/1.1\nHost: x\n\n'),
  malformed('a blank before the colon', 'GET /livez HTTP/1.1\r\nHost : x\r\n\r\n'),
  malformed('a NUL in a header', `${GET}A: b\0c\r\n\r\n`),
  malformed('a folded header', `${GET}A: b\r\n c\r\n\r\n`),
  malformed('both lengths', `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  malformed(
    'both lengths, the other way round',
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
  ),
  malformed('two lengths', `${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`),
  malformed('a list of lengths', `${POST}Content-Length: 5, 5\r\n\r\nhello`),
  malformed('a negative length', `${POST}Content-Length: -5\r\n\r\nhello`),
  malformed('a signed length', `${POST}Content-Length: +5\r\n\r\nhello`),
  malformed('a length that is no number', `${POST}Content-Length: 0x5\r\n\r\nhello`),
  malformed('a length beyond all numbers', `${POST}Content-Length: ${'9'.repeat(30)}\r\n\r\nhello`),
  malformed('chunked not last', `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`),
  malformed('a chunk size that is no number', `${CHUNKED}ZZ\r\nhello\r\n0\r\n\r\n`),
  malformed('a negative chunk size', `${CHUNKED}-5\r\nhello\r\n0\r\n\r\n`),
  malformed('a chunk that is longer than it says', `${CHUNKED}2\r\nhello\r\n0\r\n\r\n`),
  malformed('a chunk size beyond all numbers', `${CHUNKED}${'f'.repeat(20)}\r\nhello`),
  malformed('an encoding that does not exist', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`),
  malformed('a blank after the name of the encoding', `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`),
  malformed('a tab before the encoding', `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`),
  malformed('a folded encoding', `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`),
  malformed(
    'two encodings',
    `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  ),
  malformed('an empty length', `${POST}Content-Length: \r\n\r\n${SMUGGLED}`),
  malformed('a length behind a bare carriage return', `${POST}A: b\rContent-Length: 5\r\n\r\n${SMUGGLED}`),
  malformed('a chunk size with a blank', `${CHUNKED}5 \r\nhello\r\n0\r\n\r\n${SMUGGLED}`),
  malformed('a chunk size with a prefix', `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n${SMUGGLED}`),
  malformed('chunks with bare line feeds', `${CHUNKED}5\nhello\n0\n\n${SMUGGLED}`),
  malformed('a chunk extension with a bare line feed', `${CHUNKED}5;a\nhello\r\n0\r\n\r\n${SMUGGLED}`),
  malformed('a length in a trailer', `${CHUNKED}0\r\nContent-Length: 5\r\n\r\n${SMUGGLED}`),
  malformed('HTTP/0.9', 'GET /livez\r\n\r\n'),
  malformed('no path', 'GET  HTTP/1.1\r\nHost: x\r\n\r\n'),
  malformed('a blank in the path', 'GET /li vez HTTP/1.1\r\nHost: x\r\n\r\n'),
  malformed('a NUL in the path', 'GET /li\0vez HTTP/1.1\r\nHost: x\r\n\r\n'),
  malformed('letters beyond ASCII in the path', 'GET /größe HTTP/1.1\r\nHost: x\r\n\r\n'),
  malformed('an authority for a path', 'GET elsewhere:80 HTTP/1.1\r\nHost: x\r\n\r\n'),
  malformed('a broken chunk after a good one', CHUNKED, 20, '5\r\n{"dag\r\n', 20, 'ZZ\r\n'),
  {
    name: 'compressed chunks',
    parts: [`${POST}Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n`],
    status: 415,
    code: 'unsupported_media_type',
  },
  { name: 'huge headers', parts: [`${GET}A: ${'a'.repeat(17_000)}\r\n\r\n`], status: 431, code: 'headers_too_large' },
  {
    name: 'endless headers',
    parts: [GET, ...Array.from({ length: 500 }, (_, n) => `A${n}: ${'a'.repeat(1_000)}\r\n`)],
    status: 431,
    code: 'headers_too_large',
  },
  {
    name: 'thousands of headers',
    parts: [GET, ...Array.from({ length: 1_900 }, (_, n) => `A${n}: b\r\n`), '\r\n'],
    status: 431,
    code: 'headers_too_large',
  },
  {
    name: 'a huge path',
    parts: [`GET /${'a'.repeat(17_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
    status: 431,
    code: 'headers_too_large',
  },
  {
    name: 'huge chunk extensions',
    parts: [`${CHUNKED}5;${'a'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`],
    status: 413,
    code: 'body_too_large',
  },
  {
    name: 'an expectation',
    parts: [`${GET}Expect: miracle\r\nConnection: close\r\n\r\n`],
    status: 417,
    code: 'expectation_failed',
  },
  { name: 'nothing', parts: [], status: 408, code: 'request_timeout' },
  {
    name: 'slow headers',
    parts: [GET, ...Array.from({ length: 30 }, () => [30, 'A: b\r\n']).flat()],
    status: 408,
    code: 'request_timeout',
  },
  {
    name: 'a slow body',
    parts: [`${POST}Content-Length: 500\r\n\r\n`, ...Array.from({ length: 50 }, () => [30, ' ']).flat()],
    status: 408,
    code: 'request_timeout',
  },
  {
    name: 'a body of which nothing comes',
    parts: [`${POST}Content-Length: 500\r\n\r\n`],
    status: 408,
    code: 'request_timeout',
  },
];

describe('bad input below HTTP', () => {
  test.each(BAD_WIRE)('$name: $status $code', async ({ parts, status, code }) => {
    const { text, statuses } = await talk(http.port, parts);
    expect(statuses).toEqual([status]);
    expect(text).toContain('Content-Type: application/problem+json');
    expect(text).toMatch(/Connection: close/i);
    expect(text).toContain(`"code":"${code}"`);
  });

  test('nothing of it was taken in, and the service still answers', async () => {
    expect(http.intake.reports).toEqual([]);
    expect(http.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    expect((await http.get('/livez')).status).toBe(200);
  });
});

const PIECE = 65_536;
/** 64 MiB: far more than what both ends of a loopback connection buffer. */
const PIECES = 1_024;

function* endless(head: string, chunk: (data: string) => string): Generator<Part> {
  yield head;
  for (let sent = 0; sent < PIECES; sent += 1) yield chunk('x'.repeat(PIECE));
}

describe('a body of 64 MiB is refused without reading it all', () => {
  test.each([
    ['declared', `${POST}Content-Length: ${PIECES * PIECE}\r\n\r\n`, (data: string) => data],
    ['in chunks', CHUNKED, (data: string) => `10000\r\n${data}\r\n`],
    [
      'declared, without a token',
      `${POST.replace('task-failed', 'nothing')}Content-Length: ${PIECES * PIECE}\r\n\r\n`,
      (data: string) => data,
    ],
  ])('%s', async (_how, head, chunk) => {
    const { text, statuses, bytesWritten } = await talk(http.port, endless(head, chunk));
    expect(statuses).toHaveLength(1);
    expect(text).toMatch(/"code":"(?:body_too_large|not_found)"/);
    expect(bytesWritten).toBeLessThan((PIECES * PIECE) / 2);
  });
});

describe('a caller that goes on sending sees its answer before the connection is closed', () => {
  test.each([
    [
      'a body that is too large',
      [`${POST}Content-Length: 300000\r\n\r\n`, 'x'.repeat(100_000), 50, 'x'.repeat(100_000), 50, 'x'.repeat(100_000)],
      413,
    ],
    ['headers that are too large', [`${GET}A: ${'a'.repeat(17_000)}`, 50, 'a'.repeat(17_000), 50, '\r\n\r\n'], 431],
  ])('%s', async (_what, parts, status) => {
    const { statuses, wasReset, durationMs } = await talk(http.port, parts, { isStubborn: true });
    expect(statuses).toEqual([status]);
    expect(wasReset).toBe(false);
    expect(durationMs).toBeLessThan(5_000);
  });
});

describe('a caller that asks before it sends', () => {
  const expecting = (fields: string) => `${POST}${fields}Expect: 100-continue\r\nConnection: close\r\n`;

  test('is told to go on', async () => {
    const { statuses } = await talk(http.port, [`${expecting('')}Content-Length: ${BODY.length}\r\n\r\n`, 20, BODY]);
    expect(statuses).toEqual([100, 202]);
    expect(http.intake.reports.splice(0)).toHaveLength(1);
  });

  test('is told not to, when the body would be refused', async () => {
    const { statuses } = await talk(http.port, [`${expecting('')}Content-Length: 999999\r\n\r\n`]);
    expect(statuses).toEqual([413]);
  });
});

test('a request that is followed by garbage still gets its own answer, and only that', async () => {
  http.intake.answer = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return ANSWER;
  };
  const { statuses } = await talk(http.port, [`${POST}Content-Length: ${BODY.length}\r\n\r\n${BODY}garbage\r\n\r\n`]);
  expect(statuses).toEqual([202]);
});

describe('what is not a request of its own is never taken for one', () => {
  test('the body of a GET', async () => {
    http.intake.reports.length = 0;
    const { statuses } = await talk(http.port, [`${GET}Content-Length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`]);
    expect(statuses).toEqual([200]);
    expect(http.intake.reports).toEqual([]);
  });

  test('what follows an answer that closes the connection', async () => {
    const { statuses } = await talk(http.port, [`${POST}Content-Length: 2\r\nConnection: close\r\n\r\n{}${SMUGGLED}`]);
    expect(statuses).toEqual([400]);
    expect(http.intake.reports).toEqual([]);
  });

  test('a tunnel is not opened, and no other protocol is spoken', async () => {
    expect((await talk(http.port, ['CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n'])).text).toBe('');
    const upgrade = `${GET}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`;
    expect((await talk(http.port, [upgrade])).statuses).toEqual([200]);
  });
});

test.each([
  ['http://elsewhere/livez', 200],
  ['http://elsewhere/v1/runs/etl/..', 400],
  ['http://elsewhere//livez', 404],
  ['*', 404],
])('the target %s counts by its path only: %i', async (target, status) => {
  const method = target === '*' ? 'OPTIONS' : 'GET';
  const { statuses } = await talk(http.port, [`${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`]);
  expect(statuses).toEqual([status]);
});

test('requests in one packet are answered in their order', async () => {
  const one = (id: string) => {
    const body = JSON.stringify({ ...TASK_FAILED, dag_id: id });
    return `${POST}Content-Length: ${body.length}\r\n\r\n${body}`;
  };
  const { text, statuses } = await talk(http.port, [one('a') + one('b') + one('c')]);
  expect(statuses).toEqual([202, 202, 202]);
  expect([...text.matchAll(/"dag_id":"(\w)"/g)].map((match) => match[1])).toEqual(['a', 'b', 'c']);
});

test('a body in chunks is taken like any other', async () => {
  http.intake.reports.length = 0;
  const size = BODY.length.toString(16);
  const { statuses } = await talk(http.port, [`${CHUNKED}${size};a=b\r\n${BODY}\r\n0\r\nX-Trailer: y\r\n\r\n`]);
  expect(statuses).toEqual([202]);
  expect(http.intake.reports).toHaveLength(1);
});

test('a caller that goes in the middle of its body is nobody’s error', async () => {
  http.log.lines.length = 0;
  http.intake.reports.length = 0;
  await talk(http.port, [`${POST}Content-Length: 500\r\n\r\n{`], { limitMs: 50 });
  expect((await http.get('/livez')).status).toBe(200);
  expect(http.log.lines).toEqual([]);
  expect(http.intake.reports).toEqual([]);
});
