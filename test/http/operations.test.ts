import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Operated } from '../../src/core/event.ts';
import type { RunKey } from '../../src/core/run-key.ts';
import type { OperationAnswer } from '../../src/engine/operations.ts';
import { OPERATION_PATHS, OperationView, operationRoutes } from '../../src/http/operations.ts';
import { waitingRecord } from '../support/records.ts';
import { runsOf, type Serving, serve } from './serve.ts';

const DONE: OperationAnswer = {
  decision: 'held',
  reason: 'held_by_operator',
  record: waitingRecord(),
  isChanged: true,
};
const PATH = '/v1/runs/etl/manual__2026-01-01T00%3A00%3A00%2B00%3A00';
const BODY = { actor: 'anna', comment: 'database is down' };

let http: Serving;
const acted: { key: RunKey; event: Operated }[] = [];
let answer = DONE;

beforeAll(async () => {
  const act = async (key: RunKey, event: Operated) => {
    acted.push({ key, event });
    return answer;
  };
  const auth = { callbackTokens: ['callback-token'], operatorTokens: ['operator-token'], webhookSecrets: [] };
  http = await serve({ routes: operationRoutes({ operations: { act }, runs: runsOf([]) }), auth });
});
afterAll(() => http.close());
beforeEach(() => {
  acted.length = 0;
  answer = DONE;
});

const post = (path: string, body: unknown, token = 'operator-token') =>
  http.post(path, body, { authorization: `Bearer ${token}` });

describe('operations', () => {
  test.each(Object.entries(OPERATION_PATHS))('POST …/%s does %s', async (path, action) => {
    const retries = action === 'grant' ? 3 : 0;
    const got = await post(`${PATH}/${path}`, { ...BODY, ...(action === 'grant' ? { retries } : {}) });
    expect(got.status).toBe(200);
    expect(OperationView.parse(JSON.parse(got.text))).toMatchObject({ decision: 'held', run: { phase: 'waiting' } });
    const key = { dagId: 'etl', dagRunId: 'manual__2026-01-01T00:00:00+00:00' };
    expect(acted).toEqual([{ key, event: { type: 'operated', action, ...BODY, retries } }]);
  });

  test('a comment may be left out, and nothing may be kept of the run', async () => {
    answer = { decision: 'cleaned_up', reason: 'reset_by_operator', record: null, isChanged: true };
    const got = await post(`${PATH}/reset`, { actor: 'anna' });
    expect(JSON.parse(got.text)).toEqual({ decision: 'cleaned_up', reason: 'reset_by_operator', run: null });
    expect(acted[0]?.event.comment).toBe('');
  });

  test('a run of which nothing is kept is a 404, what is not possible now a 409 that says why', async () => {
    answer = { decision: 'unknown_run', reason: 'no_record', record: null, isChanged: false };
    expect(await post(`${PATH}/pause`, BODY)).toMatchObject({ status: 404 });
    answer = { decision: 'stale', reason: 'clear_under_way', record: waitingRecord(), isChanged: false };
    const refused = await post(`${PATH}/cancel`, BODY);
    expect(refused.status).toBe(409);
    expect(JSON.parse(refused.text)).toMatchObject({ code: 'operation_not_possible' });
    expect(refused.text).toContain('clear_under_way');
  });

  test.each([
    ['no actor', 'pause', {}, 'actor'],
    ['an empty actor', 'pause', { actor: '  ' }, 'actor'],
    ['an actor that is no text', 'pause', { actor: 7 }, 'actor'],
    ['an actor that turns the direction of text', 'pause', { actor: 'a\u202ennab' }, 'actor'],
    ['an actor that isolates a part of it', 'pause', { actor: 'a\u2066b' }, 'actor'],
    ['a comment that is too long', 'pause', { actor: 'a', comment: 'x'.repeat(1_001) }, 'comment'],
    ['an unknown field', 'pause', { actor: 'a', retries: 1 }, 'retries'],
    ['no number of retries', 'grant', { actor: 'a' }, 'retries'],
    ['no retries', 'grant', { actor: 'a', retries: 0 }, 'retries'],
    ['half a retry', 'grant', { actor: 'a', retries: 1.5 }, 'retries'],
    ['too many retries', 'grant', { actor: 'a', retries: 101 }, 'retries'],
  ])('%s is a 400 that names the field, and nothing is done', async (_name, path, body, field) => {
    const got = await post(`${PATH}/${path}`, body);
    expect(got.status).toBe(400);
    expect(JSON.parse(got.text).errors[0].field).toBe(field);
    expect(acted).toEqual([]);
  });

  test.each([
    ['a callback token', 403, () => post(`${PATH}/pause`, BODY, 'callback-token')],
    ['no token', 401, () => http.post(`${PATH}/pause`, BODY)],
    ['a form, as another site could send it', 415, () => plain('actor=anna')],
  ])('%s is a %i, and nothing is done', async (_name, status, send) => {
    expect((await send()).status).toBe(status);
    expect(acted).toEqual([]);
  });

  const plain = (body: string) =>
    http.post(`${PATH}/pause`, body, {
      authorization: 'Bearer operator-token',
      'content-type': 'application/x-www-form-urlencoded',
    });
});
