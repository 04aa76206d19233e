import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dueAtOf, keyOf, type RunRecord } from '../../src/core/record.ts';
import type { RunKey } from '../../src/core/run-key.ts';
import type { RunStore, TakenRun } from '../../src/store/port.ts';
import { ALERT, confirmingRecord, RUN, recordDueAt, recordsOfAllPhases, waitingRecord } from '../support/records.ts';
import { type StoreData, storeHarnesses } from '../support/store-harness.ts';

const NOW_MS = 1_800_000_000_000;
const LEASE_MS = 30_000;

describe.each(storeHarnesses)('RunStore contract: $name', ({ create }) => {
  let data: StoreData;
  let store: RunStore;

  beforeEach(async () => {
    data = await create();
    store = await data.open();
  });
  afterEach(() => data.dispose());

  function run(number: number): RunKey {
    return { dagId: 'dag', dagRunId: `run-${String(number).padStart(4, '0')}` };
  }

  /** Stores `record` in place of whatever is there. */
  async function put(record: RunRecord): Promise<number> {
    const current = await store.load(keyOf(record));
    const version = await store.compareAndSwap(keyOf(record), current?.version ?? 0, record);
    if (version === null) throw new Error('Another writer is at work');
    return version;
  }

  describe('load and compareAndSwap', () => {
    test('a run that was never stored is null', async () => {
      expect(await store.load(RUN)).toBeNull();
    });

    test.each(recordsOfAllPhases())('what is stored is read again: $phase', async (record) => {
      const version = await store.compareAndSwap(RUN, 0, record);
      expect(version).toBeGreaterThan(0);
      expect(await store.load(RUN)).toEqual({ version, value: record });
    });

    test('text of any kind survives', async () => {
      const message = 'line\nbreak, "quotes", \\, \u0000, \ud800, 😀, é, ';
      const record = confirmingRecord({ override: { max_retries: 3, nested: { message } } });
      await store.compareAndSwap(RUN, 0, record);
      expect((await store.load(RUN))?.value).toEqual(record);
    });

    test.each([
      ['a newer version', (version: number) => version + 1],
      ['an older version', (version: number) => version - 1],
      ['absence', () => 0],
    ])('expecting %s changes nothing', async (_name, wrong) => {
      const version = await put(recordDueAt(RUN, NOW_MS));
      expect(await store.compareAndSwap(RUN, wrong(version), recordDueAt(RUN, NOW_MS + 5_000))).toBeNull();
      expect(await store.compareAndSwap(RUN, wrong(version), null)).toBeNull();
      expect(await store.load(RUN)).toEqual({ version, value: recordDueAt(RUN, NOW_MS) });
      expect(await store.count(NOW_MS)).toEqual({ records: 1, due: 1 });
    });

    test('expecting a version of a run that is absent creates nothing', async () => {
      expect(await store.compareAndSwap(RUN, 7, recordDueAt(RUN, NOW_MS))).toBeNull();
      expect(await store.load(RUN)).toBeNull();
      expect(await store.count(NOW_MS)).toEqual({ records: 0, due: 0 });
    });

    test('deleting takes the record out of every index', async () => {
      const version = await put(recordDueAt(RUN, NOW_MS));
      expect(await store.compareAndSwap(RUN, version, null)).toBeGreaterThan(version);
      expect(await store.load(RUN)).toBeNull();
      expect(await store.count(NOW_MS)).toEqual({ records: 0, due: 0 });
      expect(await store.takeDue(NOW_MS, 10, LEASE_MS)).toEqual([]);
      expect(await store.list(null, 10)).toEqual({ records: [], next: null });
    });

    test('deleting what is absent succeeds', async () => {
      expect(await store.compareAndSwap(RUN, 0, null)).not.toBeNull();
      expect(await store.load(RUN)).toBeNull();
    });

    test('no version of a run comes twice, also not after its deletion', async () => {
      const versions: number[] = [];
      for (let round = 0; round < 5; round += 1) {
        const created = await put(recordDueAt(RUN, NOW_MS));
        const changed = await put(recordDueAt(RUN, NOW_MS + 1));
        const deleted = await store.compareAndSwap(RUN, changed, null);
        versions.push(created, changed, deleted ?? 0);
        // Whoever still holds a version from before the deletion loses.
        await put(recordDueAt(RUN, NOW_MS));
        for (const stale of versions) expect(await store.compareAndSwap(RUN, stale, null)).toBeNull();
        versions.push(await put(recordDueAt(RUN, NOW_MS + 2)));
        await store.compareAndSwap(RUN, versions.at(-1) ?? 0, null);
      }
      expect(new Set(versions).size).toBe(versions.length);
      expect(versions).toEqual([...versions].sort((a, b) => a - b));
    });

    test('a record of another run is refused before anything is written', async () => {
      await expect(store.compareAndSwap(run(1), 0, recordDueAt(run(2), NOW_MS))).rejects.toThrow(/run-0002/);
      expect(await store.count(NOW_MS)).toEqual({ records: 0, due: 0 });
    });

    test('a record that could not be read again is refused before anything is written', async () => {
      const broken = { ...recordDueAt(RUN, NOW_MS), attempt: Number.NaN };
      await expect(store.compareAndSwap(RUN, 0, broken)).rejects.toThrow(/attempt/);
      expect(await store.load(RUN)).toBeNull();
    });
  });

  describe('many writers', () => {
    const WRITERS = 16;

    async function race(attempt: (writer: number) => Promise<number | null>): Promise<number[]> {
      const won = await Promise.all(Array.from({ length: WRITERS }, (_, writer) => attempt(writer)));
      return won.flatMap((version, writer) => (version === null ? [] : [writer]));
    }

    test('of those who create a run, exactly one wins', async () => {
      const stores = [store, await data.open(), await data.open()];
      const winners = await race(
        async (writer) =>
          (await stores[writer % 3]?.compareAndSwap(RUN, 0, confirmingRecord({ checks: writer }))) ?? null,
      );
      expect(winners).toHaveLength(1);
      expect((await store.load(RUN))?.value).toMatchObject({ checks: winners[0] });
    });

    test('of those who change one version, exactly one wins', async () => {
      const stores = [store, await data.open(), await data.open()];
      const version = await put(confirmingRecord());
      const winners = await race(
        async (writer) =>
          (await stores[writer % 3]?.compareAndSwap(RUN, version, confirmingRecord({ checks: writer }))) ?? null,
      );
      expect(winners).toHaveLength(1);
      expect((await store.load(RUN))?.value).toMatchObject({ checks: winners[0] });
    });

    test('of those who change or delete one version, exactly one wins', async () => {
      const stores = [store, await data.open()];
      for (let round = 0; round < 10; round += 1) {
        const version = await put(confirmingRecord());
        const winners = await race(
          async (writer) =>
            (await stores[writer % 2]?.compareAndSwap(
              RUN,
              version,
              writer % 4 < 2 ? null : confirmingRecord({ checks: writer }),
            )) ?? null,
        );
        expect(winners).toHaveLength(1);
        const winner = winners[0] ?? 0;
        expect((await store.load(RUN))?.value.phase).toBe(winner % 4 < 2 ? undefined : 'confirming');
      }
    });

    test('read, change, swap from many stores at once loses no change', async () => {
      const stores = await Promise.all(Array.from({ length: 4 }, () => data.open()));
      await put(confirmingRecord({ checks: 0 }));
      const increment = async (by: RunStore): Promise<void> => {
        const current = await by.load(RUN);
        if (current?.value.phase !== 'confirming') throw new Error('The record is gone');
        const next = { ...current.value, checks: current.value.checks + 1 };
        if ((await by.compareAndSwap(RUN, current.version, next)) === null) await increment(by);
      };
      await Promise.all(stores.flatMap((by) => Array.from({ length: 10 }, () => increment(by))));
      expect((await store.load(RUN))?.value).toMatchObject({ checks: 40 });
    });
  });

  describe('takeDue', () => {
    const keysOf = (taken: readonly TakenRun[]) => taken.map(({ key }) => key.dagRunId);

    test('takes the most overdue first, up to the limit, and leaves the rest for the next call', async () => {
      // Neither the order of creation nor that of ids is the order of due times.
      const order = Array.from({ length: 60 }, (_, number) => ({
        key: run((number * 37) % 60),
        dueAtMs: NOW_MS - 60 + number,
      }));
      for (const { key, dueAtMs } of [...order].reverse()) await put(recordDueAt(key, dueAtMs));
      const expected = order.map(({ key }) => key.dagRunId);
      expect(keysOf(await store.takeDue(NOW_MS, 1, LEASE_MS))).toEqual(expected.slice(0, 1));
      expect(keysOf(await store.takeDue(NOW_MS, 25, LEASE_MS))).toEqual(expected.slice(1, 26));
      expect(keysOf(await store.takeDue(NOW_MS, 100, LEASE_MS))).toEqual(expected.slice(26));
      expect(await store.takeDue(NOW_MS, 100, LEASE_MS)).toEqual([]);
    });

    test('what is due at the same time comes in the order of ids', async () => {
      for (const number of [3, 1, 2]) await put(recordDueAt(run(number), NOW_MS));
      expect(keysOf(await store.takeDue(NOW_MS, 10, LEASE_MS))).toEqual(['run-0001', 'run-0002', 'run-0003']);
    });

    test('gives the record and its version, fit for a swap', async () => {
      const version = await put(recordDueAt(RUN, NOW_MS));
      const [taken] = await store.takeDue(NOW_MS, 10, LEASE_MS);
      expect(taken).toEqual({ key: RUN, record: { version, value: recordDueAt(RUN, NOW_MS) } });
      expect(await store.compareAndSwap(RUN, version, null)).not.toBeNull();
    });

    test('a run is due at its time and not a millisecond before', async () => {
      await put(recordDueAt(RUN, NOW_MS));
      expect(await store.takeDue(NOW_MS - 1, 10, LEASE_MS)).toEqual([]);
      expect(await store.takeDue(NOW_MS, 10, LEASE_MS)).toHaveLength(1);
    });

    test('a lease hides the run until it ends, and does not change the record', async () => {
      const version = await put(recordDueAt(RUN, NOW_MS));
      await store.takeDue(NOW_MS, 10, LEASE_MS);
      expect(await store.load(RUN)).toEqual({ version, value: recordDueAt(RUN, NOW_MS) });
      expect(await store.count(NOW_MS)).toEqual({ records: 1, due: 0 });
      expect(await store.takeDue(NOW_MS + LEASE_MS - 1, 10, LEASE_MS)).toEqual([]);
      expect(await store.takeDue(NOW_MS + LEASE_MS, 10, LEASE_MS)).toHaveLength(1);
      expect(await store.takeDue(NOW_MS + LEASE_MS, 10, LEASE_MS)).toEqual([]);
    });

    test('any swap ends the lease: the same value makes the run due again', async () => {
      const version = await put(recordDueAt(RUN, NOW_MS));
      await store.takeDue(NOW_MS, 10, LEASE_MS);
      await store.compareAndSwap(RUN, version, recordDueAt(RUN, NOW_MS));
      expect(await store.takeDue(NOW_MS, 10, LEASE_MS)).toHaveLength(1);
    });

    test('a swap during the lease sets the due time it carries, later or earlier than the lease', async () => {
      await put(recordDueAt(RUN, NOW_MS));
      await store.takeDue(NOW_MS, 10, LEASE_MS);
      await put(recordDueAt(RUN, NOW_MS + 2 * LEASE_MS));
      expect(await store.takeDue(NOW_MS + LEASE_MS, 10, LEASE_MS)).toEqual([]);
      expect(await store.takeDue(NOW_MS + 2 * LEASE_MS, 10, LEASE_MS)).toHaveLength(1);
    });

    test('a lost swap leaves the lease as it is', async () => {
      const version = await put(recordDueAt(RUN, NOW_MS));
      await store.takeDue(NOW_MS, 10, LEASE_MS);
      await store.compareAndSwap(RUN, version + 1, recordDueAt(RUN, NOW_MS));
      expect(await store.takeDue(NOW_MS, 10, LEASE_MS)).toEqual([]);
    });

    test('a held record is never due, until it is released', async () => {
      await put(recordDueAt(RUN, null));
      expect(await store.count(Number.MAX_SAFE_INTEGER)).toEqual({ records: 1, due: 0 });
      expect(await store.takeDue(Number.MAX_SAFE_INTEGER, 10, LEASE_MS)).toEqual([]);
      await put(recordDueAt(RUN, NOW_MS));
      expect(await store.takeDue(NOW_MS, 10, LEASE_MS)).toHaveLength(1);
      await put(recordDueAt(RUN, null));
      expect(await store.takeDue(Number.MAX_SAFE_INTEGER, 10, LEASE_MS)).toEqual([]);
    });

    test('an unsent alert makes a record due before its phase does, also while it is held', async () => {
      const outbox = [
        { ...ALERT, nextTryAtMs: NOW_MS + 20 },
        { ...ALERT, channel: 'second', nextTryAtMs: NOW_MS + 10 },
      ];
      await put(waitingRecord({ ...run(1), dueAtMs: NOW_MS + 100, outbox }));
      await put(waitingRecord({ ...run(2), outbox, held: { actor: 'a', comment: '', atMs: NOW_MS } }));
      expect(await store.takeDue(NOW_MS + 9, 10, LEASE_MS)).toEqual([]);
      expect(await store.takeDue(NOW_MS + 10, 10, LEASE_MS)).toHaveLength(2);
    });

    test.each([0, -1])('a limit of %i takes nothing', async (limit) => {
      for (const number of [1, 2, 3]) await put(recordDueAt(run(number), NOW_MS));
      expect(await store.takeDue(NOW_MS, limit, LEASE_MS)).toEqual([]);
      expect(await store.count(NOW_MS)).toEqual({ records: 3, due: 3 });
    });

    test('of many takers no two get the same run, none gets more than its limit, and all runs are taken', async () => {
      const RUNS = 120;
      const LIMIT = 7;
      await Promise.all(Array.from({ length: RUNS }, (_, number) => put(recordDueAt(run(number), NOW_MS - number))));
      const stores = await Promise.all(Array.from({ length: 4 }, () => data.open()));
      const taken: string[] = [];
      while ((await store.count(NOW_MS)).due > 0) {
        const rounds = stores.flatMap((taker) => [
          taker.takeDue(NOW_MS, LIMIT, LEASE_MS),
          taker.takeDue(NOW_MS, LIMIT, LEASE_MS),
        ]);
        for (const batch of await Promise.all(rounds)) {
          expect(batch.length).toBeLessThanOrEqual(LIMIT);
          taken.push(...keysOf(batch));
        }
      }
      expect(new Set(taken).size).toBe(RUNS);
      expect(taken).toHaveLength(RUNS);
    });
  });

  describe('values that are lost or cannot be read', () => {
    const UNREADABLE: readonly (readonly [name: string, text: string])[] = [
      ['no JSON', '{"schema": 1, '],
      ['nothing', ''],
      ['JSON of another shape', '{"schema":1,"phase":"confirming"}'],
      ['a schema of the future', JSON.stringify({ ...confirmingRecord(), schema: 2 })],
      ['the record of another run', JSON.stringify(confirmingRecord({ dagRunId: 'another' }))],
    ];

    test.each(UNREADABLE)(
      '%s: load rejects, taking reports it under a lease, a swap repairs it',
      async (_name, text) => {
        const version = await put(recordDueAt(RUN, NOW_MS));
        await data.corrupt(RUN, text);
        await expect(store.load(RUN)).rejects.toMatchObject({ name: 'DagainError', code: 'store_corrupt' });
        const taken = await store.takeDue(NOW_MS, 10, LEASE_MS);
        expect(taken).toEqual([
          { key: RUN, version, problem: 'unreadable', detail: expect.stringContaining('daily_sales') },
        ]);
        expect(await store.takeDue(NOW_MS, 10, LEASE_MS)).toEqual([]);
        expect(await store.count(NOW_MS)).toEqual({ records: 1, due: 0 });
        expect(await store.compareAndSwap(RUN, 0, confirmingRecord())).toBeNull();
        expect(await store.compareAndSwap(RUN, version, confirmingRecord())).not.toBeNull();
        expect((await store.load(RUN))?.value).toEqual(confirmingRecord());
      },
    );

    test('an unreadable record can be deleted', async () => {
      const version = await put(recordDueAt(RUN, NOW_MS));
      await data.corrupt(RUN, 'junk');
      expect(await store.compareAndSwap(RUN, version, null)).not.toBeNull();
      expect(await store.load(RUN)).toBeNull();
    });

    test('a page skips what cannot be read and goes on after it', async () => {
      for (const number of [1, 2, 3]) await put(recordDueAt(run(number), NOW_MS));
      await data.corrupt(run(2), 'junk');
      const first = await store.list(null, 2);
      expect(first.records.map(({ value }) => value.dagRunId)).toEqual(['run-0001']);
      const second = await store.list(first.next, 2);
      expect(second.records.map(({ value }) => value.dagRunId)).toEqual(['run-0003']);
      expect(second.next).toBeNull();
    });
  });

  describe('list and count', () => {
    // Sorted by UTF-8 bytes of the Dag id, then of the run id.
    const SORTED: readonly RunKey[] = [
      ['a', 'scheduled__2026-01-01T00:00:00+00:00'],
      ['a', 'scheduled__2026-01-01T00:00:00.5+00:00'],
      ['a b', 'x'],
      ['a!', 'x'],
      ['a.b', 'x'],
      ['a:b', 'x'],
      ['aa', 'x'],
      ['b', '1'],
      ['b', '10'],
      ['b', '2'],
      ['b{1}', '*'],
      ['z', 'x'],
      ['é', 'x'],
      ['漢', 'x'],
      // U+FF21 sorts before U+1F600 by bytes, after it by UTF-16 code units.
      ['\uff21', 'x'],
      ['😀', 'x'],
    ].map(([dagId = '', dagRunId = '']) => ({ dagId, dagRunId }));

    const idsOf = (records: readonly { value: RunRecord }[]) => records.map(({ value }) => keyOf(value));

    async function pages(limit: number): Promise<RunKey[]> {
      const all: RunKey[] = [];
      let after: RunKey | null = null;
      do {
        const page = await store.list(after, limit);
        expect(page.records.length).toBeLessThanOrEqual(limit);
        all.push(...idsOf(page.records));
        after = page.next;
      } while (after !== null);
      return all;
    }

    test('nothing stored: one empty page', async () => {
      expect(await store.list(null, 10)).toEqual({ records: [], next: null });
      expect(await store.count(NOW_MS)).toEqual({ records: 0, due: 0 });
    });

    test.each([1, 2, 3, 5, 15, 16, 17])('pages of %i hold everything once, sorted by bytes', async (limit) => {
      for (const key of [...SORTED].reverse()) await put(recordDueAt(key, NOW_MS));
      expect(await pages(limit)).toEqual(SORTED);
    });

    test('the last page says so, also when it is full', async () => {
      for (const number of [1, 2]) await put(recordDueAt(run(number), NOW_MS));
      expect((await store.list(null, 1)).next).toEqual(run(1));
      expect((await store.list(run(1), 1)).next).toBeNull();
      expect((await store.list(null, 2)).next).toBeNull();
    });

    test('a page says that there is more, wherever the next run lies', async () => {
      // Enough neighbours that some of them share a shard.
      await Promise.all(Array.from({ length: 60 }, (_, number) => put(recordDueAt(run(number), NOW_MS))));
      for (let last = 59; last > 0; last -= 1) {
        expect((await store.list(run(last - 2), 1)).next, `run ${last}`).toEqual(run(last - 1));
        await store.compareAndSwap(run(last), (await store.load(run(last)))?.version ?? 0, null);
      }
    });

    test('records come with their version', async () => {
      const version = await put(recordDueAt(RUN, NOW_MS));
      expect((await store.list(null, 10)).records).toEqual([{ version, value: recordDueAt(RUN, NOW_MS) }]);
    });

    test('a page begins after a run that is gone meanwhile, and after one that never was', async () => {
      for (const number of [1, 2, 3, 4]) await put(recordDueAt(run(number), NOW_MS));
      const { next } = await store.list(null, 2);
      for (const number of [2, 3]) {
        await store.compareAndSwap(run(number), (await store.load(run(number)))?.version ?? 0, null);
      }
      expect(idsOf((await store.list(next, 10)).records)).toEqual([run(4)]);
      expect(idsOf((await store.list({ dagId: 'dag', dagRunId: 'run-0001!' }, 10)).records)).toEqual([run(4)]);
      expect(idsOf((await store.list({ dagId: 'zzz', dagRunId: 'x' }, 10)).records)).toEqual([]);
    });

    test('counts all records and those that are due', async () => {
      const times = [NOW_MS - 1, NOW_MS, NOW_MS + 1, null];
      for (const [number, dueAtMs] of times.entries()) await put(recordDueAt(run(number), dueAtMs));
      expect(await store.count(NOW_MS)).toEqual({ records: 4, due: 2 });
      await store.takeDue(NOW_MS, 1, LEASE_MS);
      expect(await store.count(NOW_MS)).toEqual({ records: 4, due: 1 });
    });
  });

  describe('life', () => {
    test('a second store on the same data sees what the first has written', async () => {
      const second = await data.open();
      const version = await put(recordDueAt(RUN, NOW_MS));
      expect(await second.load(RUN)).toEqual({ version, value: recordDueAt(RUN, NOW_MS) });
      expect(await second.takeDue(NOW_MS, 10, LEASE_MS)).toHaveLength(1);
      expect(await store.takeDue(NOW_MS, 10, LEASE_MS)).toEqual([]);
    });

    test('everything survives closing and opening, and versions go on', async () => {
      const keys = [run(1), run(2), run(3)];
      const versions: number[] = [];
      for (const key of keys) versions.push(await put(recordDueAt(key, NOW_MS)));
      await store.takeDue(NOW_MS, 1, LEASE_MS);
      await store.close();
      store = await data.open();
      expect((await store.list(null, 10)).records).toEqual(
        keys.map((key, at) => ({ version: versions[at], value: recordDueAt(key, NOW_MS) })),
      );
      expect(await store.count(NOW_MS)).toEqual({ records: 3, due: 2 });
      expect(await put(recordDueAt(run(1), NOW_MS))).toBeGreaterThan(Math.max(...versions));
    });

    test('closing lets writes under way finish', async () => {
      const writes = Array.from({ length: 50 }, (_, number) =>
        store.compareAndSwap(run(number), 0, recordDueAt(run(number), NOW_MS)),
      );
      const closing = store.close();
      expect(await Promise.all(writes)).not.toContain(null);
      await closing;
      expect(await (await data.open()).count(NOW_MS)).toEqual({ records: 50, due: 50 });
    });

    test('after closing everything rejects; closing again does not', async () => {
      await store.close();
      await store.close();
      const calls = [
        () => store.load(RUN),
        () => store.compareAndSwap(RUN, 0, confirmingRecord()),
        () => store.takeDue(NOW_MS, 1, LEASE_MS),
        () => store.list(null, 1),
        () => store.count(NOW_MS),
        () => store.ping(),
        () => store.warnings(),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'store_unavailable' });
    });

    test('ping answers and stores nothing', async () => {
      await store.ping();
      expect(await store.count(NOW_MS)).toEqual({ records: 0, due: 0 });
    });

    test('every phase has the place in the index that its due time says', async () => {
      for (const record of recordsOfAllPhases()) {
        await put(record);
        const dueAtMs = dueAtOf(record) ?? Number.NaN;
        expect(await store.count(dueAtMs - 1)).toEqual({ records: 1, due: 0 });
        expect(await store.count(dueAtMs)).toEqual({ records: 1, due: 1 });
      }
    });
  });

  describe('marks', () => {
    test('one that was never set is null', async () => {
      expect(await store.readMark('watched')).toBeNull();
    });

    test('a mark moves forward, never back, and tells where it is', async () => {
      expect(await store.advanceMark('watched', NOW_MS)).toBe(NOW_MS);
      expect(await store.advanceMark('watched', NOW_MS - 1)).toBe(NOW_MS);
      expect(await store.advanceMark('watched', NOW_MS + 1)).toBe(NOW_MS + 1);
      expect(await store.readMark('watched')).toBe(NOW_MS + 1);
    });

    test('a mark that has gone back since it was seen stays where it is', async () => {
      expect(await store.advanceMarkFrom('watched', NOW_MS, NOW_MS + 5)).toBe(false);
      expect(await store.readMark('watched')).toBeNull();
      await store.advanceMark('watched', NOW_MS);
      expect(await store.advanceMarkFrom('watched', NOW_MS + 1, NOW_MS + 5)).toBe(false);
      expect(await store.readMark('watched')).toBe(NOW_MS);
      expect(await store.advanceMarkFrom('watched', NOW_MS, NOW_MS + 5)).toBe(true);
      expect(await store.advanceMarkFrom('watched', NOW_MS, NOW_MS + 1)).toBe(true);
      expect(await store.readMark('watched')).toBe(NOW_MS + 5);
    });

    test('marks do not touch each other or the runs', async () => {
      await store.advanceMark('watched', NOW_MS);
      await store.advanceMark('accounted_for', NOW_MS - 5);
      expect(await store.readMark('watched')).toBe(NOW_MS);
      expect(await store.readMark('memory_begins')).toBeNull();
      expect(await store.count(NOW_MS)).toEqual({ records: 0, due: 0 });
    });

    test('a fraction of a millisecond does no harm', async () => {
      expect(await store.advanceMark('watched', NOW_MS + 0.75)).toBe(NOW_MS);
    });

    test('of concurrent writers the furthest wins, for all who share the store', async () => {
      const other = await data.open();
      const times = Array.from({ length: 20 }, (_, step) => NOW_MS + ((step * 7) % 20));
      await Promise.all(times.map((time, at) => (at % 2 === 0 ? store : other).advanceMark('watched', time)));
      expect(await other.readMark('watched')).toBe(NOW_MS + 19);
    });
  });
});
