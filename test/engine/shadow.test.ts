import { expect, test } from 'vitest';
import { NEXT_ATTEMPT } from '../core/transition/events.ts';
import { FAILED_AT_MS, RUN, waitingRecord } from '../support/records.ts';
import { createHarness, FAILED } from './harness.ts';

const NOW_MS = FAILED_AT_MS + 60_000;

test('in shadow mode clears are rehearsed, never sent, and said so', async () => {
  const harness = createHarness();
  harness.store.put(waitingRecord({ dueAtMs: NOW_MS }));
  harness.script.rules = { isShadow: true };
  harness.script.policy = { strategy: 'from_failure' };
  harness.worker.start();
  await harness.timers.advanceBy(0);
  expect(harness.clears).toEqual([]);
  expect(harness.rehearsals).toEqual([{ mode: 'from_failure', runOnLatestVersion: false }]);
  expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up', reason: 'would_have_retried', retriesUsed: 1 });
  expect(harness.counts.get('cleared rehearsed')).toBe(1);
  expect([...harness.counts.keys()].filter((name) => name.startsWith('ended'))).toEqual([]);
  expect(harness.lines).toContainEqual(['info', 'shadow mode: would have sent the clear', expect.anything()]);
  expect(harness.lines.filter(([level]) => level === 'error')).toEqual([]);
  expect(harness.sent).toEqual([]);
  await harness.worker.stop();
});

test('a rehearsal that did not get through is made again', async () => {
  const harness = createHarness();
  harness.store.put(waitingRecord({ dueAtMs: NOW_MS }));
  harness.script.rules = { isShadow: true };
  let isOut = true;
  harness.script.rehearse = () =>
    isOut
      ? { type: 'not_applied', reason: 'unreachable', detail: 'out', retryAfterMs: null }
      : { type: 'rehearsed', tasks: 1 };
  harness.worker.start();
  await harness.timers.advanceBy(0);
  expect(harness.store.get(RUN)).toMatchObject({ phase: 'clearing', retriesUsed: 1 });
  isOut = false;
  await harness.timers.advanceBy(60_000);
  expect(harness.store.get(RUN)).toMatchObject({ phase: 'gave_up', reason: 'would_have_retried', retriesUsed: 1 });
  await harness.worker.stop();
});

test('a run that somebody else restarts meanwhile is followed, and its count goes on', async () => {
  const harness = createHarness();
  harness.store.put(waitingRecord({ dueAtMs: NOW_MS }));
  harness.script.rules = { isShadow: true };
  harness.script.policy = { delayMs: 0, maxRetries: 2 };
  harness.worker.start();
  await harness.timers.advanceBy(0);
  harness.script.observe = async () => ({ ...FAILED, fingerprint: NEXT_ATTEMPT });
  const evidence = { startedAtMs: NEXT_ATTEMPT.startedAtMs, clearNumber: 1, runType: null };
  const failure = { ...waitingRecord().failures[0], id: 'second' } as never;
  await harness.swapLoop.apply(RUN, { type: 'failure_reported', failure, evidence, override: null });
  await harness.timers.advanceBy(1_000);
  expect(harness.clears).toEqual([]);
  expect(harness.rehearsals).toHaveLength(2);
  expect(harness.store.get(RUN)).toMatchObject({ retriesUsed: 2, attempt: 2, reason: 'would_have_retried' });
  await harness.worker.stop();
});
