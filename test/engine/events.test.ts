import { describe, expect, test } from 'vitest';
import type { JournalEntry } from '../../src/core/journal.ts';
import { createEvents, type EventFilter } from '../../src/engine/events.ts';
import { createWindowTally } from '../../src/engine/stats/window-tally.ts';
import { createMemoryJournal } from '../support/journal.ts';
import { FAILED_AT_MS, gaveUpRecord, waitingRecord } from '../support/records.ts';
import { createHarness, gate } from './harness.ts';

const HOUR_MS = 3_600_000;

function entry(fields: Partial<JournalEntry>): JournalEntry {
  return {
    ...{ atMs: FAILED_AT_MS, type: 'failed', dagId: 'etl', dagRunId: 'r1', attempt: 1, retriesUsed: 0 },
    ...{ reason: 'settled', taskId: 'load', failureClass: 'infra', action: null, actor: null, comment: null },
    ...fields,
  };
}

const ALL: EventFilter = { types: null, dagId: null, dagRunId: null, actor: null, sinceMs: null };

describe('events', () => {
  const journal = createMemoryJournal();
  journal.append([
    entry({ atMs: FAILED_AT_MS, dagRunId: 'r1' }),
    entry({ atMs: FAILED_AT_MS + 1, dagRunId: 'r1', type: 'retried' }),
    entry({ atMs: FAILED_AT_MS + 2, dagId: 'report', dagRunId: 'r1', type: 'gave_up' }),
    entry({ atMs: FAILED_AT_MS + 3, dagRunId: 'r2', type: 'operated', actor: 'ann', action: 'pause' }),
    entry({ atMs: FAILED_AT_MS + 4, dagId: null, dagRunId: null, type: 'operated', actor: 'bob', action: 'pause' }),
  ]);
  const events = createEvents(journal);
  const times = async (filter: Partial<EventFilter>) =>
    (await events.list({ ...ALL, ...filter }, 100, null)).events.map((one) => one.entry.atMs - FAILED_AT_MS);

  test.each<[Partial<EventFilter>, number[]]>([
    [{}, [4, 3, 2, 1, 0]],
    [{ types: ['failed', 'retried'] }, [1, 0]],
    [{ dagId: 'etl' }, [3, 1, 0]],
    [{ dagId: 'e*' }, [3, 1, 0]],
    [{ dagId: 'etl', dagRunId: 'r1' }, [1, 0]],
    [{ dagId: 'e?l', dagRunId: 'r1' }, [1, 0]],
    [{ dagRunId: 'r1' }, [2, 1, 0]],
    [{ actor: 'ann' }, [3]],
    [{ sinceMs: FAILED_AT_MS + 3 }, [4, 3]],
  ])('%o', async (filter, expected) => {
    expect(await times(filter)).toEqual(expected);
  });

  test('come in pages that leave nothing out and repeat nothing', async () => {
    const ids: string[] = [];
    let before: string | null = null;
    do {
      const page = await events.list({ ...ALL, types: ['failed', 'operated'] }, 2, before);
      ids.push(...page.events.map(({ id }) => id));
      before = page.next;
    } while (before !== null);
    expect(ids).toEqual(['5', '4', '1']);
  });

  test('a rare filter reads only so many entries at a time', async () => {
    const long = createMemoryJournal();
    long.append([entry({ actor: 'rare' }), ...Array.from({ length: 10_000 }, () => entry({}))]);
    let reads = 0;
    const counted = createEvents({ readJournal: (query) => long.readJournal(query).finally(() => (reads += 1)) });
    const first = await counted.list({ ...ALL, actor: 'rare' }, 1, null);
    expect([first.events, reads]).toEqual([[], 20]);
    const second = await counted.list({ ...ALL, actor: 'rare' }, 1, first.next);
    expect(second.events).toHaveLength(1);
  });
});

describe('a window', () => {
  test.each([1, 1.5, 2, 3, 24, 25, 7 * 24, 30 * 24])('of %d hours has 24 to 60 buckets that cover it', (hours) => {
    const toMs = FAILED_AT_MS + hours * HOUR_MS;
    const { buckets } = createWindowTally(FAILED_AT_MS, toMs).result(true);
    const [first, second] = buckets;
    const lengthMs = (second?.fromMs ?? 0) - (first?.fromMs ?? 0);
    expect(buckets.length).toBeGreaterThanOrEqual(24);
    expect(buckets.length).toBeLessThanOrEqual(60);
    expect(first?.fromMs).toBe(FAILED_AT_MS);
    expect((buckets.at(-1)?.fromMs ?? 0) + lengthMs).toBeGreaterThanOrEqual(toMs);
  });

  test('counts what is in it, by time, Dag and task', () => {
    const tally = createWindowTally(FAILED_AT_MS, FAILED_AT_MS + HOUR_MS);
    tally.add(entry({ atMs: FAILED_AT_MS - 1 }));
    tally.add(entry({ atMs: FAILED_AT_MS }));
    tally.add(entry({ atMs: FAILED_AT_MS + HOUR_MS - 1, type: 'retried' }));
    tally.add(entry({ atMs: FAILED_AT_MS + 2 * HOUR_MS, type: 'recovered' }));
    tally.add(entry({ dagId: 'report', type: 'gave_up', taskId: null }));
    tally.add(entry({ dagId: 'report', type: 'retried' }));
    tally.add(entry({ dagId: null, dagRunId: null, type: 'operated', taskId: null }));
    const { totals, buckets, topDags, topTasks } = tally.result(true);
    expect(totals).toMatchObject({ failed: 1, retried: 2, recovered: 1, gave_up: 1, operated: 1, ended: 0 });
    expect(buckets[0]).toMatchObject({ failed: 1, retried: 1, gave_up: 1 });
    expect(buckets.at(-1)).toMatchObject({ retried: 1, recovered: 1 });
    expect(topDags).toEqual([
      { dagId: 'report', retried: 1, recovered: 0, gaveUp: 1 },
      { dagId: 'etl', retried: 1, recovered: 1, gaveUp: 0 },
    ]);
    expect(topTasks).toEqual([{ dagId: 'etl', taskId: 'load', failed: 1 }]);
  });
});

