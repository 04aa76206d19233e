import { describe, expect, test } from 'vitest';
import type { RecordIn, RunRecord } from '../../src/core/record.ts';
import { MISSING, NEXT_ATTEMPT, running } from '../core/transition/events.ts';
import { ALERT, FAILED_AT_MS, RUN, waitingRecord, watchingRecord } from '../support/records.ts';
import { createHarness, FAILED, gate } from './harness.ts';

const NOW_MS = FAILED_AT_MS + 60_000;
const due = waitingRecord({ dueAtMs: NOW_MS });

function started() {
  const harness = createHarness();
  harness.store.put(due);
  harness.worker.start();
  return harness;
}

describe('sending a clear', () => {
  test('happens after the swap that spends the retry, with what the policy says', async () => {
    const harness = createHarness();
    harness.store.put(due);
    harness.script.policy = { strategy: 'from_failure', runOnLatestVersion: true };
    harness.script.clear = () => {
      expect(harness.store.get(RUN)).toMatchObject({ phase: 'clearing', retriesUsed: 1, clearsSent: 1 });
      return { type: 'accepted', run: null };
    };
    harness.worker.start();
    await harness.timers.advanceBy(0);
    expect(harness.clears).toEqual([{ mode: 'from_failure', runOnLatestVersion: true }]);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'watching', attempt: 2 });
    await harness.worker.stop();
  });

  test('is left out once its time is over: another replica may have read the run by then', async () => {
    const harness = createHarness();
    harness.store.put(due);
    const { rulesFor } = harness.policies;
    const asking = gate();
    harness.policies.rulesFor = async (...args) => {
      // The policy that the request is made of takes its time.
      if (harness.store.get(RUN)?.phase === 'clearing') await asking.passed;
      return await rulesFor(...args);
    };
    harness.worker.start();
    await harness.timers.advanceBy(0);
    const { sendByMs, dueAtMs } = harness.store.get(RUN) as RecordIn<'clearing'>;
    expect([sendByMs, dueAtMs]).toEqual([NOW_MS + 5_000, NOW_MS + 45_000]);
    await harness.timers.advanceBy(5_001);
    asking.open();
    await harness.timers.advanceBy(0);
    expect(harness.clears).toEqual([]);
    expect(harness.counts.get('cleared too_late')).toBe(1);
    // When it can no longer be under way the run is read, and it is sent anew on the same retry.
    await harness.timers.advanceTo(dueAtMs - 1);
    expect(harness.clears).toEqual([]);
    await harness.timers.advanceBy(1_000);
    expect(harness.clears).toHaveLength(1);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'watching', retriesUsed: 1, clearsSent: 2 });
    await harness.worker.stop();
  });

  test('just in time is sent', async () => {
    const harness = createHarness();
    harness.store.put(due);
    const { rulesFor } = harness.policies;
    const asking = gate();
    harness.policies.rulesFor = async (...args) => {
      if (harness.store.get(RUN)?.phase === 'clearing') await asking.passed;
      return await rulesFor(...args);
    };
    harness.worker.start();
    await harness.timers.advanceBy(5_000);
    asking.open();
    await harness.timers.advanceBy(0);
    expect(harness.clears).toHaveLength(1);
    await harness.worker.stop();
  });

  test('is not sent once somebody holds the run, nor when another replica has moved it on', async () => {
    const change = async (altered: (record: RunRecord) => RunRecord) => {
      const harness = createHarness();
      harness.store.put(due);
      const { rulesFor } = harness.policies;
      let isChanged = false;
      harness.policies.rulesFor = async (...args) => {
        const record = harness.store.get(RUN);
        if (record?.phase === 'clearing' && !isChanged) {
          isChanged = true;
          harness.store.put(altered(record));
        }
        return await rulesFor(...args);
      };
      harness.worker.start();
      await harness.timers.advanceBy(0);
      await harness.worker.stop();
      return harness;
    };
    const held = await change((record) => ({ ...record, held: { actor: 'anna', comment: 'wait', atMs: NOW_MS } }));
    expect(held.clears).toEqual([]);
    expect(held.store.get(RUN)).toMatchObject({ phase: 'clearing', checks: 1, held: { actor: 'anna' } });
    const moved = await change((record) => ({ ...record, clearsSent: record.clearsSent + 1 }));
    expect(moved.clears).toEqual([]);
  });

  test('whose answer got lost is read before it is repeated', async () => {
    const harness = started();
    harness.script.clear = () => ({ type: 'unknown', reason: 'timed_out', detail: 'no answer' });
    await harness.timers.advanceBy(44_999);
    expect(harness.clears).toHaveLength(1);
    harness.script.observe = async () => ({ ...FAILED, state: 'running', fingerprint: running(NEXT_ATTEMPT) });
    await harness.timers.advanceBy(1);
    expect(harness.clears).toHaveLength(1);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'watching', attempt: 2, retriesUsed: 1 });
    await harness.worker.stop();
  });

  test('that nobody survived to answer is repeated after its time, not before', async () => {
    const harness = started();
    harness.script.clear = () => Promise.reject(new Error('killed'));
    await harness.timers.advanceBy(0);
    harness.script.clear = () => ({ type: 'accepted', run: null });
    await harness.timers.advanceBy(44_999);
    expect(harness.clears).toHaveLength(1);
    await harness.timers.advanceBy(1);
    expect(harness.clears).toHaveLength(2);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'watching', retriesUsed: 1, clearsSent: 2 });
    await harness.worker.stop();
  });

  test('of failed tasks that matches none is followed at once by one of all tasks, and there it ends', async () => {
    const harness = createHarness();
    harness.store.put(due);
    harness.script.policy = { strategy: 'from_failure' };
    harness.script.clear = () => ({ type: 'accepted', run: FAILED });
    harness.worker.start();
    await harness.timers.advanceBy(0);
    expect(harness.clears.map(({ mode }) => mode)).toEqual(['from_failure', 'all_tasks']);
    expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up', reason: 'clear_had_no_effect', retriesUsed: 1 });
    await harness.worker.stop();
  });

  test('that is refused for good ends in an alert', async () => {
    const harness = started();
    harness.script.clear = () => ({ type: 'refused', detail: 'POST clear answered 422' });
    await harness.timers.advanceBy(0);
    expect(harness.sent).toMatchObject([{ reason: 'clear_refused' }]);
    expect(harness.store.get(RUN)?.history.map(({ detail }) => detail)).toContain('POST clear answered 422');
    await harness.worker.stop();
  });
});

