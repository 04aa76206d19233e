import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createClient } from '@keyv/redis';
import { afterEach, describe, expect, inject, test } from 'vitest';
import type { RunStore } from '../../src/store/port.ts';
import { SWAP } from '../../src/store/redis/scripts.ts';
import { createRedisConnection, createRedisStore, type RedisConnection } from '../../src/store/redis.ts';
import { journalEntry, pauseEntry } from '../support/journal-entries.ts';
import { confirmingRecord, RUN, recordDueAt } from '../support/records.ts';
import { freePort, type RedisServer, type RedisServerOptions, startRedis } from '../support/redis-server.ts';
import { type RedisData, redisData } from '../support/store-harness.ts';

const NOW_MS = 1_800_000_000_000;
/** Well above every time-out of the connection, and far below "hangs". */
const PROMPTLY_MS = 8_000;

const unavailable = { name: 'DagainError', code: 'store_unavailable' };
const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function ownServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  cleanUps.push(() => server.stop());
  return server;
}

async function openStore(url: string, namespace = 'test'): Promise<RunStore> {
  const store = await createRedisStore({ url, namespace });
  cleanUps.push(() => store.close());
  return store;
}

async function openConnection(url: string): Promise<RedisConnection> {
  const connection = await createRedisConnection({ url, namespace: 'test' });
  cleanUps.push(() => connection.close());
  return connection;
}

/** A client of the test's own, to look at and to change the server behind the store's back. */
async function rawClient(url: string) {
  const client = createClient({ url });
  await client.connect();
  cleanUps.push(() => client.close());
  return client;
}

/** A namespace of its own on the shared server. */
async function sharedData(): Promise<{ data: RedisData; store: RunStore }> {
  const data = await redisData(inject('redisUrl'));
  cleanUps.push(() => data.dispose());
  return { data, store: await data.open() };
}

/** Every kind of call that the store has. */
function callsOf(store: RunStore): readonly (readonly [name: string, call: () => Promise<unknown>])[] {
  return [
    ['load', () => store.load(RUN)],
    ['compareAndSwap', () => store.compareAndSwap(RUN, 0, confirmingRecord())],
    ['takeDue', () => store.takeDue(NOW_MS, 5, 1_000)],
    ['list', () => store.list(null, 5)],
    ['count', () => store.count(NOW_MS)],
    ['readJournal', () => store.readJournal({ before: null, limit: 5 })],
    ['journalBegins', () => store.journalBegins()],
    ['journalHead', () => store.journalHead()],
    ['pauses', () => store.pauses()],
    ['setPause', () => store.setPause('dag', null, pauseEntry('dag', 'resume'))],
    ['ping', () => store.ping()],
    ['warnings', () => store.warnings()],
  ];
}

/** Asks again until the store answers; it reconnects by itself, at a pace of its own. */
async function untilServed<T>(call: () => Promise<T>): Promise<T> {
  const giveUpAtMs = Date.now() + 20_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (Date.now() > giveUpAtMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  await untilServed(async () => {
    if (!(await isTrue())) throw new Error('Still not so');
  });
}

/** Waits no longer than this; the call itself goes on. */
function withinMs<T>(timeoutMs: number, call: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('Too late')), timeoutMs);
  });
  return Promise.race([call, late]);
}

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return performance.now() - startedAtMs;
}

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

async function portOf(server: Server): Promise<number> {
  if (!server.listening) await once(server, 'listening');
  const address: string | AddressInfo | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('Not a TCP server');
  return address.port;
}

/** Passes bytes to and from the Redis at `target`; can break off when an answer comes, or lead elsewhere from now on. */
async function proxyTo(firstTarget: number) {
  let target = firstTarget;
  let isLosing = false;
  const sockets = new Set<Socket>();
  const stalled = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
    near.on('data', (bytes) => stalled.has(near) || far.write(bytes));
    far.on('data', (bytes) => (isLosing ? near.destroy() : near.write(bytes)));
  }).listen(0, '127.0.0.1');
  cleanUps.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: await portOf(server),
    /** What is connected now stays so, but nothing gets through any more; new connections work. */
    stall: () => {
      for (const socket of sockets) stalled.add(socket);
    },
    breakOff: () => {
      for (const socket of sockets) socket.destroy();
    },
    leadTo: (port: number) => {
      target = port;
    },
    loseAnswers: () => {
      isLosing = true;
    },
    passAnswers: () => {
      isLosing = false;
    },
  };
}

