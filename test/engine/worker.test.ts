import { describe, expect, test } from 'vitest';
import type { RunRecord } from '../../src/core/record.ts';
import type { RunKey } from '../../src/core/run-key.ts';
import { failed } from '../core/transition/events.ts';
import {
  ALERT,
  confirmingRecord,
  FAILED_AT_MS,
  gaveUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../support/records.ts';
import { createHarness, FAILED, gate, type Harness } from './harness.ts';
import { OUTAGE } from './memory-store.ts';

const NOW_MS = FAILED_AT_MS + 60_000;
const runs = (count: number): RunKey[] =>
  Array.from({ length: count }, (_, index) => ({ dagId: 'daily_sales', dagRunId: `run-${index}` }));
/** Their delay is over, and they are due in this order. */
const due = (key: RunKey, index = 0) => waitingRecord({ ...key, dueAtMs: NOW_MS - 1_000 + index });
const phases = ({ store }: Harness, keys: readonly RunKey[]) => keys.map((key) => store.get(key)?.phase ?? null);
const alert = { ...ALERT, nextTryAtMs: NOW_MS };

describe('taking what is due', () => {
  test('begins no more than it has places for, and leases no more than it begins', async () => {
    const harness = createHarness({ concurrency: 3 });
    const keys = runs(10);
    keys.forEach((key, index) => void harness.store.put(due(key, index)));
    const looking = gate();
    let now = 0;
    let most = 0;
    harness.script.observe = async () => {
      now += 1;
      most = Math.max(most, now);
      await looking.passed;
      now -= 1;
      return FAILED;
    };
    harness.worker.start();
    await harness.timers.advanceBy(5_000);
    expect(most).toBe(3);
    expect(keys.filter((key) => (harness.store.indexedAtMs(key) ?? 0) > NOW_MS)).toEqual(keys.slice(0, 3));
    looking.open();
    await harness.timers.advanceBy(0);
    expect(phases(harness, keys)).toEqual(keys.map(() => 'watching'));
    expect(most).toBe(3);
    expect(harness.clears).toHaveLength(10);
    await harness.worker.stop();
  });

  test('looks at once at what was reported, without waiting to poll', async () => {
    const harness = createHarness({ pollIntervalMs: 3_600_000 });
    harness.worker.start();
    await harness.timers.advanceBy(10);
    await harness.intake.report(RUN, failed());
    await harness.timers.advanceBy(0);
    // Also what falls due by that: the delay has been over since the run ended a minute ago.
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'watching' });
    await harness.worker.stop();
  });

  test('finds by polling what another replica scheduled', async () => {
    const harness = createHarness();
    harness.worker.start();
    await harness.timers.advanceBy(10);
    harness.store.put(due(RUN));
    await harness.timers.advanceBy(1_000);
    expect(harness.clears).toHaveLength(1);
    await harness.worker.stop();
  });

  test('sends the alerts of a run that a person holds, and does not look at it', async () => {
    const harness = createHarness();
    const held = { actor: 'anna', comment: '', atMs: NOW_MS };
    harness.store.put({ ...due(RUN), held, outbox: [alert] });
    harness.script.observe = () => Promise.reject(new Error('must not be asked'));
    harness.worker.start();
    await harness.timers.advanceBy(0);
    expect(harness.sent).toHaveLength(1);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'waiting', held, outbox: [] });
    await harness.worker.stop();
  });

  test('leaves a run alone that a person holds', async () => {
    const harness = createHarness();
    harness.store.put({ ...due(RUN), held: { actor: 'anna', comment: '', atMs: NOW_MS } });
    harness.worker.start();
    await harness.timers.advanceBy(600_000);
    expect(harness.clears).toEqual([]);
    await harness.worker.stop();
  });

  test('lets a tombstone expire without asking the orchestrator', async () => {
    const harness = createHarness();
    harness.store.put(gaveUpRecord({ expiresAtMs: NOW_MS, dueAtMs: NOW_MS }));
    harness.script.observe = () => Promise.reject(new Error('must not be asked'));
    harness.worker.start();
    await harness.timers.advanceBy(0);
    expect(harness.store.get(RUN)).toBeNull();
    await harness.worker.stop();
  });
});

