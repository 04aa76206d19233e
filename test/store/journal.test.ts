import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/core/journal.ts';
import type { Pause } from '../../src/core/pause.ts';
import type { RunKey } from '../../src/core/run-key.ts';
import type { JournalId, KeptEntry, RunStore } from '../../src/store/port.ts';
import { journalEntry, pauseEntry } from '../support/journal-entries.ts';
import { RUN, recordDueAt } from '../support/records.ts';
import { type StoreData, storeHarnesses } from '../support/store-harness.ts';

const NOW_MS = 1_800_000_000_000;
const FROM_START = { before: null, limit: 1_000 };

describe.each(storeHarnesses)('the journal of a RunStore: $name', ({ create }) => {
  let data: StoreData;
  let store: RunStore;

  beforeEach(async () => {
    data = await create();
    store = await data.open();
  });
  afterEach(() => data.dispose());

  function run(number: number): RunKey {
    return { dagId: `dag-${number % 3}`, dagRunId: `run-${number}` };
  }

  /** Swaps a record in, and `entries` with it. */
  async function write(key: RunKey, entries: readonly JournalEntry[], by = store): Promise<void> {
    const current = await store.load(key);
    const version = await by.compareAndSwap(key, current?.version ?? 0, recordDueAt(key, NOW_MS), entries);
    if (version === null) throw new Error('Another writer is at work');
  }

  const entriesOf = (kept: readonly KeptEntry[]) => kept.map(({ entry }) => entry);

  async function pagesOf(limit: number, key?: RunKey): Promise<KeptEntry[][]> {
    const pages: KeptEntry[][] = [];
    let before: JournalId | null = null;
    do {
      const page = await store.readJournal({ before, limit, ...(key === undefined ? {} : { key }) });
      pages.push([...page.entries]);
      before = page.next;
    } while (before !== null);
    return pages;
  }

  test('is empty at first', async () => {
    expect(await store.readJournal(FROM_START)).toEqual({ entries: [], next: null });
    expect(await store.readJournalAfter(await store.journalHead(), 10)).toMatchObject({ entries: [] });
  });

  test('gives back what came with a swap, newest first, every field and null', async () => {
    const full = journalEntry({
      type: 'operated',
      taskId: 'load',
      failureClass: 'infra',
      action: 'grant',
      actor: 'ada "the" \ud800 😀',
      comment: 'line\nbreak \u0000 \\',
      atMs: NOW_MS + 0.5,
      attempt: 0,
    });
    await write(RUN, [journalEntry(), full]);
    await write(RUN, [journalEntry({ type: 'retried' })]);
    const { entries, next } = await store.readJournal(FROM_START);
    expect(entriesOf(entries)).toEqual([journalEntry({ type: 'retried' }), full, journalEntry()]);
    expect(next).toBeNull();
    expect(new Set(entries.map(({ id }) => id)).size).toBe(3);
  });

  test('begins nowhere while nothing has been dropped', async () => {
    expect(await store.journalBegins()).toBeNull();
    await write(RUN, [journalEntry(), journalEntry()]);
    await store.setPause('dag', pauseOf('dag'), pauseEntry('dag'));
    expect(await store.journalBegins()).toBeNull();
  });

  test('a swap that is lost leaves no entry; one that deletes does', async () => {
    await write(RUN, [journalEntry({ reason: 'first' })]);
    const version = (await store.load(RUN))?.version ?? 0;
    expect(await store.compareAndSwap(RUN, version + 1, null, [journalEntry({ reason: 'lost' })])).toBeNull();
    expect(await store.compareAndSwap(RUN, 0, recordDueAt(RUN, 1), [journalEntry({ reason: 'lost' })])).toBeNull();
    expect(await store.compareAndSwap(RUN, version, null, [journalEntry({ reason: 'deleted' })])).not.toBeNull();
    expect(entriesOf((await store.readJournal(FROM_START)).entries).map(({ reason }) => reason)).toEqual([
      'deleted',
      'first',
    ]);
  });

  test('of many writers only the one who wins the swap is noted', async () => {
    const other = await data.open();
    const won = await Promise.all(
      Array.from({ length: 16 }, async (_, writer) => {
        const noted = [journalEntry({ reason: `writer-${writer}` })];
        const version = await (writer % 2 ? store : other).compareAndSwap(RUN, 0, recordDueAt(RUN, writer), noted);
        return version === null ? [] : [`writer-${writer}`];
      }),
    );
    const { entries } = await store.readJournal(FROM_START);
    expect(entriesOf(entries).map(({ reason }) => reason)).toEqual(won.flat());
    expect(won.flat()).toHaveLength(1);
  });

  test('an entry that could not be read again is refused before anything is written', async () => {
    const broken = journalEntry({ attempt: Number.NaN });
    await expect(store.compareAndSwap(RUN, 0, recordDueAt(RUN, NOW_MS), [broken])).rejects.toThrow(/attempt/);
    expect(await store.load(RUN)).toBeNull();
    expect((await store.readJournal(FROM_START)).entries).toEqual([]);
  });

  test.each([1, 2, 7, 30, 60, 61, 500])('pages of %i hold everything once, in one order', async (limit) => {
    for (let number = 0; number < 60; number += 1) {
      await write(run(number % 40), [journalEntry({ ...run(number % 40), reason: String(number) })]);
    }
    const pages = await pagesOf(limit);
    expect(pages.every((page) => page.length <= limit)).toBe(true);
    expect(pages).toHaveLength(Math.ceil(60 / limit));
    const whole = pages.flat().map(({ id }) => id);
    expect(whole).toEqual((await store.readJournal(FROM_START)).entries.map(({ id }) => id));
    const reasons = entriesOf(pages.flat()).map(({ reason }) => Number(reason));
    expect(reasons.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, number) => number));
    // Of one run the order is exact; shards may take several at one millisecond.
    expect(reasons.filter((number) => number % 40 < 20 && number % 40 === 5)).toEqual([45, 5]);
  });

  test('pages hold everything where one shard has nearly all of it', async () => {
    const noted = Array.from({ length: 50 }, (_, number) => journalEntry({ reason: String(number) }));
    await write(run(1), [journalEntry(run(1))]);
    for (let round = 0; round < 4; round += 1) await write(RUN, noted);
    await write(run(2), [journalEntry(run(2))]);
    const pages = await pagesOf(40);
    expect(pages.flat()).toHaveLength(202);
    expect(new Set(pages.flat().map(({ id }) => id)).size).toBe(202);
    const places = (await store.readJournal(FROM_START)).entries.map(({ id }) => id);
    expect(pages.flat().map(({ id }) => id)).toEqual(places);
  });

  test('gives those of one run, over several pages', async () => {
    const entryOf = (key: RunKey, number: number) => journalEntry({ ...key, reason: String(number) });
    for (let number = 0; number < 24; number += 1) await write(run(number % 6), [entryOf(run(number % 6), number)]);
    await store.setPause('dag-1', pauseOf('dag-1'), pauseEntry('dag-1'));
    expect(entriesOf((await pagesOf(3, run(4))).flat()).map(({ reason }) => reason)).toEqual(['22', '16', '10', '4']);
    expect((await pagesOf(4, run(4))).map((page) => page.length)).toEqual([4]);
    expect(await pagesOf(4, run(99))).toEqual([[]]);
  });

  test.each([0, -1])('a limit of %i gives nothing and leaves the reader where he is', async (limit) => {
    await write(RUN, [journalEntry()]);
    const [kept] = (await store.readJournal(FROM_START)).entries;
    const head = await store.journalHead();
    await write(RUN, [journalEntry()]);
    expect(await store.readJournal({ before: kept?.id ?? null, limit })).toEqual({ entries: [], next: kept?.id });
    expect(await store.readJournalAfter(head, limit)).toEqual({ entries: [], head });
  });

  test('what cannot be read is skipped, and does not end the reading', async () => {
    await write(RUN, [journalEntry({ reason: 'before' })]);
    const head = await store.journalHead();
    for (const text of ['{', 'null', '[]', '{"type":"unheard_of","atMs":1,"reason":"x"}', '"text"', '7']) {
      await data.note(RUN, text);
    }
    await write(RUN, [journalEntry({ reason: 'after' })]);
    const reasons = entriesOf((await pagesOf(2)).flat()).map(({ reason }) => reason);
    expect(reasons).toEqual(['after', 'before']);
    expect(entriesOf((await pagesOf(2, RUN)).flat())).toHaveLength(2);
    expect((await store.readJournalAfter(head, 3)).entries).toEqual([]);
    const { entries } = await store.readJournalAfter((await store.readJournalAfter(head, 3)).head, 10);
    expect(entriesOf(entries).map(({ reason }) => reason)).toEqual(['after']);
  });

  test.each([
    ...['', ' ', 'x', '-1', '1e3', '1-1-1', '9'.repeat(30), '1-1.x', '(1-1.0', '\u0000', "1' OR 1=1", '+', '$'],
    ...['0-0.0', '0-0.15', '00-000.3'],
  ])('a place that nobody has given is refused: %j', async (place) => {
    const invalid = { code: 'cursor_invalid' };
    await expect(store.readJournal({ before: place, limit: 5 })).rejects.toMatchObject(invalid);
    await expect(store.readJournal({ before: place, limit: 5, key: RUN })).rejects.toMatchObject(invalid);
    await expect(store.readJournalAfter(place, 5)).rejects.toMatchObject(invalid);
  });

  test('it outlives the store that wrote it, and its records', async () => {
    await write(RUN, [journalEntry()]);
    await store.compareAndSwap(RUN, (await store.load(RUN))?.version ?? 0, null);
    const { entries } = await store.readJournal(FROM_START);
    await store.close();
    store = await data.open();
    expect(await store.readJournal(FROM_START)).toEqual({ entries, next: null });
  });

  test('after closing, all of it rejects', async () => {
    const head = await store.journalHead();
    await store.close();
    const calls = [
      () => store.readJournal(FROM_START),
      () => store.journalBegins(),
      () => store.journalHead(),
      () => store.readJournalAfter(head, 1),
      () => store.pauses(),
      () => store.setPause('dag', pauseOf('dag'), pauseEntry('dag')),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  describe('followed', () => {
    test('gives what came after the head, oldest first', async () => {
      await write(RUN, [journalEntry({ reason: 'earlier' })]);
      const head = await store.journalHead();
      await write(RUN, [journalEntry({ reason: 'a' }), journalEntry({ reason: 'b' })]);
      await write(RUN, [journalEntry({ reason: 'c' })]);
      const first = await store.readJournalAfter(head, 2);
      expect(entriesOf(first.entries).map(({ reason }) => reason)).toEqual(['a', 'b']);
      const second = await store.readJournalAfter(first.head, 2);
      expect(entriesOf(second.entries).map(({ reason }) => reason)).toEqual(['c']);
      expect(second.head).toBe(await store.journalHead());
      expect(await store.readJournalAfter(second.head, 2)).toEqual({ entries: [], head: second.head });
    });

    test('while others write, it gives everything once', async () => {
      const other = await data.open();
      let head = await store.journalHead();
      let isWriting = true;
      const writing = Promise.all(
        Array.from({ length: 80 }, async (_, number) => {
          const entry = journalEntry({ ...run(number), reason: String(number) });
          await write(run(number), [entry], number % 2 ? store : other);
        }),
      ).finally(() => {
        isWriting = false;
      });
      const seen: KeptEntry[] = [];
      for (let isLast = false; !isLast; ) {
        isLast = !isWriting;
        const tail = await store.readJournalAfter(head, 5);
        seen.push(...tail.entries);
        isLast &&= tail.entries.length === 0;
        head = tail.head;
        // Reading a file takes no turn of the event loop, in which writers could get on.
        await nextTurn();
      }
      await writing;
      expect(new Set(seen.map(({ entry }) => entry.reason)).size).toBe(80);
      expect(seen).toHaveLength(80);
    });
  });

  function pauseOf(scope: string): Pause {
    return { scope, actor: 'ada', comment: 'upgrade', atMs: NOW_MS };
  }

  describe('pauses', () => {
    const noted = async () => entriesOf((await store.readJournal(FROM_START)).entries).map(({ action }) => action);

    test('there are none at first', async () => {
      expect(await store.pauses()).toEqual([]);
    });

    test('a scope is paused once and resumed once, each noted', async () => {
      expect(await store.setPause('dag', null, pauseEntry('dag', 'resume'))).toBe(false);
      expect(await store.setPause('dag', pauseOf('dag'), pauseEntry('dag'))).toBe(true);
      const second = { ...pauseOf('dag'), actor: 'bob' };
      expect(await store.setPause('dag', second, pauseEntry('dag'))).toBe(false);
      expect(await store.pauses()).toEqual([pauseOf('dag')]);
      expect(await store.setPause('dag', null, pauseEntry('dag', 'resume'))).toBe(true);
      expect(await store.setPause('dag', null, pauseEntry('dag', 'resume'))).toBe(false);
      expect(await store.pauses()).toEqual([]);
      expect(await noted()).toEqual(['resume', 'pause']);
    });

    test('they come in the order of their scopes, for all who share the store', async () => {
      const other = await data.open();
      for (const scope of ['z', '😀', '*', 'é', 'a b', '\uff21', '__proto__']) {
        await store.setPause(scope, pauseOf(scope), pauseEntry(scope));
      }
      expect((await other.pauses()).map(({ scope }) => scope)).toEqual([
        '*',
        '__proto__',
        'a b',
        'z',
        'é',
        '\uff21',
        '😀',
      ]);
    });

    test('of many who pause one scope, one does', async () => {
      const other = await data.open();
      const changed = await Promise.all(
        Array.from({ length: 12 }, (_, person) =>
          (person % 2 ? store : other).setPause('dag', { ...pauseOf('dag'), actor: `p${person}` }, pauseEntry('dag')),
        ),
      );
      expect(changed.filter(Boolean)).toHaveLength(1);
      expect(await store.pauses()).toMatchObject([{ actor: `p${changed.indexOf(true)}` }]);
      expect(await noted()).toEqual(['pause']);
    });

    test('one that cannot be read is no "not paused", until it is resumed', async () => {
      await store.setPause('other', pauseOf('other'), pauseEntry('other'));
      for (const text of ['{', JSON.stringify(pauseOf('elsewhere'))]) {
        await data.pauseRaw('dag', text);
        await expect(store.pauses()).rejects.toMatchObject({
          code: 'store_corrupt',
          message: expect.stringContaining('"dag"'),
        });
        expect(await store.setPause('dag', null, pauseEntry('dag', 'resume'))).toBe(true);
        expect(await store.pauses()).toHaveLength(1);
      }
    });

    test('one that could not be read again, or of another scope, is refused before anything is written', async () => {
      const broken = { ...pauseOf('dag'), atMs: Number.NaN };
      await expect(store.setPause('dag', broken, pauseEntry('dag'))).rejects.toThrow(/atMs/);
      await expect(store.setPause('dag', pauseOf('other'), pauseEntry('dag'))).rejects.toThrow(/other/);
      const entry = journalEntry({ attempt: -1 });
      await expect(store.setPause('dag', pauseOf('dag'), entry)).rejects.toThrow(/attempt/);
      expect(await store.pauses()).toEqual([]);
      expect(await noted()).toEqual([]);
    });

    test('they survive closing and opening', async () => {
      await store.setPause('*', pauseOf('*'), pauseEntry(null));
      await store.close();
      store = await data.open();
      expect(await store.pauses()).toEqual([pauseOf('*')]);
    });
  });

  test('any mix of runs, sizes and pages gives each entry once, those of a run in the order of writing', async () => {
    const writes = fc.array(fc.tuple(fc.nat({ max: 20 }), fc.integer({ min: 1, max: 4 })), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(writes, fc.integer({ min: 1, max: 30 }), async (script, limit) => {
        const head = await store.journalHead();
        let count = 0;
        for (const [number, size] of script) {
          const entries = Array.from({ length: size }, () => journalEntry({ ...run(number), reason: String(count++) }));
          await write(run(number), entries);
        }
        const read = (await pagesOf(limit)).flat().slice(0, count);
        const tail: KeptEntry[] = [];
        for (let from = head; ; ) {
          const next = await store.readJournalAfter(from, limit);
          tail.push(...next.entries);
          if (next.entries.length === 0) break;
          from = next.head;
        }
        const sorted = (kept: readonly KeptEntry[]) =>
          kept.map(({ entry }) => Number(entry.reason)).sort((a, b) => a - b);
        expect(sorted(read)).toEqual(Array.from({ length: count }, (_, at) => at));
        expect(sorted(tail)).toEqual(sorted(read));
        for (const part of Map.groupBy(tail, ({ entry }) => entry.dagRunId).values()) {
          expect(part.map(({ entry }) => Number(entry.reason))).toEqual(sorted(part));
        }
      }),
      { numRuns: 15 },
    );
  });
});