describe('Redis refuses', () => {
  test('SCRIPT FLUSH: the script is sent again by its text', async () => {
    const server = await ownServer();
    const store = await openStore(server.url);
    const client = await rawClient(server.url);
    const version = await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
    await client.scriptFlush();
    expect(await store.takeDue(NOW_MS, 5, 1_000)).toHaveLength(1);
    await client.scriptFlush();
    expect(await store.compareAndSwap(RUN, version ?? 0, null)).not.toBeNull();
    expect(await client.scriptExists(SWAP.sha1)).toEqual([1]);
  });

  test('out of memory: no write reports success, reads work, and what is due can be taken and deleted', async () => {
    const server = await ownServer({ args: ['--maxmemory-policy', 'noeviction'] });
    const store = await openStore(server.url);
    const client = await rawClient(server.url);
    const version = await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
    await client.configSet('maxmemory', '1');
    const other = { ...RUN, dagRunId: 'other' };
    const advice = { ...unavailable, message: expect.stringContaining('out of memory') };
    await expect(store.compareAndSwap(other, 0, recordDueAt(other, NOW_MS))).rejects.toMatchObject(advice);
    await expect(store.compareAndSwap(RUN, version ?? 0, recordDueAt(RUN, NOW_MS + 1))).rejects.toMatchObject(advice);
    await expect(store.ping()).rejects.toMatchObject(advice);
    expect(await store.load(other)).toBeNull();
    expect(await store.load(RUN)).toEqual({ version, value: recordDueAt(RUN, NOW_MS) });
    expect(await store.list(null, 5)).toEqual({ records: [{ version, value: recordDueAt(RUN, NOW_MS) }], next: null });
    // Only so can a full Redis be emptied.
    expect(await store.takeDue(NOW_MS, 5, 1_000)).toHaveLength(1);
    expect(await store.count(NOW_MS)).toEqual({ records: 1, due: 0 });
    expect(await store.compareAndSwap(RUN, version ?? 0, null)).not.toBeNull();
    expect(await store.count(NOW_MS)).toEqual({ records: 0, due: 0 });
  });

  test('a replica: opening works, writing says what to do', async () => {
    const server = await ownServer({ args: ['--replicaof', '127.0.0.1', String(await freePort())] });
    const store = await openStore(server.url);
    const advice = { ...unavailable, message: expect.stringContaining('primary') };
    await expect(store.compareAndSwap(RUN, 0, confirmingRecord())).rejects.toMatchObject(advice);
    await expect(store.ping()).rejects.toMatchObject(advice);
    expect(await untilServed(() => store.warnings())).toContainEqual(expect.stringContaining('replica'));
  });

  test('a replica that stays one is not stormed with new connections', async () => {
    const server = await ownServer({ args: ['--replicaof', '127.0.0.1', String(await freePort())] });
    const store = await openStore(server.url);
    const client = await rawClient(server.url);
    const connections = async () => Number(/total_connections_received:(\d+)/.exec(await client.info('stats'))?.[1]);
    const before = await connections();
    const tookMs = await elapsedMs(async () => {
      for (let round = 0; round < 50; round += 1) {
        await expect(store.ping()).rejects.toMatchObject(unavailable);
        await untilServed(() => store.load(RUN));
      }
    });
    // At most one a second.
    expect((await connections()) - before).toBeLessThanOrEqual(1 + Math.ceil(tookMs / 1_000));
  });

  test('after a failover it finds the new primary, though the old connection lives', async () => {
    const old = await ownServer();
    const next = await ownServer();
    const proxy = await proxyTo(old.port);
    const store = await openStore(`redis://127.0.0.1:${proxy.port}`);
    await store.compareAndSwap(RUN, 0, confirmingRecord());
    await (await rawClient(old.url)).sendCommand(['REPLICAOF', '127.0.0.1', String(next.port)]);
    proxy.leadTo(next.port);
    await expect(store.ping()).rejects.toMatchObject(unavailable);
    await untilServed(() => store.ping());
    expect(await store.load(RUN)).toBeNull();
  });

  test('it cannot save to disk: writing rejects and says so', async () => {
    const server = await ownServer();
    const store = await openStore(server.url);
    const client = await rawClient(server.url);
    const version = await store.compareAndSwap(RUN, 0, confirmingRecord());
    // The snapshot takes the place of a directory, which fails also for root.
    mkdirSync(join(server.dir, 'dump.rdb', 'inside'), { recursive: true });
    await client.configSet('save', '3600 1');
    await client.sendCommand(['BGSAVE']);
    await until(async () => String(await client.info('persistence')).includes('rdb_last_bgsave_status:err'));
    const advice = { ...unavailable, message: expect.stringContaining('disk') };
    await expect(store.compareAndSwap(RUN, version ?? 0, null)).rejects.toMatchObject(advice);
    expect((await store.load(RUN))?.version).toBe(version);
  });

  test.each([
    ['no password', ''],
    ['a wrong password', ':wrong@'],
  ])('%s: opening rejects, and shows no secret', async (_name, credentials) => {
    const server = await ownServer({ args: ['--requirepass', 'right-password'] });
    const url = server.url.replace('//', `//${credentials}`);
    const failure = await createRedisStore({ url, namespace: 'test' }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ ...unavailable, message: expect.stringMatching(/password/) });
    expect(String(failure)).not.toContain('wrong');
    const store = await openStore(server.url.replace('//', '//:right-password@'));
    await store.ping();
  });

  test('a user who may not use streams: no swap, and no ping says otherwise', async () => {
    const server = await ownServer();
    const store = await openStore(await forbid(server, '-@stream'));
    const advice = {
      ...unavailable,
      message: expect.stringMatching(/does not let this user do what is needed: allow/),
    };
    await expect(store.ping()).rejects.toMatchObject(advice);
    await expect(store.compareAndSwap(RUN, 0, confirmingRecord())).rejects.toMatchObject(advice);
    expect(await store.load(RUN)).toBeNull();
  });

  test('any one command that the store runs is forbidden: the ping says so', async () => {
    const server = await ownServer();
    const store = await openStore(server.url);
    const client = await rawClient(server.url);
    await client.configResetStat();
    await useAll(store);
    const commands = [...(await client.info('commandstats')).matchAll(/^cmdstat_([a-z]+)/gm)].map(
      ([, name = '']) => name,
    );
    const needed = commands.filter((name) => !NOT_NEEDED.includes(name));
    expect(needed).toEqual(expect.arrayContaining(['evalsha', 'hset', 'xadd', 'zrangebylex']));
    const served: string[] = [];
    for (const name of needed) {
      // As after a restart: what Redis has seen before it runs by its digest, and EVAL is not needed.
      await client.scriptFlush();
      const limited = await openStore(await forbid(server, `-${name}`));
      const isRefused = await limited.ping().then(
        () => false,
        (error: Error) => error.message.includes('does not let this user'),
      );
      if (!isRefused) served.push(name);
    }
    expect(served).toEqual([]);
  });

  test('a key of another type: nothing is written, and the message names the cause', async () => {
    const { data, store } = await sharedData();
    const client = await rawClient(inject('redisUrl'));
    const version = await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
    const keys = await client.keys(`{${data.namespace}:*`);
    await store.compareAndSwap(RUN, version ?? 0, null);
    expect(keys).toHaveLength(4);
    for (const key of keys) {
      await client.del(key);
      await client.lPush(key, 'not ours');
      await expect(store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS))).rejects.toMatchObject({
        code: 'store_corrupt',
        message: expect.stringContaining('DAGAIN_NAMESPACE'),
      });
      await client.del(key);
      expect(await store.list(null, 5)).toEqual({ records: [], next: null });
      expect(await store.count(NOW_MS)).toEqual({ records: 0, due: 0 });
    }
  });
});