describe('stats', () => {
  test('say how things stand and what happened, and read the journal once for many', async () => {
    const { desk, store, timers } = createHarness();
    store.put(waitingRecord());
    store.put(gaveUpRecord({ dagRunId: 'g' }));
    store.journal.append([entry({ type: 'gave_up' })]);
    const stats = await desk.stats.read(HOUR_MS);
    expect(stats.current).toMatchObject({ due: 1, pauses: 0, census: { phases: { waiting: 1, gave_up: 1 } } });
    expect(stats.window).toMatchObject({ totals: { gave_up: 1 }, isComplete: true });
    store.journal.append([entry({ type: 'gave_up' })]);
    expect((await desk.stats.read(HOUR_MS)).window.totals.gave_up).toBe(1);
    await timers.advanceBy(2_000);
    expect((await desk.stats.read(HOUR_MS)).window.totals.gave_up).toBe(2);
  });

  test.each([
    [2 * HOUR_MS, true],
    // The clocks of replicas may differ by so much.
    [HOUR_MS + 30_000, false],
    [HOUR_MS / 2, false],
  ])('a journal that is whole for the last %i ms only tells of the last hour completely: %s', async (ago, expected) => {
    const { desk, store, timers } = createHarness();
    const agesMs = [3 * HOUR_MS, ago, 0];
    store.journal.append(agesMs.map((ageMs) => entry({ atMs: timers.nowMs() - ageMs })));
    expect((await desk.stats.read(HOUR_MS)).window.isComplete).toBe(true);
    store.journal.dropOldest();
    await timers.advanceBy(2_000);
    expect((await desk.stats.read(HOUR_MS)).window.isComplete).toBe(expected);
  });

  test('one reading at a time, however many windows are asked for, and one for each', async () => {
    const { desk, store } = createHarness();
    const { readJournal } = store;
    const held = gate();
    let [begun, reading, most] = [0, 0, 0];
    store.readJournal = async (query) => {
      begun += 1;
      reading += 1;
      most = Math.max(most, reading);
      await held.passed;
      reading -= 1;
      return await readJournal(query);
    };
    const windows = Array.from({ length: 40 }, (_, hour) => (hour % 20) + 1);
    const all = Promise.all(windows.map((hours) => desk.stats.read(hours * HOUR_MS)));
    held.open();
    expect((await all).map(({ windowMs }) => windowMs / HOUR_MS)).toEqual(windows);
    expect([begun, most]).toEqual([20, 1]);
  });

  test('a reading that fails does not end those that wait', async () => {
    const { desk, store } = createHarness();
    const { readJournal } = store;
    store.readJournal = async () => {
      store.readJournal = readJournal;
      throw new Error('out');
    };
    const first = expect(desk.stats.read(HOUR_MS)).rejects.toThrow('out');
    expect((await desk.stats.read(2 * HOUR_MS)).windowMs).toBe(2 * HOUR_MS);
    await first;
  });

  test('a failed reading is not remembered', async () => {
    const { desk, store } = createHarness();
    const { readJournal } = store;
    store.readJournal = () => Promise.reject(new Error('out'));
    await expect(desk.stats.read(HOUR_MS)).rejects.toThrow('out');
    store.readJournal = readJournal;
    expect((await desk.stats.read(HOUR_MS)).window.isComplete).toBe(true);
  });
});

describe('Dags', () => {
  test('with records and paused ones, in pages', async () => {
    const { desk, store } = createHarness();
    store.put(waitingRecord({ dagId: 'b' }));
    store.put(waitingRecord({ dagId: 'b', dagRunId: 'r2', held: { actor: 'ann', comment: '', atMs: FAILED_AT_MS } }));
    store.put(gaveUpRecord({ dagId: 'c' }));
    await desk.pauses.set({ scope: 'a', action: 'pause', actor: 'ann', comment: '' });
    const first = await desk.dags.list(2, null);
    expect(first.dags).toMatchObject([
      { dagId: 'a', census: null, pause: { scope: 'a' } },
      { dagId: 'b', census: { held: 1, phases: { waiting: 2 } }, pause: null },
    ]);
    expect(await desk.dags.list(2, first.next)).toMatchObject({ dags: [{ dagId: 'c' }], next: null });
    await desk.pauses.set({ scope: '*', action: 'pause', actor: 'ann', comment: '' });
    expect((await desk.dags.list(9, null)).dags.map(({ pause }) => pause?.scope)).toEqual(['*', '*', '*']);
  });
});
