import { HttpResponse, type RequestHandler } from 'msw';
import { describe, expect, test } from 'vitest';
import type { AirflowOptions } from '../../src/orchestrator/airflow/airflow.ts';
import { useNetwork } from '../support/network.ts';
import {
  CLEARED,
  createClock,
  htmlPage,
  jwt,
  KEY,
  olderRunJson,
  on,
  open,
  PASSWORD,
  runJson,
  type Sent,
  versionHandlers,
} from './fixtures.ts';

const network = useNetwork();
const READ = '/api/v2/dags/:dag/dagRuns/:run';
const WHOLE = { mode: 'all_tasks', runOnLatestVersion: false } as const;
const HOUR = 3_600_000;

const seconds = (atMs: number) => Math.floor(atMs / 1_000);
const expired = () => HttpResponse.json({ detail: 'Token Expired' }, { status: 401 });
const rotated = () => HttpResponse.json({ detail: 'Invalid JWT token' }, { status: 403 });
const found = () => HttpResponse.json(runJson());
const clearedRun = () => HttpResponse.json(runJson(CLEARED));

/**
 * An Airflow that issues tokens of a day, numbered, and accepts those that `isGood` accepts. `logins`, `reads` and
 * `clears` note what came in.
 */
function airflow(
  options: Partial<AirflowOptions> & {
    isGood?: (token: string) => boolean;
    refuse?: () => Response;
    lifeMs?: number;
    skewMs?: number;
  } = {},
) {
  const { isGood = () => true, refuse = expired, lifeMs = 24 * HOUR, skewMs = 0, ...rest } = options;
  const clock = createClock();
  const logins: Sent[] = [];
  const reads: Sent[] = [];
  const clears: Sent[] = [];
  const issued: string[] = [];
  const checked = (answer: () => Response) => (sent: Sent) => {
    const token = sent.authorization?.replace(/^Bearer /, '') ?? '';
    return isGood(token) ? answer() : refuse();
  };
  const login = on('POST', '/auth/token', logins, () => {
    const iat = seconds(clock.nowMs() + skewMs);
    issued.push(jwt({ iat, exp: iat + seconds(lifeMs), jti: `${issued.length + 1}` }));
    return HttpResponse.json({ access_token: issued.at(-1) }, { status: 201 });
  });
  const handlers: RequestHandler[] = [
    ...versionHandlers('3.3.2'),
    login,
    on('GET', READ, reads, checked(found)),
    on('POST', `${READ}/clear`, clears, checked(clearedRun)),
  ];
  network.use(...handlers);
  return { clock, logins, reads, clears, issued, client: open({ credentials: PASSWORD, clock, ...rest }) };
}

describe('a password on Airflow 3', () => {
  test('is exchanged for a token, which then serves', async () => {
    const { client, logins, reads, issued } = airflow();
    expect(await client.observe(KEY)).toMatchObject({ type: 'found' });
    expect(await client.observe(KEY)).toMatchObject({ type: 'found' });
    const body = { username: 'dagain', password: 'p4ss: wörd/"x"' };
    expect(logins).toEqual([{ method: 'POST', path: '/auth/token', authorization: null, body }]);
    expect(reads.map((read) => read.authorization)).toEqual([`Bearer ${issued[0]}`, `Bearer ${issued[0]}`]);
  });

  test.each([
    ['a day', 24 * HOUR, 24 * HOUR - 5 * 60_000],
    ['ten minutes', 600_000, 480_000],
    ['ten seconds', 10_000, 8_000],
  ])('is shown again before a token of %s expires', async (_name, lifeMs, renewedAfterMs) => {
    const { client, clock, logins } = airflow({ lifeMs });
    await client.observe(KEY);
    clock.advance(renewedAfterMs - 1);
    await client.observe(KEY);
    expect(logins).toHaveLength(1);
    clock.advance(1);
    await client.observe(KEY);
    expect(logins).toHaveLength(2);
  });

  test.each([-HOUR, HOUR])('renews in time by a server whose clock is off by %i ms', async (skewMs) => {
    const { client, clock, logins } = airflow({ lifeMs: 600_000, skewMs });
    await client.observe(KEY);
    clock.advance(479_999);
    await client.observe(KEY);
    expect(logins).toHaveLength(1);
    clock.advance(1);
    await client.observe(KEY);
    expect(logins).toHaveLength(2);
  });

  test.each(['opaque', 'a.b.c', jwt({}), jwt({ exp: 1 }), jwt({ iat: 5, exp: 4 })])(
    'keeps a token that does not tell when it expires: %s',
    async (token) => {
      const { client, clock, reads } = airflow();
      const logins: Sent[] = [];
      network.use(on('POST', '/auth/token', logins, () => HttpResponse.json({ access_token: token }, { status: 201 })));
      await client.observe(KEY);
      clock.advance(30 * 24 * HOUR);
      await client.observe(KEY);
      expect(logins).toHaveLength(1);
      expect(reads.map((read) => read.authorization)).toEqual([`Bearer ${token}`, `Bearer ${token}`]);
    },
  );

  test('is shown by one request at a time', async () => {
    const { client, logins, reads } = airflow();
    await Promise.all(Array.from({ length: 20 }, () => client.observe(KEY)));
    expect(logins).toHaveLength(1);
    expect(reads).toHaveLength(20);
  });
});

