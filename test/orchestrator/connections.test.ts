import { Agent } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import type { AirflowOptions } from '../../src/orchestrator/airflow/airflow.ts';
import type { Orchestrator } from '../../src/orchestrator/port.ts';
import { CLEARED, KEY, open, runJson } from './fixtures.ts';
import { type RealServer, type Seen, sendRun, startServer } from './real-server.ts';

// Real sockets: what a broken connection, half an answer or none proves is decided below what msw can imitate.

const WHOLE = { mode: 'all_tasks', runOnLatestVersion: false } as const;
const opened: Array<{ close(): Promise<unknown> }> = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((resource) => resource.close()));
});

async function serve(answer: (seen: Seen) => void): Promise<RealServer> {
  const server = await startServer(answer);
  opened.unshift(server);
  return server;
}

function connect(server: RealServer, options: Partial<AirflowOptions> = {}): Orchestrator {
  const airflow = open({ url: server.url, ...options });
  opened.push(airflow);
  return airflow;
}

const head = (length: number) =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
const brokenAnswers: ReadonlyArray<[string, string, (seen: Seen) => void]> = [
  ['closed', 'unreachable', ({ socket }) => socket.destroy()],
  ['reset', 'unreachable', ({ socket }) => socket.resetAndDestroy()],
  ['ended', 'unreachable', ({ socket }) => socket.end()],
  ['cut in the head', 'unreachable', ({ socket }) => socket.end('HTTP/1.1 200 OK\r\ncontent-ty')],
  ['cut in the body', 'unreachable', ({ socket }) => socket.end(`${head(1000)}{"dag_id":`)],
  [
    'reset in the body',
    'unreachable',
    ({ socket }) => socket.write(`${head(1000)}{"dag`, () => socket.resetAndDestroy()),
  ],
  ['not HTTP', 'unexpected_answer', ({ socket }) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')],
];

describe('a lost answer', () => {
  test.each(brokenAnswers)(
    'to a clear leaves its outcome unknown, and it is sent once: %s',
    async (_name, reason, answer) => {
      const server = await serve(answer);
      expect(await connect(server).clear(KEY, WHOLE)).toMatchObject({ type: 'unknown', reason });
      expect(server.methods).toEqual(['POST']);
    },
  );

  test.each(brokenAnswers.slice(0, 6))('to a read is asked for once more: %s', async (_name, _reason, answer) => {
    const server = await serve((seen) => (seen.nth === 1 ? answer(seen) : sendRun(seen.response)));
    expect(await connect(server).observe(KEY)).toMatchObject({ type: 'found' });
    expect(server.methods).toEqual(['GET', 'GET']);
  });

  test.each(brokenAnswers)('to a read is given up after two: %s', async (_name, reason, answer) => {
    const server = await serve(answer);
    expect(await connect(server).observe(KEY)).toMatchObject({ type: 'unavailable', reason });
    expect(server.methods.length).toBeLessThanOrEqual(2);
  });
});

describe('a connection that was kept', () => {
  // As a server does whose keep-alive time-out ends just when the next request arrives.
  const closeWhenUsedAgain = () => {
    const used = new WeakSet<object>();
    return ({ socket, response, request }: Seen) => {
      if (used.has(socket)) return socket.destroy();
      used.add(socket);
      return sendRun(response, request.method === 'POST' ? CLEARED : {});
    };
  };

  test('may be gone for a read, which is then sent over another', async () => {
    const server = await serve(closeWhenUsedAgain());
    const airflow = connect(server);
    for (let read = 0; read < 4; read += 1) expect(await airflow.observe(KEY)).toMatchObject({ type: 'found' });
    expect(server.methods).toHaveLength(6);
  });

  test('is never used for a clear', async () => {
    const server = await serve(closeWhenUsedAgain());
    const airflow = connect(server);
    for (let round = 0; round < 3; round += 1) {
      await airflow.observe(KEY);
      expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'accepted', run: { state: 'queued' } });
    }
    expect(server.methods.filter((method) => method === 'POST')).toHaveLength(3);
  });

  test('leaves a clear unknown when a given dispatcher keeps it, and is sent once', async () => {
    const server = await serve(closeWhenUsedAgain());
    const dispatcher = new Agent({ allowH2: false, connections: 1 });
    opened.push(dispatcher);
    const airflow = connect(server, { dispatcher });
    await airflow.observe(KEY);
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'unknown', reason: 'unreachable' });
    expect(server.methods).toEqual(['GET', 'POST']);
  });
});

describe('no answer in time', () => {
  const hangs: ReadonlyArray<[string, (seen: Seen) => void]> = [
    ['none at all', () => {}],
    ['a head without an end', ({ socket }) => socket.write('HTTP/1.1 200 OK\r\n')],
    ['a body without an end', ({ socket }) => socket.write(`${head(1000)}{"dag`)],
    [
      'a body that drips',
      ({ socket }) => {
        socket.write(head(1_000_000));
        const timer = setInterval(() => socket.write(' '), 10);
        socket.on('close', () => clearInterval(timer)).on('error', () => clearInterval(timer));
      },
    ],
  ];

  test.each(hangs)('is timed_out, and a clear unknown: %s', async (_name, answer) => {
    const server = await serve(answer);
    const airflow = connect(server, { requestTimeoutMs: 300 });
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'unknown', reason: 'timed_out' });
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'timed_out' });
    expect(server.methods).toEqual(['POST', 'GET']);
  });
});