/** What asks how Redis is set up, and what the test itself sends. */
const NOT_NEEDED = ['config', 'info', 'cluster', 'client', 'hello', 'ping'];

/** Each kind of call, with something to find: a script does more than one thing. */
async function useAll(store: RunStore): Promise<void> {
  const pause = { scope: 'dag', actor: 'ada', comment: '', atMs: NOW_MS };
  const version = await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS), [journalEntry()]);
  await store.setPause('dag', pause, pauseEntry('dag'));
  await store.setPause('dag', null, pauseEntry('dag', 'resume'));
  await store.readJournalAfter(await store.journalHead(), 5);
  await store.advanceMark('watched', NOW_MS);
  await store.readMark('watched');
  for (const [name, call] of callsOf(store)) if (name !== 'ping') await call();
  await store.compareAndSwap(RUN, version ?? 0, null, [journalEntry()]);
}

/** The address for a user of all rights but this one. */
async function forbid(server: RedisServer, rule: string): Promise<string> {
  const client = await rawClient(server.url);
  await client.sendCommand(['ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', '~*', '&*', '+@all', rule]);
  return server.url.replace('//', '//app:secret@');
}

describe('what Redis holds', () => {
  test('a record that is gone while its due time is left is reported under a lease, and can be made anew', async () => {
    const { data, store } = await sharedData();
    await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
    await data.lose(RUN);
    expect(await store.load(RUN)).toBeNull();
    const missing = { key: RUN, version: 0, problem: 'missing', detail: expect.any(String) };
    expect(await store.takeDue(NOW_MS, 10, 1_000)).toEqual([missing]);
    expect(await store.takeDue(NOW_MS, 10, 1_000)).toEqual([]);
    expect(await store.list(null, 10)).toEqual({ records: [], next: null });
    expect(await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS))).not.toBeNull();
    expect(await store.takeDue(NOW_MS, 10, 1_000)).toMatchObject([{ record: { value: { phase: 'confirming' } } }]);
  });

  test('a record that is gone can be forgotten for good', async () => {
    const { data, store } = await sharedData();
    await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
    await data.lose(RUN);
    expect(await store.compareAndSwap(RUN, 0, null)).not.toBeNull();
    expect(await store.takeDue(NOW_MS, 10, 1_000)).toEqual([]);
  });

  test.each(['junk', '0 {}', '-1 {}', '12345678901234567 {}', '9999999999999999 {}', ' {}', '7'])(
    'the value %j, without a version of ours, is reported and can be replaced',
    async (value) => {
      const { data, store } = await sharedData();
      await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
      await data.overwrite(RUN, value);
      await expect(store.load(RUN)).rejects.toMatchObject({ code: 'store_corrupt' });
      const [taken] = await store.takeDue(NOW_MS, 10, 1_000);
      expect(taken).toMatchObject({ problem: 'unreadable' });
      const version = taken !== undefined && 'version' in taken ? taken.version : 0;
      expect(await store.compareAndSwap(RUN, version + 1, confirmingRecord())).toBeNull();
      expect(await store.compareAndSwap(RUN, version, confirmingRecord())).not.toBeNull();
      expect((await store.load(RUN))?.value).toEqual(confirmingRecord());
    },
  );

  test('keys and members are where earlier releases put them', async () => {
    const { data, store } = await sharedData();
    const client = await rawClient(inject('redisUrl'));
    const version = await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
    const member = 'daily_sales\u001fscheduled__2026-01-01T00:00:00+00:00';
    const key = (name: string) => `{${data.namespace}:0}:${name}`;
    expect(await client.hGet(key('records'), member)).toBe(`${version} ${JSON.stringify(recordDueAt(RUN, NOW_MS))}`);
    expect(await client.zScore(key('due'), member)).toBe(NOW_MS);
    expect(await client.zScore(key('members'), member)).toBe(0);
    expect(await client.get(key('sequence'))).toBe(String(version));
  });

  test('versions do not come again when Redis has lost everything', async () => {
    const server = await ownServer();
    const store = await openStore(server.url);
    const before = await store.compareAndSwap(RUN, 0, confirmingRecord());
    await server.kill();
    await server.restart();
    expect(await untilServed(() => store.load(RUN))).toBeNull();
    const after = await store.compareAndSwap(RUN, 0, confirmingRecord());
    expect(after).toBeGreaterThan(before ?? 0);
    expect(await store.compareAndSwap(RUN, before ?? 0, null)).toBeNull();
  });

  test('versions grow also when the clock of Redis is behind', async () => {
    const { data, store } = await sharedData();
    const version = (await store.compareAndSwap(RUN, 0, confirmingRecord())) ?? 0;
    const ahead = version + 1_000_000_000;
    const client = await rawClient(inject('redisUrl'));
    const [sequence = ''] = await client.keys(`{${data.namespace}:*:sequence`);
    await client.set(sequence, String(ahead));
    expect(await store.compareAndSwap(RUN, version, confirmingRecord())).toBe(ahead + 1);
    expect(await store.compareAndSwap(RUN, ahead + 1, confirmingRecord())).toBe(ahead + 2);
  });

  test('of a run that ended nothing is left but the sequence of versions', async () => {
    const { data, store } = await sharedData();
    const client = await rawClient(inject('redisUrl'));
    const version = await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
    expect(await client.keys(`{${data.namespace}:*`)).toHaveLength(4);
    await store.compareAndSwap(RUN, version ?? 0, null);
    expect(await client.keys(`{${data.namespace}:*`)).toEqual([expect.stringMatching(/:sequence$/)]);
  });

  test('namespaces do not see each other', async () => {
    const first = await sharedData();
    const second = await sharedData();
    await first.store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
    expect(await second.store.load(RUN)).toBeNull();
    expect(await second.store.takeDue(NOW_MS, 10, 1_000)).toEqual([]);
  });

  test.each(['', 'a b', '{a}', 'a}', 'x'.repeat(101)])('the namespace %j is refused', async (namespace) => {
    const opening = createRedisStore({ url: inject('redisUrl'), namespace });
    await expect(opening).rejects.toMatchObject({ code: 'configuration_invalid' });
    const connection = await openConnection(inject('redisUrl'));
    await expect(createRedisStore({ connection, namespace })).rejects.toMatchObject({ code: 'configuration_invalid' });
  });

  test.each(['', 'localhost', 'http://host', 'redis://user:secret@host/name', 'redis://:%zz@host'])(
    'the URL %j is refused without showing it',
    async (url) => {
      const failure = await createRedisStore({ url, namespace: 'test' }).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: 'configuration_invalid' });
      expect(failure).not.toHaveProperty('cause');
      expect(String(failure)).not.toContain('secret');
    },
  );
});

