import { describe, expect, test } from 'vitest';
import type { AuditEntry, AuditTrail } from '../../src/orchestrator/port.ts';
import {
  clearingRecord,
  confirmingRecord,
  FINGERPRINT,
  gaveUpRecord,
  givingUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../support/records.ts';
import { createFailedRunsList } from './failed-runs.ts';
import { createHarness } from './harness.ts';
import { OUTAGE } from './memory-store.ts';

const INTERVAL_MS = 30_000;
const LOOK_BACK_MS = 24 * 3_600_000;
const SETTINGS = { intervalMs: INTERVAL_MS, lookBackMs: LOOK_BACK_MS };
const NEW = { dagId: 'etl', dagRunId: 'r1' };

const entry = (action: AuditEntry['action'], owner: string | null = 'anna'): AuditEntry => ({
  action,
  atMs: 1,
  isOurs: false,
  owner,
  taskId: null,
});
const trailOf = (...entries: AuditEntry[]): AuditTrail => ({ type: 'found', entries, isComplete: true, knowsUs: true });
const UNAVAILABLE = { type: 'unavailable', reason: 'timed_out', detail: 'no answer', retryAfterMs: null } as const;

/** A search that has been at it for an hour, over an orchestrator that lists what the test adds. */
async function setUp() {
  const harness = createHarness();
  const list = createFailedRunsList();
  const trails = { answer: trailOf() as AuditTrail, asked: 0 };
  harness.script.failedRuns = (from) => list.page(from);
  harness.script.auditTrail = async () => {
    trails.asked += 1;
    return trails.answer;
  };
  const search = harness.openSearch(SETTINGS);
  search.start();
  await harness.timers.advanceBy(3_600_000);
  list.asked.length = 0;
  const { timers, store, lines } = harness;
  const messages = (level: string) => lines.filter(([one]) => one === level).map(([, message]) => message);
  const failNow = (dagRunId = NEW.dagRunId, dagId = NEW.dagId) => list.add(dagId, dagRunId, timers.nowMs());
  return { ...harness, list, trails, search, messages, failNow, found: () => store.get(NEW) };
}

describe('a failed run of which nobody has told', () => {
  test('is taken up after the time in which its callback may come', async () => {
    const { timers, found, failNow, counts } = await setUp();
    failNow();
    await timers.advanceBy(9_000);
    expect(found()).toBeNull();
    await timers.advanceBy(INTERVAL_MS + 1_000);
    expect(found()).toMatchObject({
      phase: 'confirming',
      attempt: 1,
      runType: 'scheduled',
      failures: [{ taskId: null, failureClass: 'task_error', message: 'failed without a callback' }],
    });
    expect(counts.get('foundFailed taken_up')).toBe(1);
  });

  test('is never taken up so early that its callback could not have come', async () => {
    const { timers, store, failNow } = await setUp();
    for (let number = 0; number < 40; number += 1) {
      failNow(`r${number}`);
      await timers.advanceBy(9_999);
      expect(store.get({ ...NEW, dagRunId: `r${number}` })).toBeNull();
      await timers.advanceBy(1_701);
    }
  });

  test('has failed through the infrastructure where the audit log says so', async () => {
    const { timers, found, failNow, trails } = await setUp();
    trails.answer = trailOf(entry('task_lost'));
    failNow();
    await timers.advanceBy(60_000);
    expect(found()).toMatchObject({ failures: [{ failureClass: 'infra' }] });
  });

  test('but not where an earlier attempt has', async () => {
    const { timers, found, failNow, trails } = await setUp();
    trails.answer = trailOf(entry('task_lost'), entry('cleared'));
    failNow();
    await timers.advanceBy(60_000);
    expect(found()).toMatchObject({ failures: [{ failureClass: 'task_error' }] });
  });

  test('is taken up although its end lies ahead: clocks differ', async () => {
    const { timers, found, list } = await setUp();
    list.add(NEW.dagId, NEW.dagRunId, timers.nowMs() + 3_600_000);
    await timers.advanceBy(INTERVAL_MS);
    expect(found()).not.toBeNull();
  });

  test('is taken up although it came to light minutes after its end', async () => {
    const { timers, found, list } = await setUp();
    list.add('etl', 'another', timers.nowMs());
    await timers.advanceBy(120_000);
    list.add(NEW.dagId, NEW.dagRunId, timers.nowMs() - 9 * 60_000);
    await timers.advanceBy(INTERVAL_MS);
    expect(found()).not.toBeNull();
  });

  test('leaves its record to a callback that comes at the same moment', async () => {
    const { timers, found, failNow, store } = await setUp();
    failNow();
    const theirs = { ...confirmingRecord(), ...NEW };
    store.beforeSwap = () => {
      store.beforeSwap = () => {};
      store.put(theirs);
    };
    await timers.advanceBy(120_000);
    expect(found()).toEqual(theirs);
  });

  test('is stopped for good by a person of whom the audit log does not tell', async () => {
    const { timers, found, failNow, script, counts } = await setUp();
    const tasks = [{ taskId: 'load', mapIndex: -1, tryNumber: 1, operator: null }];
    const asked: number[] = [];
    script.stoppedTasks = async (_key, sinceMs) => {
      asked.push(sinceMs);
      return { type: 'found', tasks };
    };
    const { run } = failNow();
    await timers.advanceBy(300_000);
    expect([found(), asked]).toEqual([null, [run.fingerprint.startedAtMs]]);
    expect(counts.get('foundFailed stopped_by_person')).toBe(1);
  });

  test('waits while nobody can tell whether its tasks were stopped, and is not retried where nobody may', async () => {
    const { timers, found, failNow, script, counts } = await setUp();
    const { stoppedTasks } = script;
    script.stoppedTasks = async () => UNAVAILABLE;
    failNow();
    await timers.advanceBy(120_000);
    expect(found()).toBeNull();
    script.stoppedTasks = stoppedTasks;
    await timers.advanceBy(60_000);
    expect(found()).toMatchObject({ phase: 'confirming' });
    script.stoppedTasks = async () => ({ ...UNAVAILABLE, reason: 'forbidden' });
    failNow('r2');
    await timers.advanceBy(120_000);
    expect(counts.get('foundFailed audit_log_untold')).toBe(1);
  });

  test('is stopped for good by a person who has set it to failed', async () => {
    const { timers, found, failNow, trails, counts, messages } = await setUp();
    trails.answer = trailOf(entry('marked_failed'), entry('task_lost', null));
    failNow();
    await timers.advanceBy(300_000);
    expect([found(), trails.asked]).toEqual([null, 1]);
    expect(counts.get('foundFailed stopped_by_person')).toBe(1);
    expect(messages('info')).toContain('found failed, but a person has set it to failed: not retried');
  });

  test.each<[string, AuditTrail]>([
    ['may not be read', { ...UNAVAILABLE, reason: 'forbidden' }],
    ['cannot be asked by run', { type: 'found', entries: [], isComplete: false, knowsUs: true }],
  ])('is not retried where the audit log %s, and that is said loudly', async (_name, answer) => {
    const { timers, store, failNow, trails, counts, messages } = await setUp();
    trails.answer = answer;
    failNow('r1');
    failNow('r2');
    await timers.advanceBy(300_000);
    expect([store.get(NEW), store.get({ ...NEW, dagRunId: 'r2' }), trails.asked]).toEqual([null, null, 2]);
    expect(counts.get('foundFailed audit_log_untold')).toBe(2);
    expect([messages('error').length, messages('warn').length]).toEqual([1, 1]);
  });

  test.each(['the audit log', "the Dag's tags", 'the list'])('is found again once %s can be read', async (what) => {
    const { timers, found, failNow, trails, script, list } = await setUp();
    failNow();
    const set = (isOut: boolean) => {
      if (what === 'the audit log') trails.answer = isOut ? UNAVAILABLE : trailOf();
      else if (what === 'the list') list.outage = isOut ? UNAVAILABLE : null;
      else script.areTagsKnown = !isOut;
    };
    set(true);
    await timers.advanceBy(3 * 3_600_000);
    expect(found()).toBeNull();
    set(false);
    await timers.advanceBy(2 * INTERVAL_MS);
    expect(found()).not.toBeNull();
  });
});

describe('the policy', () => {
  test('keeps the runs of a Dag without retries from costing a request each', async () => {
    const { timers, store, failNow, trails, script, list } = await setUp();
    script.policy = { maxRetries: 0 };
    for (let number = 0; number < 50; number += 1) failNow(`r${number}`);
    await timers.advanceBy(300_000);
    expect([store.swaps, trails.asked, list.asked.length]).toEqual([0, 0, 10]);
  });

  test('decides by class: what only the infrastructure may be retried for is looked at', async () => {
    const { timers, store, failNow, trails, script } = await setUp();
    script.policy = { retryOn: ['infra'] };
    failNow();
    await timers.advanceBy(60_000);
    expect([store.get(NEW), trails.asked]).toEqual([null, 1]);
    trails.answer = trailOf(entry('task_lost'));
    failNow('r2');
    await timers.advanceBy(60_000);
    expect(store.get({ ...NEW, dagRunId: 'r2' })).toMatchObject({ phase: 'confirming' });
  });
});

describe('a record that is there', () => {
  const PREVIOUS_MS = FINGERPRINT.startedAtMs ?? 0;

  test.each([
    ['confirming', confirmingRecord()],
    ['waiting', waitingRecord()],
    ['clearing', clearingRecord()],
    ['watching', watchingRecord()],
    ['giving_up', givingUpRecord({ fingerprint: FINGERPRINT })],
    ['gave_up', gaveUpRecord({ fingerprint: FINGERPRINT })],
    ['gave_up, unseen', gaveUpRecord({ fingerprint: null })],
  ])('knows of the attempt: %s', async (_phase, record) => {
    const { timers, store, list, trails } = await setUp();
    store.put(record);
    list.add(RUN.dagId, RUN.dagRunId, timers.nowMs(), PREVIOUS_MS);
    await timers.advanceBy(120_000);
    expect([store.get(RUN), trails.asked]).toEqual([record, 0]);
  });

  test.each([
    ['confirming', confirmingRecord()],
    ['waiting', waitingRecord()],
    ['clearing', clearingRecord()],
    ['watching', watchingRecord()],
  ])('finds out by itself that a later attempt has failed: %s', async (_phase, record) => {
    const { timers, store, list, trails } = await setUp();
    store.put(record);
    list.add(RUN.dagId, RUN.dagRunId, timers.nowMs());
    await timers.advanceBy(120_000);
    expect([store.get(RUN), trails.asked]).toEqual([record, 0]);
  });

  test.each([
    ['giving_up', givingUpRecord({ fingerprint: FINGERPRINT })],
    ['gave_up', gaveUpRecord({ fingerprint: FINGERPRINT })],
  ])('counts anew when what a person has restarted fails as well: %s', async (_phase, record) => {
    const { timers, store, list } = await setUp();
    store.put(record);
    list.add(RUN.dagId, RUN.dagRunId, timers.nowMs());
    await timers.advanceBy(120_000);
    expect(store.get(RUN)).toMatchObject({ phase: 'confirming', retriesUsed: 0, attempt: record.attempt + 1 });
  });

  test('that has ended is not begun again by the same attempt', async () => {
    const { timers, store, failNow, found, trails } = await setUp();
    failNow();
    await timers.advanceBy(60_000);
    const version = (await store.load(NEW))?.version ?? 0;
    await store.compareAndSwap(NEW, version, null);
    await timers.advanceBy(20 * 60_000);
    expect([found(), trails.asked]).toEqual([null, 1]);
  });
});

test('a store that is out is waited for, and nothing is missed', async () => {
  const { timers, store, failNow, found, search } = await setUp();
  store.outage = OUTAGE;
  failNow();
  await timers.advanceBy(3 * 3_600_000);
  store.outage = null;
  await timers.advanceBy(2 * INTERVAL_MS);
  expect(found()).not.toBeNull();
  await search.stop();
  expect(timers.pending()).toBe(0);
});
