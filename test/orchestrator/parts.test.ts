import fc from 'fast-check';
import { errors } from 'undici';
import { describe, expect, test } from 'vitest';
import { idProblem } from '../../src/core/run-key.ts';
import { excerptOf, redact } from '../../src/orchestrator/airflow/excerpt.ts';
import { readNetworkError } from '../../src/orchestrator/airflow/network-error.ts';
import { parseRoot, urlOf } from '../../src/orchestrator/airflow/paths.ts';

describe('paths', () => {
  const roots = ['http://airflow.test', 'https://airflow.test:8443/team/a', 'http://[::1]:8080/x%20y'];

  test('hold every allowed id as one segment, encoded once', () => {
    const ids = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((id) => idProblem(id) === null);
    fc.assert(
      fc.property(fc.constantFrom(...roots), ids, ids, (address, dagId, runId) => {
        const root = parseRoot(address);
        const url = urlOf(root, ['api', 'v2', 'dags', dagId, 'dagRuns', runId, 'clear']);
        const prefix = new URL(address).pathname.replace(/\/$/, '');
        expect(url?.origin).toBe(new URL(address).origin);
        expect(url?.search).toBe('');
        const segments = url?.pathname.slice(prefix.length + 1).split('/');
        expect(segments?.map(decodeURIComponent)).toEqual(['api', 'v2', 'dags', dagId, 'dagRuns', runId, 'clear']);
      }),
    );
  });

  test('are refused rather than changed, whatever the id', () => {
    const hostile = fc.oneof(
      fc.constantFrom('.', '..', '%2e', '%2E%2e', '../..', '..;', '/', '//', '\\', '?', '#', '~', '\t', '\n'),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(hostile, hostile, (dagId, runId) => {
        const path = urlOf(parseRoot('http://airflow.test/p'), ['dags', dagId, 'dagRuns', runId])?.pathname;
        expect([undefined, `/p/dags/${safely(dagId)}/dagRuns/${safely(runId)}`]).toContain(path);
      }),
    );
  });

  function safely(id: string): string {
    return id.isWellFormed() ? encodeURIComponent(id) : '';
  }
});

describe('what a failed request proves', () => {
  const systemError = (code: string, syscall: string) =>
    Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
  const coded = (code: string) => Object.assign(new Error('broken'), { code });
  const both = (first: Error, second: Error) =>
    Object.assign(new AggregateError([first, second]), { code: 'ECONNREFUSED' });
  const refused = systemError('ECONNREFUSED', 'connect');
  test.each([
    ['a refused connection', refused, false, 'unreachable'],
    ['one refused at each address', both(refused, systemError('ENETUNREACH', 'connect')), false, 'unreachable'],
    ['an unknown host', systemError('ENOTFOUND', 'getaddrinfo'), false, 'unreachable'],
    ['a name server that is out', systemError('EAI_AGAIN', 'getaddrinfo'), false, 'unreachable'],
    ['a host that cannot be reached', systemError('EHOSTUNREACH', 'connect'), false, 'unreachable'],
    ['a connection not made in time', new errors.ConnectTimeoutError(), false, 'timed_out'],
    ['a certificate that is not trusted', coded('DEPTH_ZERO_SELF_SIGNED_CERT'), false, 'unreachable'],
    ['a certificate of another host', coded('ERR_TLS_CERT_ALTNAME_INVALID'), false, 'unreachable'],
    ['a host lost on the way', systemError('EHOSTUNREACH', 'read'), true, 'unreachable'],
    ['a reset', systemError('ECONNRESET', 'read'), true, 'unreachable'],
    ['a reset of one address only', both(refused, systemError('ECONNRESET', 'read')), true, 'unreachable'],
    ['a broken pipe', systemError('EPIPE', 'write'), true, 'unreachable'],
    ['a time-out of the system', systemError('ETIMEDOUT', 'read'), true, 'unreachable'],
    ['a closed socket', new errors.SocketError('other side closed'), true, 'unreachable'],
    ['no head in time', new errors.HeadersTimeoutError(), true, 'timed_out'],
    ['no body in time', new errors.BodyTimeoutError(), true, 'timed_out'],
    ['a head that is too big', new errors.HeadersOverflowError(), true, 'unexpected_answer'],
    ['something else', new Error('?'), true, 'unreachable'],
    ['no error at all', 'oops', true, 'unreachable'],
  ])('%s', (_name, error, sent, reason) => {
    expect(readNetworkError(error, false)).toMatchObject({ sent, reason, detail: expect.stringMatching(/./) });
  });

  test('once the time is over, nothing but that', () => {
    expect(readNetworkError(new errors.RequestAbortedError(), true)).toMatchObject({ sent: true, reason: 'timed_out' });
  });
});

describe('excerpts', () => {
  test.each([
    ['{"detail":"no"}', 'no'],
    ['{"detail":null,"title":"Bad"}', 'Bad'],
    ['{"error":"gone"}', 'gone'],
    ['{"message":"what"}', 'what'],
    ['{"detail":[{"type":"missing"}]}', '{"detail":[{"type":"missing"}]}'],
    ['', ''],
  ])('say what %s says', (text, said) => {
    expect(excerptOf(text, text === '' ? undefined : JSON.parse(text), [])).toBe(said);
  });

  test('are one short printable line', () => {
    expect(excerptOf('a\r\n\u001b[31mb\u0000\u2028c\u202e d', undefined, [])).toBe('a [31mb c d');
    expect(excerptOf('x'.repeat(500), undefined, [])).toBe(`${'x'.repeat(200)}...`);
  });

  test('hold no part of a secret at their end', () => {
    const secret = 's3cr3t-'.repeat(10);
    expect(excerptOf(`${'x'.repeat(170)}${secret}`, undefined, [secret])).toBe(`${'x'.repeat(170)}[redacted]`);
  });

  test('hold no secret in any form', () => {
    const secret = 'a"b ü/\\';
    const text = `${secret} ${JSON.stringify(secret)} ${encodeURIComponent(secret)}`;
    expect(redact(text, [secret, ''])).toBe('[redacted] "[redacted]" [redacted]');
  });
});