describe('Redis Cluster', () => {
  test('on a cluster node every command keeps to one slot', async () => {
    const server = await ownServer({ args: ['--cluster-enabled', 'yes'] });
    const client = await rawClient(server.url);
    await client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
    await until(async () => String(await client.sendCommand(['CLUSTER', 'INFO'])).includes('cluster_state:ok'));
    const store = await openStore(server.url);
    const keys = Array.from({ length: 100 }, (_, at) => ({ dagId: `dag{${at}}`, dagRunId: '{x}' }));
    await Promise.all(keys.map((key) => store.compareAndSwap(key, 0, recordDueAt(key, NOW_MS))));
    expect((await store.list(null, 200)).records).toHaveLength(100);
    const taken = await store.takeDue(NOW_MS, 200, 1_000);
    expect(taken).toHaveLength(100);
    const slots = await slotsByShard(client);
    expect(slots.size).toBe(16);
    for (const [shard, shardSlots] of slots) expect(shardSlots.size, shard).toBe(1);
    expect(new Set([...slots.values()].flatMap((shardSlots) => [...shardSlots])).size).toBe(16);
  });

  test('a cluster of several nodes is refused in words', async () => {
    const first = await ownServer({ args: ['--cluster-enabled', 'yes'] });
    const second = await ownServer({ args: ['--cluster-enabled', 'yes'] });
    const client = await rawClient(first.url);
    const other = await rawClient(second.url);
    await client.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '8191']);
    await other.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '8192', '16383']);
    await client.sendCommand(['CLUSTER', 'MEET', '127.0.0.1', String(second.port)]);
    await until(async () => /cluster_size:2/.test(String(await client.sendCommand(['CLUSTER', 'INFO']))));
    await expect(createRedisStore({ url: first.url, namespace: 'test' })).rejects.toMatchObject({
      code: 'store_unsupported',
      message: expect.stringContaining('cluster'),
    });
  });
});