describe('a token that is refused', () => {
  const cases = [
    ['401', expired],
    ['401 of a proxy', () => htmlPage(401)],
    ['403 for a rotated key', rotated],
  ] as const;

  test.each(cases)('by %s is renewed once, and the request sent again', async (_name, refuse) => {
    const good = { from: 1 };
    const numbered = (token: string) =>
      Number(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti);
    const { client, logins, reads, clears } = airflow({ refuse, isGood: (token) => numbered(token) >= good.from });
    await client.observe(KEY);
    good.from = 2;
    expect(await client.observe(KEY)).toMatchObject({ type: 'found' });
    expect([logins.length, reads.length]).toEqual([2, 3]);
    good.from = 3;
    expect(await client.clear(KEY, WHOLE)).toMatchObject({ type: 'accepted' });
    expect([logins.length, clears.length]).toEqual([3, 2]);
    good.from = 4;
    await Promise.all(Array.from({ length: 20 }, () => client.observe(KEY)));
    expect(logins).toHaveLength(4);
  });

  test.each(cases)('by %s twice is given up for a while', async (_name, refuse) => {
    const { client, clock, logins, reads, clears } = airflow({ refuse, isGood: () => false });
    expect(await client.observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'unauthorized' });
    expect([logins.length, reads.length]).toEqual([2, 2]);
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => client.clear(KEY, WHOLE)));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ type: 'not_applied', reason: 'unauthorized', retryAfterMs: 10_000 });
    }
    expect([logins.length, reads.length, clears.length]).toEqual([2, 2, 0]);
    clock.advance(10_000);
    expect(await client.clear(KEY, WHOLE)).toMatchObject({ type: 'not_applied', reason: 'unauthorized' });
    expect([logins.length, clears.length]).toEqual([4, 2]);
  });

  test('by 20 requests at once is given up once', async () => {
    const warnings: string[] = [];
    const log = { info() {}, warn: (_fields: unknown, message: string) => void warnings.push(message) };
    const { client, logins } = airflow({ isGood: () => false, log });
    const observations = await Promise.all(Array.from({ length: 20 }, () => client.observe(KEY)));
    for (const observation of observations) expect(observation).toMatchObject({ reason: 'unauthorized' });
    expect(logins).toHaveLength(2);
    expect(warnings).toEqual(['cannot log in to Airflow']);
  });

  test('for a Dag is not about the token', async () => {
    const forbidden = () => HttpResponse.json({ detail: 'Forbidden' }, { status: 403 });
    const { client, logins, reads } = airflow({ refuse: forbidden, isGood: () => false });
    expect(await client.observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'forbidden' });
    expect([logins.length, reads.length]).toEqual([1, 1]);
  });
});