describe('no connection', () => {
  test('means that a clear was not applied', async () => {
    const server = await serve(({ response }) => sendRun(response));
    const airflow = connect(server);
    await airflow.observe(KEY);
    await server.close();
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'not_applied', reason: 'unreachable' });
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'unreachable' });
    expect(await airflow.health()).toMatchObject({ type: 'unavailable', reason: 'unreachable' });
  });

  test('to a host that does not exist', async () => {
    const airflow = open({ url: 'http://airflow.invalid' });
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'not_applied', reason: 'unreachable' });
    await airflow.close();
  });

  test('after closing, which rejects nothing', async () => {
    const server = await serve(({ response }) => sendRun(response));
    const airflow = connect(server);
    await airflow.observe(KEY);
    await airflow.close();
    expect(await airflow.observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'unreachable' });
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ reason: 'unreachable' });
    expect(server.methods).toEqual(['GET']);
  });

  test('leaves a given dispatcher open', async () => {
    const server = await serve(({ response }) => sendRun(response));
    const dispatcher = new Agent();
    opened.push(dispatcher);
    await connect(server, { dispatcher }).close();
    expect(await connect(server, { dispatcher }).observe(KEY)).toMatchObject({ type: 'found' });
  });
});

describe('an enormous answer', () => {
  const flood = (status: number) => {
    const sent = { bytes: 0 };
    const answer = ({ response }: Seen) => {
      const chunk = Buffer.alloc(256 * 1024, ' ');
      response.writeHead(status, { 'content-type': 'application/json' });
      const more = () => {
        while (!response.destroyed && sent.bytes < 2 ** 30) {
          sent.bytes += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
      };
      more();
    };
    return { sent, answer };
  };

  test('is not taken in', async () => {
    const { sent, answer } = flood(200);
    const airflow = connect(await serve(answer));
    const observation = await airflow.observe(KEY);
    expect(observation).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
    expect(observation).toHaveProperty('detail', expect.stringContaining('more than 5242880 bytes'));
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type: 'unknown', reason: 'unexpected_answer' });
    expect(sent.bytes).toBeLessThan(2 ** 27);
  });

  test.each([
    [500, 'unknown', 'server_error'],
    [429, 'not_applied', 'rate_limited'],
  ])('still counts by its status: %i', async (status, type, reason) => {
    const airflow = connect(await serve(flood(status).answer));
    expect(await airflow.clear(KEY, WHOLE)).toMatchObject({ type, reason });
  });
});

describe('a redirect', () => {
  test.each([301, 302, 303, 307, 308])(
    'with %i is not followed, and its target is named without what it holds',
    async (status) => {
      const target = await serve(({ response }) => sendRun(response));
      const location = `${target.url.replace('//', '//user:hunter2@')}/login?next=hunter2`;
      const server = await serve(({ response }) => response.writeHead(status, { location }).end());
      const airflow = connect(server, { credentials: { type: 'token', read: async () => 'sesame' } });
      const observation = await airflow.observe(KEY);
      expect(observation).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
      expect(observation).toHaveProperty('detail', expect.stringContaining(`a redirect to ${target.url},`));
      const outcome = await airflow.clear(KEY, WHOLE);
      expect(outcome).toMatchObject({ type: 'unknown', reason: 'unexpected_answer' });
      expect(JSON.stringify([observation, outcome])).not.toMatch(/hunter2|sesame/);
      expect(target.methods).toEqual([]);
    },
  );

  test('to nowhere is no better', async () => {
    const server = await serve(({ response }) => response.writeHead(302, { location: 'http://[' }).end());
    expect(await connect(server).observe(KEY)).toHaveProperty('detail', expect.stringContaining('an unknown place'));
  });
});

test.each(['text/plain', 'text/html', 'application/jsonp', ''])(
  'a run is not read from an answer of type %j',
  async (type) => {
    const server = await serve(({ response }) => {
      response.writeHead(200, type === '' ? {} : { 'content-type': type }).end(JSON.stringify(runJson()));
    });
    expect(await connect(server).observe(KEY)).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
  },
);

test('problem+json is JSON', async () => {
  const server = await serve(({ response }) => {
    response.writeHead(403, { 'content-type': 'application/problem+json' }).end('{"title":"Forbidden","detail":null}');
  });
  expect(await connect(server).observe(KEY)).toHaveProperty(
    'detail',
    expect.stringMatching(/answered 403: Forbidden$/),
  );
});

test('a big answer in many pieces is read', async () => {
  const server = await serve(({ response }) => sendRun(response, { conf: { text: 'ä'.repeat(2 ** 21) } }));
  expect(await connect(server).observe(KEY)).toMatchObject({ type: 'found' });
});
