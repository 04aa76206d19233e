import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import type { RunStore } from '../../src/store/port.ts';
import { SWAP } from '../../src/store/redis/scripts.ts';
import { createRedisStore } from '../../src/store/redis.ts';
import { freePort } from '../support/free-port.ts';
import { journalEntry, pauseEntry } from '../support/journal-entries.ts';
import { confirmingRecord, RUN, recordDueAt } from '../support/records.ts';
import type { RedisServer } from '../support/redis-server.ts';
import {
  callsOf,
  elapsedMs,
  NOW_MS,
  openStore,
  ownServer,
  proxyTo,
  rawClient,
  sharedData,
  unavailable,
  until,
  untilServed,
} from './redis-tools.ts';

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