describe('a login that fails', () => {
  test.each([
    [401, 'unauthorized'],
    [400, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'unexpected_answer'],
    [422, 'unexpected_answer'],
    [302, 'unexpected_answer'],
    [429, 'rate_limited'],
    [500, 'server_error'],
    [503, 'server_error'],
  ])('with %i leaves everything unsent: %s', async (status, reason) => {
    const { client, reads, clears } = airflow();
    network.use(on('POST', '/auth/token', [], () => HttpResponse.json({ detail: 'no' }, { status })));
    expect(await client.observe(KEY)).toMatchObject({ type: 'unavailable', reason, retryAfterMs: 1_000 });
    expect(await client.clear(KEY, WHOLE)).toMatchObject({ type: 'not_applied', reason });
    expect([reads.length, clears.length]).toEqual([0, 0]);
  });

  test.each([{}, { access_token: 5 }, { access_token: '' }, { access_token: 'a\nb' }])(
    'by the answer %j',
    async (body) => {
      const { client } = airflow();
      network.use(on('POST', '/auth/token', [], () => HttpResponse.json(body, { status: 201 })));
      expect(await client.observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
    },
  );

  test('is not repeated at once, and less and less often', async () => {
    const { client, clock } = airflow();
    const failed: Sent[] = [];
    network.use(on('POST', '/auth/token', failed, () => HttpResponse.json({}, { status: 401 })));
    const waits: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      await Promise.all(Array.from({ length: 10 }, () => client.observe(KEY)));
      expect(failed).toHaveLength(round + 1);
      const observation = await client.observe(KEY);
      const waitMs = observation.type === 'unavailable' ? (observation.retryAfterMs ?? 0) : 0;
      waits.push(waitMs);
      clock.advance(waitMs);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test('waits as long as the server asks, five minutes at most, and starts afresh after a success', async () => {
    const { client, clock, logins } = airflow({ lifeMs: 10_000 });
    const header = { value: '90' };
    const down = { is: true };
    const busy = () => HttpResponse.json({}, { status: 503, headers: { 'retry-after': header.value } });
    const failing = on('POST', '/auth/token', [], busy);
    network.use(failing);
    expect(await client.observe(KEY)).toMatchObject({ retryAfterMs: 90_000 });
    clock.advance(90_000);
    header.value = '86400';
    expect(await client.observe(KEY)).toMatchObject({ retryAfterMs: 300_000 });
    clock.advance(300_000);
    network.use(
      on('POST', '/auth/token', logins, () =>
        down.is
          ? HttpResponse.json({}, { status: 500 })
          : HttpResponse.json({ access_token: jwt({ iat: 0, exp: 10 }) }, { status: 201 }),
      ),
    );
    down.is = false;
    expect(await client.observe(KEY)).toMatchObject({ type: 'found' });
    clock.advance(8_000);
    down.is = true;
    expect(await client.observe(KEY)).toMatchObject({ type: 'unavailable', retryAfterMs: 1_000 });
  });
});

describe('Airflow 2', () => {
  test('takes the password itself, also in letters beyond ASCII', async () => {
    const sent: Sent[] = [];
    network.use(
      ...versionHandlers('2.11.2', sent),
      on('GET', '/api/v1/dags/:dag/dagRuns/:run', sent, () => HttpResponse.json(olderRunJson())),
    );
    expect(await open({ credentials: PASSWORD }).observe(KEY)).toMatchObject({ type: 'found' });
    const pair = Buffer.from('dagain:p4ss: wörd/"x"', 'utf8').toString('base64');
    expect(sent.map(({ authorization }) => authorization)).toEqual([null, null, `Basic ${pair}`]);
  });

  test.each([
    [401, 'unauthorized'],
    [403, 'forbidden'],
  ])('is asked once when it refuses the password with %i', async (status, reason) => {
    const sent: Sent[] = [];
    network.use(
      ...versionHandlers('2.11.2'),
      on('GET', '/api/v1/dags/:dag/dagRuns/:run', sent, () =>
        HttpResponse.json({ detail: null, status, title: 'Forbidden', type: 'about:blank' }, { status }),
      ),
    );
    expect(await open({ credentials: PASSWORD }).observe(KEY)).toMatchObject({ type: 'unavailable', reason });
    expect(sent).toHaveLength(1);
  });
});

describe('a given token', () => {
  function rotating(tokens: string[]) {
    const sent: Sent[] = [];
    const given: string[] = [];
    const read = async () => {
      const token = tokens.length > 1 ? (tokens.shift() ?? '') : (tokens[0] ?? '');
      given.push(token);
      return token;
    };
    return { sent, given, client: open({ credentials: { type: 'token', read } }) };
  }

  test('goes along with every request, as it is at that moment', async () => {
    const { sent, client } = rotating(['one\n', 'two', 'three']);
    network.use(...versionHandlers('3.3.2', sent), on('GET', READ, sent, found));
    await client.observe(KEY);
    await client.observe(KEY);
    expect(sent.map(({ authorization }) => authorization)).toEqual(['Bearer one', 'Bearer two', 'Bearer three']);
  });

  test('is read again when it is refused, and shown once more if it has changed', async () => {
    const { sent, client } = rotating(['old', 'old', 'new']);
    network.use(...versionHandlers('3.3.2'));
    network.use(
      on('POST', `${READ}/clear`, sent, ({ authorization }) =>
        authorization === 'Bearer new' ? clearedRun() : expired(),
      ),
    );
    expect(await client.clear(KEY, WHOLE)).toMatchObject({ type: 'accepted' });
    expect(sent.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer new']);
  });

  test('is not shown twice unchanged', async () => {
    const { sent, client } = rotating(['old']);
    network.use(...versionHandlers('3.3.2'), on('POST', `${READ}/clear`, sent, expired));
    expect(await client.clear(KEY, WHOLE)).toMatchObject({ type: 'not_applied', reason: 'unauthorized' });
    expect(sent).toHaveLength(1);
  });

  test.each(['', ' ', 'a b', 'a\nb', 'tökén'])('is never sent if it is %j', async (token) => {
    const { client } = rotating([token]);
    expect(await client.observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'unauthorized' });
  });

  test('may be unreadable for a while', async () => {
    const read = async () => Promise.reject(new Error('ENOENT: /run/secrets/token'));
    const observation = await open({ credentials: { type: 'token', read } }).observe(KEY);
    expect(observation).toMatchObject({
      type: 'unavailable',
      reason: 'unauthorized',
      detail: 'the Airflow token could not be read',
    });
  });
});
