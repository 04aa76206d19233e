import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createHttpServer } from '../../src/http/server.ts';
import { ANSWER, createFakeLog, type Got, type Serving, type ServingOptions, serve, TASK_FAILED } from './serve.ts';
import { talk } from './wire.ts';

let http: Serving | null = null;
afterEach(async () => {
  await http?.close();
  http = null;
});

async function serving(options: ServingOptions = {}): Promise<Serving> {
  http = await serve(options);
  return http;
}

/** An intake that answers when it is told to; `asked` resolves when the report is there. */
function withheld(serving: Serving): { asked: Promise<void>; release: () => void } {
  const report = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  serving.intake.answer = async () => {
    report.resolve();
    await answer.promise;
    return ANSWER;
  };
  return { asked: report.promise, release: answer.resolve };
}

/** Whether a promise has settled by the time that all that is ready has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol('pending');
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

describe('closing', () => {
  test('finishes what is in flight, tells its caller to go, and takes nothing more', async () => {
    const running = await serving();
    const { asked, release } = withheld(running);
    const answer: Promise<Got> = running.post('/v1/callbacks/task-failed', TASK_FAILED);
    await asked;
    const closed = running.server.close();
    expect(running.server.isClosing()).toBe(true);
    expect(await isSettled(closed)).toBe(false);
    expect(await refusesConnections(running.port)).toBe(true);
    release();
    expect(await answer).toMatchObject({ status: 202, headers: { connection: 'close' } });
    await closed;
  });

  test('closes connections on which nothing happens, used or not', async () => {
    const running = await serving({ graceMs: 60_000 });
    await running.get('/livez');
    const unused = connect({ port: running.port, host: '127.0.0.1' });
    const isGone = new Promise((resolve) => unused.on('close', resolve));
    unused.on('error', () => {});
    await new Promise((resolve) => unused.once('connect', resolve));
    await running.get('/livez');
    await running.server.close();
    await isGone;
  });

  test('waits no longer than its grace', async () => {
    const running = await serving({ graceMs: 50 });
    const { asked, release } = withheld(running);
    const answer = running.post('/v1/callbacks/task-failed', TASK_FAILED).catch((error: Error) => error);
    await asked;
    await running.server.close();
    expect(await answer).toBeInstanceOf(Error);
    release();
  });

  test('does not wait for a request whose headers never end', async () => {
    const running = await serving({ graceMs: 50 });
    const talking = talk(running.port, ['GET /livez HTTP/1.1\r\n', 10_000]);
    await running.get('/livez');
    await running.server.close();
    expect((await talking).statuses).toEqual([]);
  });

  test('answers a request that was already on its way, and tells its caller to go', async () => {
    const running = await serving();
    const talking = talk(running.port, ['GET /livez HTTP/1.1\r\n', 100, 'Host: x\r\n\r\n']);
    await running.get('/livez');
    await running.server.close();
    const { statuses, text } = await talking;
    expect(statuses).toEqual([200]);
    expect(text).toContain('Connection: close');
  });

  test('may be asked for twice, and before listening', async () => {
    const running = await serving();
    await Promise.all([running.server.close(), running.server.close()]);
    const app = () => {};
    const idle = createHttpServer({ app, host: '127.0.0.1', port: 0, log: createFakeLog() });
    await idle.close();
  });
});

test('an address that is taken rejects', async () => {
  const running = await serving();
  const second = createHttpServer({ app: () => {}, host: '127.0.0.1', port: running.port, log: createFakeLog() });
  await expect(second.listen()).rejects.toThrow('EADDRINUSE');
});

test('headers may be no larger than allowed', async () => {
  const running = await serving({ limits: { maxHeaderBytes: 1_024 } });
  const request = (size: number) =>
    `GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\nA: ${'a'.repeat(size)}\r\n\r\n`;
  expect((await talk(running.port, [request(500)])).statuses).toEqual([200]);
  expect((await talk(running.port, [request(1_500)])).statuses).toEqual([431]);
});

describe('no more connections are held than allowed', () => {
  const GET = 'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

  async function hold(port: number, text: string) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    const isGone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await new Promise((resolve) => socket.once('connect', resolve));
    if (text !== '') socket.write(text);
    return { socket: socket.resume(), isGone };
  }

  test.each([
    ['that brought nothing', ''],
    ['whose headers never end', 'GET /livez HTTP/1.1\r\n'],
    ['whose body never ends', `POST /v1/callbacks/task-failed HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{`],
  ])('the oldest %s makes room for who has something to say', async (_what, text) => {
    const running = await serving({ limits: { maxConnections: 2 } });
    const [oldest, newer] = [await hold(running.port, text), await hold(running.port, text)];
    expect((await talk(running.port, [20, GET])).statuses).toEqual([200]);
    await oldest.isGone;
    expect(newer.socket.destroyed).toBe(false);
    newer.socket.destroy();
  });

  test('who waits for an answer keeps the place, and the next one is refused', async () => {
    const running = await serving({ limits: { maxConnections: 1 } });
    const { asked, release } = withheld(running);
    const answer = running.post('/v1/callbacks/task-failed', TASK_FAILED);
    await asked;
    expect((await talk(running.port, [GET])).text).toBe('');
    release();
    expect((await answer).status).toBe(202);
  });
});

test('a connection is used for a bounded number of requests', async () => {
  const running = await serving({ limits: { maxRequestsPerConnection: 2 } });
  const request = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n';
  const { text, statuses } = await talk(running.port, [request, 20, request], { limitMs: 100 });
  expect(statuses).toEqual([200, 200]);
  expect(text.match(/Connection: close/gi)).toHaveLength(1);
});

function refusesConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => resolve(true));
    socket.on('connect', () => {
      socket.destroy();
      resolve(false);
    });
  });
}