async function slotsByShard(client: Awaited<ReturnType<typeof rawClient>>): Promise<Map<string, Set<number>>> {
  const slots = new Map<string, Set<number>>();
  for (const key of await client.keys('*')) {
    const shard = key.slice(0, key.indexOf('}'));
    const slot = Number(await client.sendCommand(['CLUSTER', 'KEYSLOT', key]));
    slots.set(shard, (slots.get(shard) ?? new Set()).add(slot));
  }
  return slots;
}

describe('warnings', () => {
  const AOF = ['--appendonly', 'yes'];

  test.each([
    ['safe settings', [...AOF, '--maxmemory', '100mb', '--maxmemory-policy', 'noeviction'], []],
    ['eviction of keys that expire only', [...AOF, '--maxmemory', '100mb', '--maxmemory-policy', 'volatile-lru'], []],
    ['eviction', [...AOF, '--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'], [/forgets runs.*allkeys-lru/]],
    ['eviction without a limit', [...AOF, '--maxmemory-policy', 'allkeys-lfu'], [/would forget runs.*allkeys-lfu/]],
    ['no persistence', [], [/keeps nothing on disk.*appendonly/]],
    ['snapshots only', ['--save', '3600 1 60 1000'], [/only takes snapshots \(save 3600 1 60 1000\).*appendonly/]],
    ['a log that the kernel writes when it likes', [...AOF, '--appendfsync', 'no'], [/appendfsync/]],
  ])('%s', async (_name, args, expected) => {
    const server = await ownServer({ args });
    const store = await openStore(server.url);
    const warnings = await store.warnings();
    expect(warnings).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
    for (const warning of warnings) expect(warning).toMatch(/^Redis .*\.$/);
  });

  test.each([
    ['CONFIG', ['-config'], 'allkeys-lru', [/forgets runs/, /no append-only file/, /CONFIG GET.*could not be checked/]],
    ['INFO', ['-info'], 'noeviction', [/keeps nothing on disk/, /INFO.*could not be checked/]],
    ['CONFIG and INFO', ['-config', '-info'], 'allkeys-lru', [/neither.*could not be checked/]],
  ])('where %s is forbidden they say what is not known', async (_name, rules, policy, expected) => {
    const server = await ownServer({ args: ['--maxmemory', '100mb', '--maxmemory-policy', policy] });
    const client = await rawClient(server.url);
    await client.sendCommand(['ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', ...rules]);
    const store = await openStore(server.url.replace('//', '//app:secret@'));
    expect(await store.warnings()).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  });
});

