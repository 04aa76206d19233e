import { describe, expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import type { OwnClears } from '../../src/orchestrator/port.ts';
import { confirmingRecord, gaveUpRecord, RUN } from '../support/records.ts';
import { createHarness, FAILED, gate } from './harness.ts';
import { OUTAGE } from './memory-store.ts';

const OTHER = { dagId: 'other', dagRunId: 'manual__1' };
const DAY_MS = 24 * 3_600_000;
const SLACK_MS = 5 * 60_000;

/** A harness whose audit log shows a clear of ours for each of these runs, and notes from when on it was asked. */
function setUp() {
  const harness = createHarness();
  const asked: number[] = [];
  const log: { answer: OwnClears } = {
    answer: { type: 'found', clears: [{ key: RUN, atMs: 1 }], isComplete: true },
  };
  harness.script.ownClears = async (sinceMs) => {
    asked.push(sinceMs);
    return log.answer;
  };
  const errors = () => harness.lines.filter(([level]) => level === 'error').map(([, message]) => message);
  return { ...harness, asked, log, errors };
}

test('of a new store a day is looked for in the audit log, once, and nobody is alarmed', async () => {
  const { memory, timers, asked, store, errors, counts } = setUp();
  const startMs = timers.nowMs();
  memory.start();
  await timers.advanceBy(60_000);
  await memory.stop();
  expect(asked).toEqual([startMs - DAY_MS]);
  expect(await memory.beginsMs()).toBe(startMs);
  expect(await memory.lostAtMs()).toBeNull();
  expect(store.get(RUN)).toMatchObject({ phase: 'watching', countIs: 'lost', retriesUsed: 1 });
  expect(errors()).toEqual([]);
  expect(counts.get('storeLost emptied')).toBeUndefined();
});

test.each(['success', 'missing'] as const)('of a run that has ended well nothing is missing: %s', async (how) => {
  const { memory, timers, store, script } = setUp();
  script.observe = async () => (how === 'missing' ? { type: 'missing' } : { ...FAILED, state: 'success' });
  memory.start();
  await timers.advanceBy(1_000);
  await memory.stop();
  expect(store.get(RUN)).toBeNull();
});

test.each(['cleared', 'marked_failed'] as const)('what a person has %s since is left alone', async (action) => {
  const { memory, timers, store, script } = setUp();
  const common = { taskId: null, isOurs: false } as const;
  script.auditTrail = async () => ({
    type: 'found',
    entries: [
      { ...common, action: 'cleared', atMs: 1, isOurs: true, owner: 'dagain' },
      { ...common, action, atMs: 2, owner: 'anna' },
    ],
    isComplete: true,
    knowsUs: true,
  });
  memory.start();
  await timers.advanceBy(1_000);
  await memory.stop();
  expect(store.get(RUN)).toBeNull();
});

test('clears of ours that the search did not reach count too, back to where a person has restarted the run', async () => {
  const { memory, timers, store, script } = setUp();
  const entry = (atMs: number, owner: string) =>
    ({ action: 'cleared', atMs, isOurs: owner === 'dagain', owner, taskId: null }) as const;
  const entries = ['dagain', 'anna', 'dagain', 'dagain', 'dagain'].map((owner, index) => entry(index - 3, owner));
  script.auditTrail = async () => ({ type: 'found', entries, isComplete: true, knowsUs: true });
  memory.start();
  await timers.advanceBy(1_000);
  await memory.stop();
  expect(store.get(RUN)).toMatchObject({ phase: 'watching', attempt: 4, retriesUsed: 3, clearsSent: 3 });
});

test.each([
  ['began before it: it was cleared while it ran', 0, null],
  ['began after it', 2, 1],
  ['has not begun', null, 1],
])('what our clear tells of earlier attempts, where the run that is seen %s', async (_name, startedAtMs, beganBy) => {
  const { memory, timers, store, script } = setUp();
  const fingerprint = { ...FAILED.fingerprint, startedAtMs };
  script.observe = async () => ({ ...FAILED, state: 'running', fingerprint });
  memory.start();
  await timers.advanceBy(1_000);
  await memory.stop();
  expect(store.get(RUN)?.previous?.fingerprint.startedAtMs ?? null).toBe(beganBy);
});

test('a run that cannot be looked at keeps no other waiting', async () => {
  const { memory, timers, store, script, log } = setUp();
  const { observe } = script;
  script.observe = async (key) =>
    key.dagId === RUN.dagId
      ? { type: 'unavailable', reason: 'timed_out', detail: '', retryAfterMs: null }
      : await observe(key);
  log.answer = { type: 'found', clears: [RUN, OTHER].map((key) => ({ key, atMs: 1 })), isComplete: true };
  memory.start();
  await timers.advanceBy(1_000);
  await memory.stop();
  expect([store.get(RUN), store.get(OTHER)]).toMatchObject([null, { phase: 'watching' }]);
});

test('while a run cannot be looked at, the search is not over', async () => {
  const { memory, timers, store, script, asked } = setUp();
  const { observe } = script;
  script.observe = async () => ({ type: 'unavailable', reason: 'timed_out', detail: '', retryAfterMs: null });
  memory.start();
  await timers.advanceBy(65_000);
  expect([store.get(RUN), asked.length]).toEqual([null, 2]);
  script.observe = observe;
  await timers.advanceBy(60_000);
  await memory.stop();
  expect(store.get(RUN)).not.toBeNull();
});

test('runs that the store knows, given-up ones too, stay as they are', async () => {
  const { memory, timers, store, log } = setUp();
  store.put(gaveUpRecord());
  store.put({ ...confirmingRecord(), ...OTHER });
  const before = [store.get(RUN), store.get(OTHER)];
  const clears = [RUN, OTHER, RUN].map((key) => ({ key, atMs: 1 }));
  log.answer = { type: 'found', clears, isComplete: true };
  memory.start();
  await timers.advanceBy(1_000);
  await memory.stop();
  expect([store.get(RUN), store.get(OTHER)]).toEqual(before);
});

test('a tombstone from before our last clear is what an older snapshot has brought back: the run is watched again', async () => {
  const { memory, timers, store, log } = setUp();
  const tombstone = gaveUpRecord({ reason: 'reset_by_operator', fingerprint: null });
  const search = async (atMs: number) => {
    store.put(tombstone);
    store.put({ ...tombstone, ...OTHER });
    log.answer = { type: 'found', clears: [{ key: RUN, atMs }], isComplete: true };
    await store.advanceMark('memory_begins', timers.nowMs() + 1);
    await timers.advanceBy(61_000);
  };
  memory.start();
  await search(tombstone.gaveUpAtMs + 20_000);
  expect(store.get(RUN)).toEqual(tombstone);
  await search(tombstone.gaveUpAtMs + 20_001);
  await memory.stop();
  expect([store.get(RUN), store.get(OTHER)]).toMatchObject([
    { phase: 'watching', countIs: 'lost' },
    { phase: 'gave_up' },
  ]);
});

test('one record that cannot be read is there too, and does not end the search for the others', async () => {
  const { memory, timers, store, log, asked } = setUp();
  const { load } = store;
  store.load = async (key) => {
    if (key.dagId === RUN.dagId) throw new DagainError('store_corrupt', 'not JSON');
    return await load(key);
  };
  const startMs = timers.nowMs();
  log.answer = { type: 'found', clears: [RUN, OTHER].map((key) => ({ key, atMs: 1 })), isComplete: true };
  memory.start();
  await timers.advanceBy(60_000);
  await memory.stop();
  expect([store.get(RUN), store.get(OTHER)]).toMatchObject([null, { phase: 'watching', countIs: 'lost' }]);
  // The search is over: everything is accounted for up to now, less how far clocks may differ.
  expect(asked).toHaveLength(1);
  expect(await store.readMark('accounted_for')).toBe(startMs + 60_000 - 20_000);
});

test('an outage between two runs ends the search until the next minute', async () => {
  const { memory, timers, store, asked } = setUp();
  const { load } = store;
  store.load = () => Promise.reject(OUTAGE);
  memory.start();
  await timers.advanceBy(1_000);
  store.load = load;
  await timers.advanceBy(60_000);
  await memory.stop();
  expect(asked).toHaveLength(2);
  expect(store.get(RUN)).toMatchObject({ phase: 'watching' });
});

describe('a store that has lost data under a running service', () => {
  test('is noticed before the next retry, and the runs are found again', async () => {
    const { memory, timers, store, asked, errors, counts } = setUp();
    memory.start();
    await timers.advanceBy(60_000);
    store.empty();
    const lostMs = timers.nowMs();
    expect(await memory.beginsMs()).toBe(lostMs);
    expect(await memory.lostAtMs()).toBe(lostMs);
    expect(errors()).toHaveLength(1);
    expect(counts.get('storeLost emptied')).toBe(1);
    await timers.advanceBy(120_000);
    await memory.stop();
    expect(asked.at(-1)).toBe(lostMs - DAY_MS);
    expect(store.get(RUN)).toMatchObject({ phase: 'watching', countIs: 'lost' });
    // Told once, however often it is looked at.
    expect(errors()).toHaveLength(1);
  });

  test('an older snapshot too', async () => {
    const { memory, timers, store, asked, counts, errors } = setUp();
    memory.start();
    await timers.advanceBy(60_000);
    const snapshot = store.snapshot();
    const accountedMs = await store.readMark('accounted_for');
    await timers.advanceBy(3_600_000);
    store.restore(snapshot);
    await timers.advanceBy(120_000);
    await memory.stop();
    expect(counts.get('storeLost set_back')).toBe(1);
    expect(errors()).toHaveLength(1);
    expect(asked.at(-1)).toBe((accountedMs ?? 0) - SLACK_MS);
    expect(await store.readMark('accounted_for')).toBeGreaterThan((accountedMs ?? 0) + 3_600_000);
  });

  test('also by a process that was not there when it happened: it looks from where the store has got to', async () => {
    const first = setUp();
    first.memory.start();
    await first.timers.advanceBy(60_000);
    await first.memory.stop();
    const accountedMs = await first.store.readMark('accounted_for');
    const second = setUp();
    await second.store.advanceMark('memory_begins', 1);
    await second.store.advanceMark('accounted_for', accountedMs ?? 0);
    await second.timers.advanceBy(7_200_000);
    second.memory.start();
    await second.timers.advanceBy(1_000);
    await second.memory.stop();
    expect(second.asked).toEqual([(accountedMs ?? 0) - SLACK_MS]);
    expect(second.errors()).toEqual([]);
  });
});

test('a store that is emptied while a process is about to write its mark is still searched for, by that process too', async () => {
  const { memory, timers, store, log, asked } = setUp();
  memory.start();
  await timers.advanceBy(60_000);
  const { answer } = log;
  const writing = gate();
  const { advanceMarkFrom } = store;
  store.advanceMarkFrom = async (...args) => {
    await writing.passed;
    return await advanceMarkFrom(...args);
  };
  await timers.advanceBy(60_000);
  store.empty();
  // Another process notices, says so, and is gone before it has searched.
  await timers.advanceBy(30_000);
  await store.advanceMark('memory_begins', timers.nowMs());
  const lostMs = timers.nowMs();
  writing.open();
  await timers.advanceBy(0);
  store.advanceMarkFrom = advanceMarkFrom;
  expect((await store.readMark('accounted_for')) ?? 0).toBeLessThan(lostMs);
  log.answer = answer;
  await timers.advanceBy(61_000);
  await memory.stop();
  expect(asked.at(-1)).toBe(lostMs - DAY_MS);
  expect(store.get(RUN)).toMatchObject({ phase: 'watching', countIs: 'lost' });
});

test('a store that is set back while a process is about to move its mark on is noticed all the same', async () => {
  const { memory, timers, store, counts, errors } = setUp();
  memory.start();
  await timers.advanceBy(60_000);
  const snapshot = store.snapshot();
  await timers.advanceBy(600_000);
  const { advanceMarkFrom } = store;
  store.advanceMarkFrom = async (...args) => {
    store.advanceMarkFrom = advanceMarkFrom;
    store.restore(snapshot);
    return await advanceMarkFrom(...args);
  };
  await timers.advanceBy(61_000);
  await memory.stop();
  expect(counts.get('storeLost set_back')).toBe(1);
  expect(errors()).toHaveLength(1);
});

describe('while the audit log cannot be searched', () => {
  test('the mark stays where it is, so that a crash does not cut the search short', async () => {
    const { memory, timers, store, log, asked } = setUp();
    const { answer } = log;
    log.answer = { type: 'unavailable', reason: 'timed_out', detail: 'no answer', retryAfterMs: null };
    const startMs = timers.nowMs();
    memory.start();
    await timers.advanceBy(185_000);
    expect(asked).toEqual([0, 1, 2, 3].map(() => startMs - DAY_MS));
    expect(await store.readMark('accounted_for')).toBe(startMs - DAY_MS);
    expect(store.get(RUN)).toBeNull();
    log.answer = answer;
    await timers.advanceBy(60_000);
    await memory.stop();
    expect(store.get(RUN)).not.toBeNull();
    // Less how far clocks may differ.
    expect(await store.readMark('accounted_for')).toBe(startMs + 240_000 - 20_000);
  });

  test('because nobody lets us, it is said once, and done when somebody does', async () => {
    const { memory, timers, store, log, lines } = setUp();
    const { answer } = log;
    log.answer = { type: 'unavailable', reason: 'forbidden', detail: 'no permission', retryAfterMs: null };
    memory.start();
    await timers.advanceBy(185_000);
    expect(lines.filter(([level]) => level === 'warn')).toHaveLength(1);
    log.answer = answer;
    await timers.advanceBy(60_000);
    await memory.stop();
    expect(store.get(RUN)).not.toBeNull();
  });
});

test('a store that is out is waited for', async () => {
  const { memory, timers, store, asked } = setUp();
  store.outage = OUTAGE;
  memory.start();
  await timers.advanceBy(125_000);
  await expect(memory.beginsMs()).rejects.toThrow();
  expect(asked).toEqual([]);
  store.outage = null;
  await timers.advanceBy(60_000);
  await memory.stop();
  expect(asked).toHaveLength(1);
});
