import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DagainError, type ErrorCode } from '../../src/core/errors.ts';
import type { Route } from '../../src/http/route.ts';
import { problemIn } from './problem.ts';
import { type Serving, serve, TASK_FAILED } from './serve.ts';
import { talk } from './wire.ts';

const SECRET_DETAIL = 'connect ECONNREFUSED 10.0.0.5:6379 with password hunter2';

let http: Serving;
beforeAll(async () => {
  http = await serve();
});
afterAll(() => http.close());
beforeEach(() => {
  http.log.lines.length = 0;
});

/** Every code of core's errors must be here. */
const EXPECTED: Readonly<Record<ErrorCode, { status: number; code: string; retryAfter: boolean }>> = {
  store_unavailable: { status: 503, code: 'store_unavailable', retryAfter: true },
  store_contention: { status: 503, code: 'store_contention', retryAfter: true },
  store_corrupt: { status: 500, code: 'store_corrupt', retryAfter: false },
  store_unsupported: { status: 500, code: 'internal_error', retryAfter: false },
  configuration_invalid: { status: 500, code: 'internal_error', retryAfter: false },
  cursor_invalid: { status: 400, code: 'invalid_query', retryAfter: false },
  invalid_transition: { status: 500, code: 'internal_error', retryAfter: false },
};
const CODES = Object.keys(EXPECTED).filter((code): code is ErrorCode => code in EXPECTED);

describe('an error of the service', () => {
  test.each(CODES)('%s', async (code) => {
    const error = new DagainError(code, SECRET_DETAIL);
    http.intake.answer = async () => {
      throw error;
    };
    const got = await http.post('/v1/callbacks/task-failed', TASK_FAILED);
    const problem = problemIn(got);
    expect({ status: got.status, code: problem.code, retryAfter: got.headers['retry-after'] !== undefined }).toEqual(
      EXPECTED[code],
    );
    expect(got.text).not.toContain('10.0.0.5');
    if (got.status < 500) return;
    expect(problem.request_id).toBeDefined();
    // Logged once and whole, under the id that the caller can quote.
    const level = got.status === 503 ? 'warn' : 'error';
    expect(http.log.lines).toMatchObject([{ level, fields: { request_id: problem.request_id, err: error } }]);
  });

  test.each([
    ['a bug', new TypeError(SECRET_DETAIL)],
    ['something that is no error at all', SECRET_DETAIL],
    ['an error with a status of its own', Object.assign(new Error(SECRET_DETAIL), { status: 418 })],
  ])('%s', async (_what, thrown) => {
    http.intake.answer = () => Promise.reject(thrown);
    const got = await http.post('/v1/callbacks/task-failed', TASK_FAILED);
    expect(problemIn(got)).toMatchObject({ status: 500, code: 'internal_error' });
    expect(got.text).not.toContain('hunter2');
    expect(http.log.lines).toMatchObject([{ level: 'error', fields: { err: thrown } }]);
  });

  test('in the middle of an answer cuts the answer off: half of one must not pass for a whole one', async () => {
    const broken: Route = {
      method: 'get',
      path: '/broken',
      access: 'open',
      handle(_request, response) {
        response.writeHead(200, { 'content-length': 100 });
        response.write('half');
        throw new TypeError('in the middle');
      },
    };
    const serving = await serve({ routes: [broken] });
    await expect(serving.get('/broken')).rejects.toThrow();
    expect(serving.log.lines).toMatchObject([{ level: 'error' }]);
    await serving.close();
  });

  test('that comes when the caller has gone is logged all the same', async () => {
    const left = Promise.withResolvers<void>();
    http.intake.answer = async () => {
      await left.promise;
      throw new TypeError('too late');
    };
    const body = JSON.stringify(TASK_FAILED);
    const head = `POST /v1/callbacks/task-failed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    await talk(http.port, [head + body], { limitMs: 50 });
    left.resolve();
    await http.get('/livez');
    expect(http.log.lines).toMatchObject([{ level: 'error' }]);
  });
});