describe('a shared connection', () => {
  test('stores on it work, and outlive each other', async () => {
    const connection = await openConnection(inject('redisUrl'));
    const first = await createRedisStore({ connection, namespace: 'shared-1' });
    const second = await createRedisStore({ connection, namespace: 'shared-2' });
    await first.close();
    await expect(first.ping()).rejects.toMatchObject(unavailable);
    await second.ping();
    await connection.close();
    await expect(second.ping()).rejects.toMatchObject(unavailable);
  });

  test('caches keep what they are given under a namespace of their own', async () => {
    const connection = await openConnection(inject('redisUrl'));
    await connection.keyv('tokens').set('airflow', { token: 'abc' }, 60_000);
    expect(await connection.keyv('tokens').get('airflow')).toEqual({ token: 'abc' });
    expect(await connection.keyv('tags').get('airflow')).toBeUndefined();
    expect(connection.keyv('tokens')).toBe(connection.keyv('tokens'));
    expect(await connection.client.exists('test:cache:tokens::airflow')).toBe(1);
    await connection.keyv('tokens').delete('airflow');
  });

  test('an outage is an error of the cache too, and its end is noticed', async () => {
    const server = await ownServer();
    const connection = await openConnection(server.url);
    const cache = connection.keyv('tokens');
    await cache.set('airflow', 'abc');
    await server.kill();
    await expect(cache.get('airflow')).rejects.toThrow();
    await expect(cache.set('airflow', 'def')).rejects.toThrow();
    await server.restart();
    expect(await untilServed(() => cache.get('airflow'))).toBeUndefined();
  });

  test('the log hears of each outage once, and of its end', async () => {
    const server = await ownServer();
    const lines: string[] = [];
    const log = (fields: object, message: string) => {
      lines.push(message);
      expect(JSON.stringify(fields)).not.toContain('secret');
    };
    const url = server.url.replace('//', '//default:secret@');
    const connection = await createRedisConnection({ url, namespace: 'test', log: { info: log, warn: log } });
    cleanUps.push(() => connection.close());
    for (let round = 0; round < 2; round += 1) {
      await server.kill();
      await expect(connection.send(['PING'])).rejects.toMatchObject(unavailable);
      await server.restart();
      await untilServed(() => connection.send(['PING']));
    }
    const outage = ['Redis is out of reach; connecting again', 'Redis is back'];
    expect(lines).toEqual([...outage, ...outage]);
  });
});
