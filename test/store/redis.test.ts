import { describe, expect, inject, test } from 'vitest';
import { createRedisConnection, createRedisStore } from '../../src/store/redis.ts';
import { confirmingRecord, RUN, recordDueAt } from '../support/records.ts';
import {
  cleanUps,
  NOW_MS,
  openConnection,
  openStore,
  ownServer,
  rawClient,
  sharedData,
  unavailable,
  until,
  untilServed,
} from './redis-tools.ts';

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
