import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { readEvents, type ServerEvent } from '../../src/cli/service/event-stream.ts';
import { dagain } from './run.ts';

// What a real service does too seldom to be waited for: many pages, runs that come in between, names that are attacks.

interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly body: unknown;
}
type Answer = readonly [status: number, body: object];

let server: Server | null = null;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
  server = null;
});

async function fake(answer: (asked: Asked) => Answer): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const url = new URL(request.url ?? '', 'http://fake');
    const one = { method: request.method ?? '', url, body: text === '' ? null : JSON.parse(text) };
    asked.push(one);
    const [status, body] = answer(one);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked };
}

const run = (id: string, more: object = {}) => ({
  dag_id: 'etl',
  dag_run_id: id,
  phase: 'waiting',
  attempt: 1,
  retries_used: 0,
  max_retries: 2,
  due_at: null,
  next_look_at: null,
  failure_class: null,
  held: null,
  paused: null,
  shadow: false,
  airflow_url: null,
  first_failed_at: null,
  reason: null,
  pending_alerts: 0,
  last_failure: null,
  ...more,
});
const runs = (from: number, count: number) => Array.from({ length: count }, (_, n) => run(`r${from + n}`));

describe('lists of many pages', () => {
  const pages: Record<string, object> = {
    '': { runs: runs(0, 500), next_cursor: 'a' },
    // A page may hold fewer than asked for, also none, in the middle.
    a: { runs: [], next_cursor: 'b' },
    b: { runs: runs(500, 100), next_cursor: 'c' },
    c: { runs: runs(600, 7), next_cursor: null },
  };
  const service = () =>
    fake(({ url }) => {
      const page = pages[url.searchParams.get('cursor') ?? ''];
      return page === undefined ? [404, {}] : [200, page];
    });

  test('are one document', async () => {
    const { url, asked } = await service();
    const { code, out } = await dagain(['runs', 'list', '-o', 'json'], { DAGAIN_URL: url });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ runs: runs(0, 607), next_cursor: null });
    expect(asked.map((one) => one.url.searchParams.get('limit'))).toEqual(['500', '500', '500', '500']);
  });

  test('end at the limit, with the cursor of what follows', async () => {
    const { url, asked } = await service();
    const { out } = await dagain(['runs', 'list', '-o', 'json', '--limit', '600'], { DAGAIN_URL: url });
    expect(JSON.parse(out)).toEqual({ runs: runs(0, 600), next_cursor: 'c' });
    expect(asked.map((one) => one.url.searchParams.get('limit'))).toEqual(['500', '100', '100']);
  });
});

describe('runs that come while somebody acts on many', () => {
  const view = (matched: number, isDryRun: boolean) => ({
    ...{ dry_run: isDryRun, matched, changed: matched, is_complete: true },
    outcomes: [{ decision: 'held', reason: 'held_by_operator', count: matched }],
    sample: [],
  });

  test('are shown before they are acted on', async () => {
    let matched = 2;
    const { url, asked } = await fake(({ body }) => {
      const { dry_run, max_runs } = body as { dry_run: boolean; max_runs: number };
      if (dry_run) return [200, view(matched, true)];
      if (max_runs === 2) {
        matched = 3;
        return [409, { code: 'more_runs_than_expected', detail: '3 runs match' }];
      }
      return [200, view(matched, false)];
    });
    const { code, out, err } = await dagain(['runs', 'pause', '--all', '--yes'], { DAGAIN_URL: url });
    expect([code, err]).toEqual([0, 'dagain: more runs match by now; nothing was done, this is how it is now\n']);
    expect(out).toMatch(
      /pause would change 2 runs of 2:[\s\S]*pause would change 3 runs of 3:[\s\S]*3 runs of 3 changed\n$/,
    );
    const sent = asked.map(({ body }) => body as { dry_run: boolean; max_runs: number });
    expect(sent.map(({ dry_run, max_runs }) => [dry_run, max_runs])).toEqual([
      [true, 1_000_000],
      [false, 2],
      [true, 1_000_000],
      [false, 3],
    ]);
  });

  test('and more than one call takes are told of', async () => {
    const { url, asked } = await fake(({ body }) => {
      const { dry_run } = body as { dry_run: boolean };
      return [200, { ...view(10_000, dry_run), matched: 12_000, is_complete: false }];
    });
    const { code, out, err } = await dagain(['runs', 'pause', '--all', '--yes'], { DAGAIN_URL: url });
    expect([code, err]).toEqual([0, 'dagain: more than 10000 runs match; the others are as they were\n']);
    expect(out).toMatch(/pause would change 10000 runs of 12000:[\s\S]*pause: 10000 runs of 12000 changed\n$/);
    expect(asked.map(({ body }) => (body as { max_runs: number }).max_runs)).toEqual([1_000_000, 12_000]);
  });
});

test('names that are attacks are shown without what they do, and sent as data', async () => {
  const evil = '\u001b[2J\u001b]0;pwned\u0007';
  const { url, asked } = await fake(({ method }) =>
    method === 'POST'
      ? [409, { code: 'operation_not_possible', detail: `No.${evil}\n\u202e` }]
      : [200, { runs: [run(`r${evil}`, { reason: evil })], next_cursor: null }],
  );
  const listed = await dagain(['runs', 'list'], { DAGAIN_URL: url });
  const refused = await dagain(['runs', 'pause', 'a b&c', 'x;y+z=1', '--comment', evil], { DAGAIN_URL: url });
  expect([listed.code, refused.code]).toEqual([0, 3]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  for (const { out, err } of [listed, refused]) expect(out + err).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  expect(asked.at(-1)?.url.pathname).toBe('/v1/runs/a%20b%26c/x%3By%2Bz%3D1/pause');
});

test('a token that no header can hold is never shown', async () => {
  const { code, out, err } = await dagain(['runs', 'list'], {
    DAGAIN_URL: 'http://127.0.0.1:1',
    DAGAIN_OPERATOR_TOKEN: 'geheim-süß-0001',
  });
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(/^dagain: DAGAIN_OPERATOR_TOKEN must hold no blanks/);
  expect(err).not.toContain('geheim');
});

describe('server-sent events', () => {
  async function read(...chunks: readonly string[]): Promise<ServerEvent[]> {
    async function* bytes() {
      for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
    }
    const events: ServerEvent[] = [];
    for await (const event of readEvents(bytes())) events.push(event);
    return events;
  }

  test('are read whole, however they are cut, and comments are passed over', async () => {
    const text = 'event: hello\ndata: {"a":1}\n\n: ping\n\nevent: changed\r\ndata:x\r\ndata: y\r\n\r\ndata: z\n\n';
    const whole = [
      { event: 'hello', data: '{"a":1}' },
      { event: 'changed', data: 'x\ny' },
      { event: 'message', data: 'z' },
    ];
    expect(await read(text)).toEqual(whole);
    expect(await read(...text)).toEqual(whole);
  });

  test('are not taken in without end', async () => {
    await expect(read('data: ', ...Array.from({ length: 6 }, () => 'x'.repeat(1_000_000)))).rejects.toThrow(/too long/);
  });

  test('of which the end is missing do not count', async () => {
    expect(await read('event: hello\ndata: 1\n')).toEqual([]);
  });
});