describe('what goes wrong', () => {
  test('with one run does not keep the others waiting, and it is taken again after its lease', async () => {
    const harness = createHarness({ concurrency: 1 });
    const [bad, good] = runs(2) as [RunKey, RunKey];
    harness.store.put(due(bad, 0));
    harness.store.put(due(good, 1));
    let isBroken = true;
    harness.script.observe = async ({ dagRunId }) => {
      if (isBroken && dagRunId === bad.dagRunId) throw new Error('a bug');
      return FAILED;
    };
    harness.worker.start();
    await harness.timers.advanceBy(0);
    expect(phases(harness, [bad, good])).toEqual(['waiting', 'watching']);
    expect(harness.counts.get('workFailed')).toBe(1);
    isBroken = false;
    await harness.timers.advanceBy(89_000);
    expect(phases(harness, [bad])).toEqual(['waiting']);
    await harness.timers.advanceBy(2_000);
    expect(phases(harness, [bad])).toEqual(['watching']);
    await harness.worker.stop();
  });

  test('with the store is waited out', async () => {
    const harness = createHarness();
    harness.store.put(due(RUN));
    harness.store.outage = OUTAGE;
    harness.worker.start();
    await harness.timers.advanceBy(10_000);
    const said = () => harness.lines.filter(([level]) => level !== 'debug').map(([level, message]) => [level, message]);
    expect(said()).toEqual([['warn', 'could not ask the store what is due']]);
    harness.store.outage = null;
    await harness.timers.advanceBy(1_000);
    expect(harness.clears).toHaveLength(1);
    expect(said()).toContainEqual(['info', 'the store tells again what is due']);
    await harness.worker.stop();
  });

  test('a record that is gone is counted anew from the audit log, and given up at the cap', async () => {
    const harness = createHarness();
    harness.store.put(due(RUN));
    harness.store.lose(RUN);
    const ours = { action: 'cleared', isOurs: true, owner: 'dagain', taskId: null } as const;
    const entries = [1, 2].map((hour) => ({ ...ours, atMs: FAILED_AT_MS - hour * 3_600_000 }));
    harness.script.auditTrail = async () => ({ type: 'found', entries, isComplete: true, knowsUs: true });
    harness.worker.start();
    await harness.timers.advanceBy(5 * 60_000);
    expect(harness.clears).toEqual([]);
    expect(harness.sent).toMatchObject([{ kind: 'gave_up', reason: 'max_retries_reached', retriesUsed: 2 }]);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up', attempt: 3, retriesUsed: 2, maxRetries: 2 });
    await harness.worker.stop();
  });

  test('a record that is gone, where the audit log may not be read, is given up with an alert', async () => {
    const harness = createHarness();
    harness.store.put(due(RUN));
    harness.store.lose(RUN);
    const forbidden = { type: 'unavailable', reason: 'forbidden', detail: 'not allowed', retryAfterMs: null } as const;
    harness.script.auditTrail = async () => forbidden;
    harness.worker.start();
    await harness.timers.advanceBy(5 * 60_000);
    expect(harness.clears).toEqual([]);
    expect(harness.sent).toMatchObject([{ kind: 'gave_up', reason: 'state_lost', key: RUN }]);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up', reason: 'state_lost' });
    await harness.worker.stop();
  });
});

