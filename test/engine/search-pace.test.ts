import { describe, expect, test } from 'vitest';
import { createFailedRunsList } from './failed-runs.ts';
import { createHarness } from './harness.ts';

const INTERVAL_MS = 30_000;
const HOUR_MS = 3_600_000;
const LOOK_BACK_MS = 24 * HOUR_MS;

function setUp() {
  const harness = createHarness();
  const list = createFailedRunsList();
  const trails: string[] = [];
  harness.script.failedRuns = (from) => list.page(from);
  harness.script.auditTrail = async ({ dagRunId }) => {
    trails.push(dagRunId);
    return { type: 'found', entries: [], isComplete: true, knowsUs: true };
  };
  const open = () => harness.openSearch({ intervalMs: INTERVAL_MS, lookBackMs: LOOK_BACK_MS });
  const isFound = (dagRunId: string) => harness.store.get({ dagId: 'etl', dagRunId }) !== null;
  return { ...harness, list, trails, open, isFound };
}

describe('where the search begins', () => {
  test('the first time: now, and what failed before is left alone', async () => {
    const { timers, list, open, isFound } = setUp();
    list.add('etl', 'before', timers.nowMs() - 1);
    open().start();
    await timers.advanceBy(HOUR_MS);
    list.add('etl', 'after', timers.nowMs());
    await timers.advanceBy(60_000);
    expect([isFound('before'), isFound('after')]).toEqual([false, true]);
  });

  test('after a restart: where it was, so that everything that failed meanwhile is found', async () => {
    const { timers, list, open, isFound } = setUp();
    const first = open();
    first.start();
    await timers.advanceBy(HOUR_MS);
    await first.stop();
    list.add('etl', 'at once', timers.nowMs() + 1);
    list.add('etl', 'later', timers.nowMs() + 5 * HOUR_MS);
    await timers.advanceBy(6 * HOUR_MS);
    open().start();
    await timers.advanceBy(INTERVAL_MS);
    expect([isFound('at once'), isFound('later')]).toEqual([true, true]);
  });

  test('after too long: not before the look-back, and that is told', async () => {
    const { timers, list, open, isFound, lines } = setUp();
    const first = open();
    first.start();
    await timers.advanceBy(HOUR_MS);
    await first.stop();
    list.add('etl', 'too early', timers.nowMs() + HOUR_MS);
    await timers.advanceBy(LOOK_BACK_MS + 2 * HOUR_MS);
    list.add('etl', 'early enough', timers.nowMs() - LOOK_BACK_MS + HOUR_MS);
    open().start();
    await timers.advanceBy(INTERVAL_MS);
    expect([isFound('too early'), isFound('early enough')]).toEqual([false, true]);
    expect(lines.filter(([level]) => level === 'error')).toHaveLength(1);
  });

  test('after the store was emptied under it: the look-back before now', async () => {
    const { timers, list, open, isFound, store } = setUp();
    open().start();
    await timers.advanceBy(HOUR_MS);
    list.add('etl', 'taken up', timers.nowMs());
    await timers.advanceBy(2 * HOUR_MS);
    expect(isFound('taken up')).toBe(true);
    store.empty();
    expect(isFound('taken up')).toBe(false);
    await timers.advanceBy(INTERVAL_MS);
    expect(isFound('taken up')).toBe(true);
  });

  test('over a store that was emptied while it was off: the look-back, as clears of ours show', async () => {
    const { timers, list, open, isFound, script } = setUp();
    list.add('etl', 'before', timers.nowMs() - HOUR_MS);
    const key = { dagId: 'etl', dagRunId: 'another' };
    const clears = [{ key, atMs: timers.nowMs() - HOUR_MS }];
    script.ownClears = async () => ({ type: 'found', clears, isComplete: true });
    open().start();
    await timers.advanceBy(INTERVAL_MS);
    expect(isFound('before')).toBe(true);
  });

  test('the first time over a store that has long been in use: now', async () => {
    const { timers, list, open, isFound, script, memory } = setUp();
    await memory.beginsMs();
    await timers.advanceBy(2 * HOUR_MS);
    const clears = [{ key: { dagId: 'etl', dagRunId: 'another' }, atMs: timers.nowMs() - HOUR_MS }];
    script.ownClears = async () => ({ type: 'found', clears, isComplete: true });
    list.add('etl', 'before', timers.nowMs() - HOUR_MS);
    open().start();
    await timers.advanceBy(INTERVAL_MS);
    expect(isFound('before')).toBe(false);
  });

  test('nowhere while nobody can tell whether the store has forgotten something', async () => {
    const { timers, list, open, script } = setUp();
    const { ownClears } = script;
    script.ownClears = async () => ({ type: 'unavailable', reason: 'timed_out', detail: '', retryAfterMs: null });
    open().start();
    await timers.advanceBy(10 * INTERVAL_MS);
    expect(list.asked).toEqual([]);
    script.ownClears = ownClears;
    await timers.advanceBy(INTERVAL_MS);
    expect(list.asked).toHaveLength(1);
  });
});

