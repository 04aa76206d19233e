import { afterEach, describe, expect, test, vi } from 'vitest';
import { actionsFor } from '../../src/console/browser/actions.ts';
import { adviceFor, messageOf } from '../../src/console/browser/advice.ts';
import { ApiError, createApi } from '../../src/console/browser/api.ts';

/** An API whose service answers 401, with the body that `bodyOf` gives. */
function refusing(bodyOf: (signal: AbortSignal | null) => ReadableStream<Uint8Array> | string) {
  const refusals: ApiError[] = [];
  let token = 'wrong';
  const api = createApi({
    fetch: async (_input, init) => new Response(bodyOf(init?.signal ?? null), { status: 401 }),
    root: 'http://page/',
    session: { token: () => token },
    onUnauthorized: (problem) => void refusals.push(problem),
  });
  const setToken = (next: string) => {
    token = next;
  };
  return { api, refusals, setToken };
}

const PROBLEM = JSON.stringify({ code: 'unauthenticated', detail: 'The bearer token is not valid here' });

describe('a refused token', () => {
  test('is told of by what the service says', async () => {
    const { api, refusals } = refusing(() => PROBLEM);
    await expect(api.get('v1/stats')).rejects.toMatchObject({ status: 401, code: 'unauthenticated' });
    expect(refusals).toMatchObject([{ message: 'The bearer token is not valid here' }]);
  });

  test('is not told of by an answer that nobody waited for to its end', async () => {
    const leaving = new AbortController();
    const { api, refusals } = refusing(
      (signal) =>
        new ReadableStream({ start: (body) => signal?.addEventListener('abort', () => body.error(signal.reason)) }),
    );
    const answer = api.get('v1/stats', {}, leaving.signal);
    setImmediate(() => leaving.abort());
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
    expect(refusals).toEqual([]);
  });

  test('is told of where something in between refuses it', async () => {
    const { api, refusals } = refusing(() => '<h1>no</h1>');
    await expect(api.get('v1/stats')).rejects.toMatchObject({ code: 'unexpected_answer' });
    expect(refusals).toHaveLength(1);
  });

  test('is not told of once another one has taken its place', async () => {
    const { api, refusals, setToken } = refusing(() => PROBLEM);
    const answer = api.get('v1/stats');
    setToken('right');
    await expect(answer).rejects.toMatchObject({ status: 401 });
    expect(refusals).toEqual([]);
  });
});

describe('a service that does not answer', () => {
  afterEach(() => vi.restoreAllMocks());

  /** As a browser does that has no connection left: the request waits until it is given up. */
  function waiting() {
    const waits: number[] = [];
    const late = new AbortController();
    vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
      waits.push(ms);
      return late.signal;
    });
    const api = createApi({
      fetch: (_input, init) =>
        new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))),
      root: 'http://page/',
      session: { token: () => null },
      onUnauthorized: () => {},
    });
    const giveUp = () => late.abort(new DOMException('too late', 'TimeoutError'));
    return { api, waits, giveUp };
  }

  test('is waited for no longer than 30 s when it is asked', async () => {
    const { api, waits, giveUp } = waiting();
    const answer = api.get('v1/stats', {}, new AbortController().signal);
    giveUp();
    await expect(answer).rejects.toMatchObject({ status: 0, code: 'no_answer' });
    expect(waits).toEqual([30_000]);
  });

  test('may have done what it was told', async () => {
    const { api, waits, giveUp } = waiting();
    const error: unknown = await Promise.all([api.post('v1/pause', {}), giveUp()]).catch((reason: unknown) => reason);
    expect(waits).toEqual([300_000]);
    expect(adviceFor(error)).toContain('may have been done');
  });

  test('is not complained of by a view that has gone', async () => {
    const { api } = waiting();
    const leaving = new AbortController();
    const answer = api.get('v1/stats', {}, leaving.signal);
    leaving.abort();
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('an operation that the run is not in a phase for', () => {
  const refusal = (reason: string) =>
    new ApiError(409, 'operation_not_possible', `retry_now is not possible now: ${reason}`);

  test.each([
    ['clear_under_way', 'a clear is under way', 'in a minute'],
    ['paused_by_operator', 'paused the retries of its Dag', 'Resume the retries'],
    ['held_by_operator', 'paused the run', 'Resume the run'],
    ['limit_reached', 'the limit on retries is reached', 'limits.max_retries'],
    ['attempt_running', 'its new attempt runs', 'has moved on'],
    ['given_up', 'the run was given up', 'has moved on'],
    ['a_word_of_a_later_version', 'a word of a later version', 'has moved on'],
  ])('is told in words, with advice of its own: %s', (reason, message, advice) => {
    expect(messageOf(refusal(reason))).toContain(message);
    expect(messageOf(refusal(reason))).not.toMatch(/_/);
    expect(adviceFor(refusal(reason))).toContain(advice);
  });
});

test('"Retry now" is offered where it can be done only', () => {
  const run = { phase: 'waiting', held: null, paused: null } as const;
  expect(actionsFor(run)).toContain('retry-now');
  expect(actionsFor({ ...run, paused: {} })).not.toContain('retry-now');
  expect(actionsFor({ ...run, held: {} })).not.toContain('retry-now');
  expect(actionsFor({ ...run, phase: 'clearing' })).toEqual(['pause', 'grant', 'cancel', 'reset']);
});
