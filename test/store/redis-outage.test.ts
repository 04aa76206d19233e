import { createServer, type Socket } from 'node:net';
import { describe, expect, inject, test } from 'vitest';
import { createRedisStore } from '../../src/store/redis.ts';
import { freePort } from '../support/free-port.ts';
import { confirmingRecord, RUN, recordDueAt } from '../support/records.ts';
import {
  callsOf,
  cleanUps,
  elapsedMs,
  NOW_MS,
  openConnection,
  openStore,
  ownServer,
  PROMPTLY_MS,
  portOf,
  proxyTo,
  rawClient,
  unavailable,
  until,
  untilServed,
  withinMs,
} from './redis-tools.ts';

describe('an outage is an error, never "no record"', () => {
  test('the server is killed: every call rejects, and the store comes back with it', async () => {
    const server = await ownServer({ appendonly: true, args: ['--appendfsync', 'always'] });
    const store = await openStore(server.url);
    const version = await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
    await server.kill();
    for (const [, call] of callsOf(store)) await expect(call()).rejects.toMatchObject(unavailable);
    await until(() =>
      store.ping().then(
        () => false,
        (error: unknown) => /ECONNREFUSED/.test(String(error)),
      ),
    );
    await server.restart();
    expect(await untilServed(() => store.load(RUN))).toEqual({ version, value: recordDueAt(RUN, NOW_MS) });
    expect(await store.takeDue(NOW_MS, 5, 1_000)).toHaveLength(1);
  });

  test('killed with commands under way: each one rejects or has told the truth', async () => {
    const server = await ownServer({ appendonly: true, args: ['--appendfsync', 'always'] });
    const store = await openStore(server.url);
    const keys = Array.from({ length: 300 }, (_, at) => ({ dagId: 'dag', dagRunId: `run-${at}` }));
    const writes = keys.map((key) => store.compareAndSwap(key, 0, recordDueAt(key, NOW_MS)));
    await Promise.race(writes);
    await server.kill();
    const outcomes = await Promise.allSettled(writes);
    await server.restart();
    await untilServed(() => store.ping());
    for (const [at, key] of keys.entries()) {
      const outcome = outcomes[at];
      // A write that was not acknowledged may have happened, or not.
      if (outcome?.status === 'fulfilled') expect((await store.load(key))?.version).toBe(outcome.value);
      else expect(outcome?.reason).toMatchObject(unavailable);
    }
  });

  test('the server is frozen: calls reject within the time-out, also while more keep coming', async () => {
    const server = await ownServer();
    cleanUps.push(async () => server.thaw());
    const store = await openStore(server.url);
    await store.ping();
    server.freeze();
    let isOver = false;
    // Writing keeps a socket's own time-out from firing.
    const traffic = (async () => {
      while (!isOver) {
        store.ping().catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    // The first call waits for its time-out; after it there is no connection, and the others reject at once.
    const took = await elapsedMs(async () => {
      for (const [name, call] of callsOf(store)) await expect(call(), name).rejects.toMatchObject(unavailable);
    });
    expect(took).toBeLessThan(PROMPTLY_MS);
    server.thaw();
    await untilServed(() => store.ping());
    isOver = true;
    await traffic;
    expect(await store.load(RUN)).toBeNull();
  });

  test('the server is frozen and nobody calls: closing does not hang', async () => {
    const server = await ownServer();
    cleanUps.push(async () => server.thaw());
    const store = await openStore(server.url);
    server.freeze();
    const write = store.compareAndSwap(RUN, 0, confirmingRecord());
    const took = await elapsedMs(() => Promise.all([expect(write).rejects.toMatchObject(unavailable), store.close()]));
    expect(took).toBeLessThan(PROMPTLY_MS);
  });

  test('a caller that is busy for long takes the answer that came meanwhile', async () => {
    const store = await openStore(inject('redisUrl'), 'busy-caller');
    await store.ping();
    const answer = store.load(RUN);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    // Longer than the time-out of a command: as on a machine that was suspended.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000);
    expect(await answer).toBeNull();
  });

  test('nothing listens: opening rejects and says where', async () => {
    const port = await freePort();
    const took = await elapsedMs(() =>
      expect(createRedisStore({ url: `redis://127.0.0.1:${port}`, namespace: 'test' })).rejects.toMatchObject({
        ...unavailable,
        message: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}.*ECONNREFUSED`)),
        cause: expect.anything(),
      }),
    );
    expect(took).toBeLessThan(PROMPTLY_MS);
  });

  test('something listens and never answers: opening rejects', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    cleanUps.push(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const port = await portOf(server);
    const took = await elapsedMs(() =>
      expect(createRedisStore({ url: `redis://127.0.0.1:${port}`, namespace: 'test' })).rejects.toMatchObject(
        unavailable,
      ),
    );
    expect(took).toBeLessThan(PROMPTLY_MS);
  });

  test('a connection that leads nowhere is replaced, however much is written to it', async () => {
    const server = await ownServer();
    const proxy = await proxyTo(server.port);
    const store = await openStore(`redis://127.0.0.1:${proxy.port}`);
    const version = await store.compareAndSwap(RUN, 0, confirmingRecord());
    proxy.stall();
    // Asks every 20 ms, which keeps the socket from timing out by itself.
    expect((await untilServed(() => withinMs(200, store.load(RUN))))?.version).toBe(version);
  });

  test('closing while the server is away ends the attempts to connect', async () => {
    const server = await ownServer();
    const connection = await openConnection(server.url);
    await server.kill();
    await expect(connection.send(['PING'])).rejects.toMatchObject(unavailable);
    await connection.close();
    await until(() => !connection.client.isOpen);
  });

  test('closing just when it connects again leaves no connection behind', async () => {
    const server = await ownServer();
    const proxy = await proxyTo(server.port);
    const connection = await openConnection(`redis://127.0.0.1:${proxy.port}`);
    const closing = new Promise<void>((resolve) => {
      connection.client.once('reconnecting', () => resolve(connection.close()));
    });
    proxy.breakOff();
    await closing;
    await until(() => !connection.client.isOpen);
    const observer = await rawClient(server.url);
    const clients = async () =>
      String(await observer.sendCommand(['CLIENT', 'LIST']))
        .trim()
        .split('\n').length;
    // Time enough for a connection that nobody keeps track of to appear.
    for (let look = 0; look < 200; look += 1) await clients();
    expect(await clients()).toBe(1);
  });
});

describe('a command is sent once', () => {
  test('a swap whose answer is lost rejects and is not sent again', async () => {
    const server = await ownServer();
    const proxy = await proxyTo(server.port);
    const store = await openStore(`redis://127.0.0.1:${proxy.port}`);
    // Not a ping, which runs a script of its own.
    await store.load(RUN);
    proxy.loseAnswers();
    await expect(store.compareAndSwap(RUN, 0, confirmingRecord())).rejects.toMatchObject(unavailable);
    proxy.passAnswers();
    await untilServed(() => store.load(RUN));
    const client = await rawClient(server.url);
    const stats = String(await client.sendCommand(['INFO', 'commandstats']));
    // Sent once by its digest (NOSCRIPT), or once by its text: both count, neither twice.
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)).toBeLessThanOrEqual(1);
    expect(Number(/cmdstat_eval:calls=(\d+)/.exec(stats)?.[1] ?? 0)).toBeLessThanOrEqual(1);
  });

  test('the swap that was applied without an answer is found by reading again', async () => {
    const server = await ownServer();
    const proxy = await proxyTo(server.port);
    const store = await openStore(`redis://127.0.0.1:${proxy.port}`);
    const version = await store.compareAndSwap(RUN, 0, confirmingRecord({ checks: 1 }));
    proxy.loseAnswers();
    const next = confirmingRecord({ checks: 2 });
    await expect(store.compareAndSwap(RUN, version ?? 0, next)).rejects.toMatchObject(unavailable);
    proxy.passAnswers();
    const found = await untilServed(() => store.load(RUN));
    expect(found?.value).toEqual(next);
    expect(await store.compareAndSwap(RUN, version ?? 0, next)).toBeNull();
  });
});