test('a restart by a person that has failed into the cap by the time it is seen is noted and counted as both', async () => {
  const harness = createHarness();
  harness.store.put(waitingRecord({ dueAtMs: NOW_MS, retriesUsed: 1 }));
  harness.script.policy = { maxRetries: 1 };
  harness.script.observe = async () => ({ ...FAILED, fingerprint: NEXT_ATTEMPT });
  harness.worker.start();
  await harness.timers.advanceBy(0);
  await harness.worker.stop();
  const entries = harness.store.journal.entries();
  expect(entries).toMatchObject([{ type: 'restarted' }, { type: 'gave_up', reason: 'max_retries_reached' }]);
  expect(harness.counts.get('happened restarted restarted_by_person')).toBe(1);
  expect(harness.counts.get('happened gave_up max_retries_reached')).toBe(1);
  expect(harness.clears).toEqual([]);
});

describe('what is told of the end', () => {
  test.each([
    ['recovered', async () => ({ ...FAILED, state: 'success' }) as const, 'happened recovered run_succeeded'],
    ['gone', async () => MISSING.observation as { type: 'missing' }, 'happened ended run_missing'],
  ] as const)('%s, also where its record stays for unsent alerts', async (name, observe, counted) => {
    for (const outbox of [[], [{ ...ALERT, nextTryAtMs: NOW_MS + 10_000 }]]) {
      const harness = createHarness();
      harness.store.put(watchingRecord({ dueAtMs: NOW_MS, outbox }));
      harness.script.observe = observe as typeof harness.script.observe;
      harness.worker.start();
      await harness.timers.advanceBy(0);
      expect(harness.counts.get(counted)).toBe(1);
      expect(harness.lines.filter(([level]) => level === 'error')).toEqual([]);
      await harness.timers.advanceBy(20_000);
      expect(harness.store.get(RUN)).toBeNull();
      const kinds = name === 'recovered' ? ['gave_up', 'recovered'] : ['gave_up'];
      expect(harness.sent.map(({ kind }) => kind)).toEqual(outbox.length === 0 ? [] : kinds);
      expect([...harness.counts.keys()].filter((name) => name.startsWith('happened'))).toEqual([counted]);
      await harness.worker.stop();
    }
  });
});
