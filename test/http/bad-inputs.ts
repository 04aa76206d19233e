import { deflateSync, gzipSync } from 'node:zlib';
import { MAX_BODY_BYTES } from '../../src/http/body.ts';
import { BAD_FIELDS, withField } from './bad-fields.ts';
import { type Sent, TASK_FAILED } from './serve.ts';

/** A request that must be refused: with which status and code, and which field the answer names (null: none). */
export interface BadInput {
  readonly name: string;
  readonly sent: Sent;
  readonly status: number;
  readonly code: string;
  readonly field: string | null;
}

const JSON_HEADERS = { 'content-type': 'application/json' };
const CALLBACK = '/v1/callbacks/task-failed';
const VALID = JSON.stringify(TASK_FAILED);

const MANY_GLOBS = Array.from({ length: 100 }, (_, index) => `${index}${'g'.repeat(200)}`);

/** Bodies that are no JSON object, as they are sent. */
const BAD_BODIES: readonly (readonly [name: string, body: string | Uint8Array, field: string | null, code?: string])[] =
  [
    ['nothing', '', 'body'],
    ['white space', ' \r\n\t ', 'body'],
    ['half an object', '{"dag_id":"etl"', 'body'],
    ['two objects', `${VALID}${VALID}`, 'body'],
    ['single quotes', "{'dag_id':'etl'}", 'body'],
    ['a trailing comma', '{"dag_id":"etl",}', 'body'],
    ['a comment', '{/**/"dag_id":"etl"}', 'body'],
    ['NaN, which Python writes', '{"dag_id":"etl","run_id":"r","task_id":"t","map_index":NaN}', 'body'],
    ['a number beyond all numbers', `{"map_index":1e999,${VALID.slice(1)}`, 'map_index', 'invalid_body'],
    [
      'a number of 10,000 digits',
      `{"try_number":${'9'.repeat(10_000)},${VALID.slice(1)}`,
      'try_number',
      'invalid_body',
    ],
    [
      'a prototype deep inside',
      `${VALID.slice(0, -1)},"exception":{"__proto__":1,"type":{}}}`,
      'exception.type',
      'invalid_body',
    ],
    ['a raw line break in a string', '{"dag_id":"e\ntl"}', 'body'],
    ['a form', 'dag_id=etl&run_id=r', 'body'],
    ['two byte order marks', `\ufeff\ufeff${VALID}`, 'body'],
    ['UTF-16', Buffer.from(VALID, 'utf16le'), 'body'],
    ['Latin-1', Buffer.from('{"dag_id":"größe"}', 'latin1'), 'body'],
    [
      'an overlong encoding',
      Buffer.concat([Buffer.from('{"dag_id":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]),
      'body',
    ],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'body'],
    ['gzip that is not declared', gzipSync(VALID), 'body'],
    ['10,000 brackets', '['.repeat(10_000), 'body'],
    ['10,000 nested arrays', `${'['.repeat(10_000)}${']'.repeat(10_000)}`, 'body'],
    ['10,000 nested objects', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, 'body'],
    ['depth in a field that is ignored', `{"conf":${'['.repeat(200)}${']'.repeat(200)},${VALID.slice(1)}`, 'body'],
    ['an array', '[]', 'body', 'invalid_body'],
    ['an array of reports', `[${VALID}]`, 'body', 'invalid_body'],
    ['a number', '1', 'body', 'invalid_body'],
    ['a string', '"dag_id"', 'body', 'invalid_body'],
    ['null', 'null', 'body', 'invalid_body'],
    ['true', 'true', 'body', 'invalid_body'],
    ['an empty object', '{}', 'dag_id', 'invalid_body'],
    ['only a prototype', `{"__proto__":${VALID}}`, 'dag_id', 'invalid_body'],
    ['only a constructor', `{"constructor":{"prototype":${VALID}}}`, 'dag_id', 'invalid_body'],
    ['no run', '{"dag_id":"etl","task_id":"t"}', 'dag_run_id', 'invalid_body'],
    ['no run but null', '{"dag_id":"etl","task_id":"t","dag_run_id":null,"run_id":null}', 'dag_run_id', 'invalid_body'],
    ['no task', '{"dag_id":"etl","run_id":"r"}', 'task_id', 'invalid_body'],
    ['names in camel case', '{"dagId":"etl","dagRunId":"r","taskId":"t"}', 'dag_id', 'invalid_body'],
    [
      'a prototype in the policy',
      `${VALID.slice(0, -1)},"retry":{"__proto__":{"max_retries":9}}}`,
      'retry.__proto__',
      'invalid_body',
    ],
    [
      'a policy of 20,000 characters',
      JSON.stringify({ ...TASK_FAILED, retry: { never_on: MANY_GLOBS } }),
      'retry',
      'invalid_body',
    ],
    ['half a surrogate pair in an id', '{"dag_id":"\\ud83d","run_id":"r","task_id":"t"}', 'dag_id', 'invalid_body'],
  ];

/** Headers that go with a valid body; `undefined` takes one away. */
const BAD_HEADERS: readonly (readonly [name: string, headers: Sent['headers'], field: string, body?: Uint8Array])[] = [
  ['no content type', {}, 'content-type'],
  ['text', { 'content-type': 'text/plain' }, 'content-type'],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'content-type'],
  ['a multipart form', { 'content-type': 'multipart/form-data; boundary=x' }, 'content-type'],
  ['JSON lines', { 'content-type': 'application/jsonlines' }, 'content-type'],
  ['another kind of JSON', { 'content-type': 'application/problem+json' }, 'content-type'],
  ['two types', { 'content-type': 'application/json, text/plain' }, 'content-type'],
  ['UTF-16', { 'content-type': 'application/json; charset=utf-16' }, 'content-type'],
  ['Latin-1', { 'content-type': 'application/json;charset="iso-8859-1"' }, 'content-type'],
  ['an empty charset', { 'content-type': 'application/json; charset=' }, 'content-type'],
  ['two charsets', { 'content-type': 'application/json; charset=utf-8; charset=utf-16' }, 'content-type'],
  ['gzip', { ...JSON_HEADERS, 'content-encoding': 'gzip' }, 'content-encoding', gzipSync(VALID)],
  ['a gzip bomb', { ...JSON_HEADERS, 'content-encoding': 'gzip' }, 'content-encoding', gzipSync(Buffer.alloc(2 ** 24))],
  ['deflate', { ...JSON_HEADERS, 'content-encoding': 'deflate' }, 'content-encoding', deflateSync(VALID)],
  ['brotli', { ...JSON_HEADERS, 'content-encoding': 'br' }, 'content-encoding'],
  ['twice encoded', { ...JSON_HEADERS, 'content-encoding': 'identity, gzip' }, 'content-encoding'],
];

const BAD_URLS: readonly (readonly [path: string, status: number, code: string, field: string | null])[] = [
  ['/v1/runs?phase=running', 400, 'invalid_query', 'phase'],
  ['/v1/runs?phase=', 400, 'invalid_query', 'phase'],
  ['/v1/runs?phase=waiting&phase=watching', 400, 'invalid_query', 'phase'],
  ['/v1/runs?phase[]=waiting', 400, 'invalid_query', 'phase[]'],
  ['/v1/runs?dag_id=', 400, 'invalid_query', 'dag_id'],
  ['/v1/runs?dag_id=a%2Fb', 400, 'invalid_query', 'dag_id'],
  ['/v1/runs?limit=0', 400, 'invalid_query', 'limit'],
  ['/v1/runs?limit=501', 400, 'invalid_query', 'limit'],
  ['/v1/runs?limit=-1', 400, 'invalid_query', 'limit'],
  ['/v1/runs?limit=1.5', 400, 'invalid_query', 'limit'],
  ['/v1/runs?limit=1e2', 400, 'invalid_query', 'limit'],
  ['/v1/runs?limit=99999999999999999999', 400, 'invalid_query', 'limit'],
  ['/v1/runs?limit', 400, 'invalid_query', 'limit'],
  ['/v1/runs?cursor=', 400, 'invalid_query', 'cursor'],
  ['/v1/runs?cursor=%00', 400, 'invalid_query', 'cursor'],
  ['/v1/runs?cursor=abc', 400, 'invalid_query', 'cursor'],
  [`/v1/runs?cursor=${Buffer.from('["a"]').toString('base64url')}`, 400, 'invalid_query', 'cursor'],
  [`/v1/runs?cursor=${Buffer.from('["a","b/c"]').toString('base64url')}`, 400, 'invalid_query', 'cursor'],
  [`/v1/runs?cursor=${'a'.repeat(5_000)}`, 400, 'invalid_query', 'cursor'],
  ['/v1/runs?offset=10', 400, 'invalid_query', 'offset'],
  ['/v1/runs?__proto__=1', 400, 'invalid_query', '__proto__'],
  ['/v1/runs?dag_id=%', 400, 'invalid_query', '%'],
  ['/v1/runs?dag_id=%E0%A4', 400, 'invalid_query', '%E0%A4'],
  ['/v1/runs/etl/%', 400, 'invalid_path', null],
  ['/v1/runs/%E0%A4%A/r', 400, 'invalid_path', null],
  ['/v1/runs/%ff/r', 400, 'invalid_path', null],
  ['/v1/runs/etl/..', 400, 'invalid_path', 'dag_run_id'],
  ['/v1/runs/%2e%2e/r', 400, 'invalid_path', 'dag_id'],
  ['/v1/runs/etl/a%2Fb', 400, 'invalid_path', 'dag_run_id'],
  ['/v1/runs/etl/a%00b', 400, 'invalid_path', 'dag_run_id'],
  ['/v1/runs/etl/a%2520b', 400, 'invalid_path', 'dag_run_id'],
  [`/v1/runs/etl/${'r'.repeat(251)}`, 400, 'invalid_path', 'dag_run_id'],
  ['/v1/runs/__proto__/r', 400, 'invalid_path', 'dag_id'],
  ['/v1/runs/etl/unheard_of', 404, 'run_not_found', null],
  ['/v1/runs/etl', 404, 'not_found', null],
  ['/v1/runs/etl/r/x', 404, 'not_found', null],
  ['/', 404, 'not_found', null],
  ['/v1', 404, 'not_found', null],
  ['/V1/runs', 404, 'not_found', null],
  ['//v1/runs', 404, 'not_found', null],
  ['/v1/callbacks', 404, 'not_found', null],
  ['/v1/callbacks/task-retried', 404, 'not_found', null],
  ['/%', 404, 'not_found', null],
  ['/__proto__', 404, 'not_found', null],
  ['/v1/callbacks/task-failed', 405, 'method_not_allowed', null],
];

const BAD_METHODS: readonly (readonly [method: string, path: string])[] = [
  ['GET', '/v1/callbacks/run-failed'],
  ['PUT', CALLBACK],
  ['PATCH', CALLBACK],
  ['DELETE', CALLBACK],
  ['OPTIONS', CALLBACK],
  ['POST', '/v1/runs'],
  ['DELETE', '/v1/runs/etl/r'],
  ['POST', '/livez'],
  ['POST', '/readyz'],
  ['POST', '/metrics'],
  ['TRACE', '/openapi.json'],
];

function post(
  name: string,
  body: string | Uint8Array,
  expected: Omit<BadInput, 'name' | 'sent'>,
  path = CALLBACK,
): BadInput {
  return { name, sent: { method: 'POST', path, headers: JSON_HEADERS, body }, ...expected };
}

const invalid = (field: string) => ({ status: 400, code: 'invalid_body', field });
const shown = (value: unknown) => (JSON.stringify(value) ?? 'undefined').slice(0, 60);

export const BAD_INPUTS: readonly BadInput[] = [
  ...BAD_FIELDS.flatMap(([path, values]) =>
    values.map((value) => post(`${path}: ${shown(value)}`, JSON.stringify(withField(path, value)), invalid(path))),
  ),
  ...BAD_BODIES.map(([name, body, field, code = 'invalid_json']) => post(name, body, { status: 400, code, field })),
  post(
    'an unknown reason',
    '{"dag_id":"etl","run_id":"r","reason":"success"}',
    invalid('reason'),
    '/v1/callbacks/run-failed',
  ),
  post('a failed run in no Dag', '{"run_id":"r"}', invalid('dag_id'), '/v1/callbacks/run-failed'),
  post('a run that succeeded in no Dag', '{"run_id":"r"}', invalid('dag_id'), '/v1/callbacks/run-succeeded'),
  post(
    'two names of one run',
    '{"dag_id":"e","run_id":"r","dag_run_id":"s"}',
    invalid('run_id'),
    '/v1/callbacks/run-succeeded',
  ),
  ...BAD_HEADERS.map(([name, headers = {}, field, body = Buffer.from(VALID)]) => ({
    name: `content: ${name}`,
    sent: { method: 'POST', path: CALLBACK, headers, body },
    status: 415,
    code: 'unsupported_media_type',
    field,
  })),
  ...[MAX_BODY_BYTES + 1, 2 * MAX_BODY_BYTES, 10 * 1024 * 1024].map((size) =>
    post(`${size} bytes`, VALID.padEnd(size), { status: 413, code: 'body_too_large', field: 'body' }),
  ),
  ...BAD_URLS.map(([path, status, code, field]) => ({
    name: `GET ${path.slice(0, 80)}`,
    sent: { path },
    status,
    code,
    field,
  })),
  ...BAD_METHODS.map(([method, path]) => ({
    name: `${method} ${path}`,
    sent: { method, path },
    status: 405,
    code: 'method_not_allowed',
    field: null,
  })),
];