describe('requests', () => {
  test('idle: one page an interval', async () => {
    const { timers, list, open } = setUp();
    open().start();
    await timers.advanceBy(HOUR_MS);
    expect(list.asked.length).toBeLessThanOrEqual(120);
    expect(list.asked.length).toBeGreaterThanOrEqual(119);
  });

  test('shared by replicas: together they search no more often than one', async () => {
    const { timers, list, open } = setUp();
    const replicas = [open(), open(), open()];
    for (const [index, replica] of replicas.entries()) {
      replica.start();
      await timers.advanceBy(1_000 * (index + 1));
    }
    // Six seconds have passed already.
    await timers.advanceBy(HOUR_MS - 6_000);
    expect(list.asked.length).toBeLessThanOrEqual(120);
    await replicas[0]?.stop();
    await replicas[1]?.stop();
    list.asked.length = 0;
    await timers.advanceBy(HOUR_MS);
    expect(list.asked.length).toBeGreaterThanOrEqual(105);
  });

  test('of a mark far ahead, a wrong clock wrote it: the search goes on', async () => {
    const { timers, list, open, store } = setUp();
    await store.advanceMark('watch_due', timers.nowMs() + 100 * HOUR_MS);
    open().start();
    await timers.advanceBy(HOUR_MS);
    expect(list.asked.length).toBeGreaterThan(100);
  });

  test('under many failures: a hundred runs an interval, and each of them is looked at once', async () => {
    const { timers, list, open, trails, isFound } = setUp();
    open().start();
    await timers.advanceBy(HOUR_MS);
    list.asked.length = 0;
    const names = Array.from({ length: 1_000 }, (_, index) => `r${index}`);
    const endedAtMs = timers.nowMs() - 60_000;
    // A third of them in one millisecond.
    for (const [index, name] of names.entries()) list.add('etl', name, endedAtMs - (index % 3 === 0 ? 0 : index));
    await timers.advanceBy(5_000);
    expect(trails).toHaveLength(100);
    await timers.advanceBy(12 * INTERVAL_MS);
    expect(names.filter((name) => !isFound(name))).toEqual([]);
    expect(trails).toHaveLength(1_000);
    expect(list.asked.length).toBeLessThan(14 * 10);
  });

  test('of runs that are cleared while pages are read, none hides another', async () => {
    const { timers, list, open, store, isFound } = setUp();
    open().start();
    await timers.advanceBy(HOUR_MS);
    const names = Array.from({ length: 450 }, (_, index) => `r${index}`);
    for (const [index, name] of names.entries()) list.add('etl', name, timers.nowMs() + index);
    // What is taken up leaves the list, as a run does that is cleared.
    store.beforeSwap = (key) => list.remove(key.dagRunId);
    await timers.advanceBy(10 * INTERVAL_MS);
    expect(names.filter((name) => !isFound(name))).toEqual([]);
  });

  test('while nobody can tell of any run: a few an interval, and others are found all the same', async () => {
    const { timers, list, open, script, trails, isFound } = setUp();
    const { auditTrail } = script;
    script.auditTrail = async (key) => {
      const trail = await auditTrail(key);
      if (!key.dagRunId.startsWith('bad')) return trail;
      return { type: 'unavailable', reason: 'server_error', detail: '', retryAfterMs: null };
    };
    open().start();
    await timers.advanceBy(HOUR_MS);
    for (let number = 0; number < 40; number += 1) list.add('etl', `bad${number}`, timers.nowMs() + number);
    list.add('etl', 'good', timers.nowMs() + 100);
    await timers.advanceBy(INTERVAL_MS + 5_000);
    expect(trails).toHaveLength(5);
    await timers.advanceBy(12 * INTERVAL_MS);
    expect(isFound('good')).toBe(true);
  });
});