describe('a look', () => {
  test('that was made before a callback came in counts for nothing', async () => {
    const harness = createHarness();
    harness.store.put(due(RUN));
    const looking = gate();
    harness.script.observe = async () => {
      await looking.passed;
      return FAILED;
    };
    harness.worker.start();
    await harness.timers.advanceBy(0);
    await harness.intake.report(RUN, failed({ exceptionType: 'AirflowFailException' }));
    looking.open();
    await harness.timers.advanceBy(0);
    expect(harness.clears).toEqual([]);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up', reason: 'never_on', retriesUsed: 0 });
    await harness.worker.stop();
  });

  test('that was made before another replica cleared the run does not pass for its new attempt', async () => {
    const harness = createHarness();
    harness.store.put(due(RUN));
    const looking = gate();
    harness.script.observe = async () => {
      await looking.passed;
      return FAILED;
    };
    harness.worker.start();
    await harness.timers.advanceBy(0);
    const cleared = watchingRecord({ dueAtMs: NOW_MS + 600_000 });
    harness.store.put(cleared);
    looking.open();
    await harness.timers.advanceBy(0);
    expect(harness.store.get(RUN)).toBe(cleared);
    await harness.worker.stop();
  });

  test('is not made while the Dag’s tags cannot be read: without them nothing is decided', async () => {
    const harness = createHarness();
    harness.store.put(due(RUN));
    harness.script.areTagsKnown = false;
    harness.script.observe = () => Promise.reject(new Error('must not be asked'));
    harness.worker.start();
    await harness.timers.advanceBy(60_000);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'waiting' });
    expect(harness.counts.get('stepped orchestrator_unavailable')).toBeGreaterThan(3);
    await harness.worker.stop();
  });

  test('names the tasks that failed where no callback has', async () => {
    const harness = createHarness();
    harness.script.policy = { onlyTasks: ['publish'] };
    harness.script.failedTasks = async () => ({
      type: 'found',
      tasks: [{ taskId: 'load', mapIndex: -1, tryNumber: 1, operator: null }],
    });
    harness.store.put(confirmingRecord({ failures: [], retriesUsed: 1, retriesUsedByClass: { task_error: 1 } }));
    harness.worker.start();
    await harness.timers.advanceBy(0);
    expect(harness.store.get(RUN)).toMatchObject({ reason: 'task_not_selected' });
    await harness.worker.stop();
  });
});

test('nothing is taken before the start', async () => {
  const harness = createHarness();
  harness.store.put(due(RUN));
  await harness.intake.report({ ...RUN, dagRunId: 'other' }, failed());
  await harness.timers.advanceBy(600_000);
  expect(harness.clears).toEqual([]);
  expect(harness.store.get(RUN)).toMatchObject({ phase: 'waiting' });
});

describe('from a failure to its end', () => {
  test('retries up to the cap, then one alert that is accepted, then a tombstone, then nothing', async () => {
    const harness = createHarness();
    harness.script.policy = { delayMs: 60_000, maxRetries: 2 };
    let startedAtMs = FAILED_AT_MS;
    harness.script.observe = async () => ({
      ...FAILED,
      fingerprint: { queuedAtMs: startedAtMs, startedAtMs, endedAtMs: startedAtMs },
    });
    harness.script.clear = () => {
      startedAtMs = harness.timers.nowMs();
      return { type: 'accepted', run: null };
    };
    let refusals = 3;
    harness.script.channels = {
      webhook: () => {
        refusals -= 1;
        return refusals < 0 ? { type: 'accepted' } : { type: 'retryable', detail: '503', retryAfterMs: null };
      },
    };
    harness.worker.start();
    await harness.intake.report(RUN, failed());
    await harness.timers.advanceUntil(() => harness.store.get(RUN)?.phase === 'gave_up');
    expect(harness.clears).toHaveLength(2);
    expect(new Set(harness.sent.map(({ dedupeKey }) => dedupeKey)).size).toBe(1);
    expect(harness.sent).toHaveLength(4);
    const tombstone = harness.store.get(RUN) as RunRecord;
    expect(tombstone).toMatchObject({ reason: 'max_retries_reached', retriesUsed: 2, attempt: 3 });
    await harness.timers.advanceBy(7 * 24 * 3_600_000 + 1_000);
    expect(harness.store.get(RUN)).toBeNull();
    await harness.worker.stop();
  });
});
