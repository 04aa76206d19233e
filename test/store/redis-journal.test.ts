import { createClient } from '@keyv/redis';
import { afterEach, describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/core/journal.ts';
import type { RunStore } from '../../src/store/port.ts';
import { JOURNAL_MAX_AGE_MS, JOURNAL_MAX_ENTRIES } from '../../src/store/port.ts';
import { memberOf, pauseKeys, SHARD_COUNT, shardKeys, shardOf } from '../../src/store/redis/layout.ts';
import { createRedisStore } from '../../src/store/redis.ts';
import { encodeEntry } from '../../src/store/stored-entry.ts';
import { journalEntry, pauseEntry } from '../support/journal-entries.ts';
import { RUN, recordDueAt } from '../support/records.ts';
import { type RedisServerOptions, startRedis } from '../support/redis-server.ts';

const NOW_MS = 1_800_000_000_000;
const NAMESPACE = 'test';
const KEYS = shardKeys(NAMESPACE)[shardOf(memberOf(RUN))] ?? { journal: '', records: '', due: '', members: '' };
const PAUSE = { scope: '*', actor: 'ada', comment: '', atMs: NOW_MS };
const MAX_IN_SHARD = JOURNAL_MAX_ENTRIES / SHARD_COUNT;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A server of the test's own, a store on it, and a client to look behind its back. */
async function open(options: RedisServerOptions = {}) {
  const server = await startRedis(options);
  cleanUps.push(() => server.stop());
  const client = createClient({ url: server.url });
  await client.connect();
  cleanUps.push(() => client.close());
  return { server, client, store: await openStore(server.url) };
}

async function openStore(url: string): Promise<RunStore> {
  const store = await createRedisStore({ url, namespace: NAMESPACE });
  cleanUps.push(() => store.close());
  return store;
}

const read = async (store: RunStore) => (await store.readJournal({ before: null, limit: 50 })).entries;

describe('what is kept', () => {
  test('a shard drops its oldest entries beyond its part of the whole', async () => {
    const { store, client } = await open();
    const filling = client.multi();
    for (let number = 0; number < MAX_IN_SHARD + 2_000; number += 1) filling.xAdd(KEYS.journal, '*', { e: '{}' });
    await filling.exec();
    await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS), [journalEntry()]);
    const length = await client.xLen(KEYS.journal);
    expect(length).toBeLessThanOrEqual(MAX_IN_SHARD);
    expect(length).toBeGreaterThan(MAX_IN_SHARD * 0.9);
    expect(await read(store)).toHaveLength(1);
  });

  test('it is whole from the oldest entry of a full shard on, whatever the others hold', async () => {
    const { store, client } = await open();
    const other = shardKeys(NAMESPACE).find(({ journal }) => journal !== KEYS.journal)?.journal ?? '';
    await client.xAdd(other, '1-0', { e: encodeEntry(journalEntry({ atMs: NOW_MS - 9_000 })) });
    const fill = async (journal: string, count: number, textOf: (number: number) => string) => {
      const filling = client.multi();
      for (let number = 0; number < count; number += 1) filling.xAdd(journal, '*', { e: textOf(number) });
      await filling.exec();
    };
    const textAt = (number: number) => encodeEntry(journalEntry({ atMs: NOW_MS + number }));
    await fill(KEYS.journal, MAX_IN_SHARD - 200, textAt);
    expect(await store.journalBegins()).toBeNull();
    await fill(KEYS.journal, 2_000, (number) => textAt(MAX_IN_SHARD - 200 + number));
    await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS), [journalEntry()]);
    const [oldest] = await client.xRange(KEYS.journal, '-', '+', { COUNT: 1 });
    expect(oldest?.message['e']).not.toBe(textAt(0));
    const beginsMs = (await store.journalBegins()) ?? 0;
    expect(textAt(beginsMs - NOW_MS)).toBe(oldest?.message['e']);
    // Of what cannot be read, Redis still knows the time.
    await fill(other, MAX_IN_SHARD, () => '{}');
    await client.xDel(other, '1-0');
    const [first] = await client.xRange(other, '-', '+', { COUNT: 1 });
    expect(await store.journalBegins()).toBe(Math.max(beginsMs, Number(first?.id.split('-')[0])));
  });

  test('what is too old by the clock of Redis goes with the next entry', async () => {
    const { store, client } = await open();
    const oldestMs = Date.now() - JOURNAL_MAX_AGE_MS;
    for (const atMs of [oldestMs - 120_000, oldestMs - 60_000, oldestMs + 60_000]) {
      await client.xAdd(KEYS.journal, `${atMs}-0`, { e: JSON.stringify(journalEntry({ atMs })) });
    }
    expect(await read(store)).toHaveLength(3);
    await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS), [journalEntry()]);
    expect((await read(store)).map(({ entry }) => entry.atMs)).toEqual([NOW_MS, oldestMs + 60_000]);
  });

  test('a Redis that an older release has filled goes on, and gets a journal', async () => {
    const { store, client } = await open();
    const version = await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS));
    expect(await client.exists([KEYS.journal, pauseKeys(NAMESPACE).pauses])).toBe(0);
    expect(await store.pauses()).toEqual([]);
    expect(await read(store)).toEqual([]);
    expect(await store.compareAndSwap(RUN, version ?? 0, null, [journalEntry()])).not.toBeNull();
    expect(await read(store)).toHaveLength(1);
  });
});

