import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createClient } from '@keyv/redis';
import { afterEach, inject } from 'vitest';
import type { RunStore } from '../../src/store/port.ts';
import { createRedisConnection, createRedisStore, type RedisConnection } from '../../src/store/redis.ts';
import { pauseEntry } from '../support/journal-entries.ts';
import { confirmingRecord, RUN } from '../support/records.ts';
import { type RedisServer, type RedisServerOptions, startRedis } from '../support/redis-server.ts';
import { type RedisData, redisData } from '../support/store-harness.ts';

export const NOW_MS = 1_800_000_000_000;
/** Well above every time-out of the connection, and far below "hangs". */
export const PROMPTLY_MS = 8_000;

export const unavailable = { name: 'DagainError', code: 'store_unavailable' };
export const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

export async function ownServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await startRedis(options);
  cleanUps.push(() => server.stop());
  return server;
}

export async function openStore(url: string, namespace = 'test'): Promise<RunStore> {
  const store = await createRedisStore({ url, namespace });
  cleanUps.push(() => store.close());
  return store;
}

export async function openConnection(url: string): Promise<RedisConnection> {
  const connection = await createRedisConnection({ url, namespace: 'test' });
  cleanUps.push(() => connection.close());
  return connection;
}

/** A client of the test's own, to look at and to change the server behind the store's back. */
export async function rawClient(url: string) {
  const client = createClient({ url });
  await client.connect();
  cleanUps.push(() => client.close());
  return client;
}

/** A namespace of its own on the shared server. */
export async function sharedData(): Promise<{ data: RedisData; store: RunStore }> {
  const data = await redisData(inject('redisUrl'));
  cleanUps.push(() => data.dispose());
  return { data, store: await data.open() };
}

/** Every kind of call that the store has. */
export function callsOf(store: RunStore): readonly (readonly [name: string, call: () => Promise<unknown>])[] {
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
export async function untilServed<T>(call: () => Promise<T>): Promise<T> {
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

export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  await untilServed(async () => {
    if (!(await isTrue())) throw new Error('Still not so');
  });
}

/** Waits no longer than this; the call itself goes on. */
export function withinMs<T>(timeoutMs: number, call: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('Too late')), timeoutMs);
  });
  return Promise.race([call, late]);
}

export async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = performance.now();
  await work();
  return performance.now() - startedAtMs;
}

export async function portOf(server: Server): Promise<number> {
  if (!server.listening) await once(server, 'listening');
  const address: string | AddressInfo | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('Not a TCP server');
  return address.port;
}

/** Passes bytes to and from the Redis at `target`; can break off when an answer comes, or lead elsewhere from now on. */
export async function proxyTo(firstTarget: number) {
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