test('the entries of one run are found among thousands of others in its shard', async () => {
  const { store, client } = await open();
  const add = async (entry: JournalEntry, count = 1) => {
    const adding = client.multi();
    for (let number = 0; number < count; number += 1) adding.xAdd(KEYS.journal, '*', { e: encodeEntry(entry) });
    await adding.exec();
  };
  await add(journalEntry({ reason: 'oldest' }));
  await add(journalEntry({ dagRunId: 'other', comment: JSON.stringify(RUN.dagRunId) }), 1_700);
  await add(journalEntry({ reason: 'middle' }));
  await add(journalEntry({ dagId: 'other' }), 700);
  await add(journalEntry({ reason: 'newest' }));
  const first = await store.readJournal({ before: null, limit: 2, key: RUN });
  expect(first.entries.map(({ entry }) => entry.reason)).toEqual(['newest', 'middle']);
  const second = await store.readJournal({ before: first.next, limit: 2, key: RUN });
  expect(second.entries.map(({ entry }) => entry.reason)).toEqual(['oldest']);
  expect(second.next).toBeNull();
});

describe('out of memory', () => {
  async function openFull() {
    const opened = await open({ args: ['--maxmemory-policy', 'noeviction'] });
    const version = await opened.store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS), [journalEntry()]);
    await opened.client.configSet('maxmemory', '1');
    return { ...opened, version: version ?? 0 };
  }
  const advice = { code: 'store_unavailable', message: expect.stringContaining('out of memory') };

  test('a change is refused whole, its entry too', async () => {
    const { store, version } = await openFull();
    const change = store.compareAndSwap(RUN, version, recordDueAt(RUN, NOW_MS + 1), [journalEntry({ reason: 'no' })]);
    await expect(change).rejects.toMatchObject(advice);
    expect(await store.load(RUN)).toEqual({ version, value: recordDueAt(RUN, NOW_MS) });
    expect(await read(store)).toHaveLength(1);
  });

  test('a run ends whole, its entry too', async () => {
    const { store, version } = await openFull();
    expect(await store.compareAndSwap(RUN, version, null, [journalEntry({ type: 'ended' })])).not.toBeNull();
    expect(await store.count(NOW_MS)).toEqual({ records: 0, due: 0 });
    expect((await read(store)).map(({ entry }) => entry.type)).toEqual(['ended', 'failed']);
  });

  test('everything can be paused and resumed', async () => {
    const { store } = await openFull();
    expect(await store.setPause('*', PAUSE, pauseEntry(null))).toBe(true);
    expect(await store.pauses()).toEqual([PAUSE]);
    expect(await store.setPause('*', null, pauseEntry(null, 'resume'))).toBe(true);
    expect(await store.pauses()).toEqual([]);
  });
});

describe('a journal that cannot be written changes nothing', () => {
  test.each(['-xadd', '-xlen', '-xtrim -xadd'])('because the user may not: %s', async (rules) => {
    const { store, client, server } = await open();
    const version = (await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS))) ?? 0;
    const allowed = ['on', '>secret', '~*', '&*', '+@all', ...rules.split(' ')];
    await client.sendCommand(['ACL', 'SETUSER', 'app', ...allowed]);
    const limited = await openStore(server.url.replace('//', '//app:secret@'));
    for (const next of [recordDueAt(RUN, NOW_MS + 1), null]) {
      const change = limited.compareAndSwap(RUN, version, next, [journalEntry()]);
      await expect(change).rejects.toMatchObject({ code: 'store_unavailable' });
    }
    await expect(limited.setPause('*', PAUSE, pauseEntry(null))).rejects.toThrow();
    expect(await store.load(RUN)).toEqual({ version, value: recordDueAt(RUN, NOW_MS) });
    expect(await store.count(NOW_MS)).toEqual({ records: 1, due: 1 });
    expect(await store.pauses()).toEqual([]);
  });

  test('because its key holds something else', async () => {
    const { store, client } = await open();
    const version = (await store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS))) ?? 0;
    await client.set(KEYS.journal, 'text');
    for (const next of [recordDueAt(RUN, NOW_MS + 1), null]) {
      const change = store.compareAndSwap(RUN, version, next, [journalEntry()]);
      await expect(change).rejects.toMatchObject({ code: 'store_corrupt' });
    }
    expect(await store.load(RUN)).toEqual({ version, value: recordDueAt(RUN, NOW_MS) });
    await client.set(pauseKeys(NAMESPACE).journal, 'text');
    await expect(store.setPause('*', PAUSE, pauseEntry(null))).rejects.toMatchObject({ code: 'store_corrupt' });
    expect(await store.pauses()).toEqual([]);
  });

  test('a Redis that cannot drop by age takes entries all the same', async () => {
    const { store, client, server } = await open();
    await client.sendCommand(['ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', '-xtrim']);
    const limited = await openStore(server.url.replace('//', '//app:secret@'));
    const version = await limited.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS), [journalEntry()]);
    expect(await store.load(RUN)).toMatchObject({ version });
    expect(await read(store)).toHaveLength(1);
  });
});
