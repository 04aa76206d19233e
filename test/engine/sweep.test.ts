import { describe, expect, test } from 'vitest';
import { BUILT_IN_TIMING } from '../../src/core/rules.ts';
import { formatRunKey, type RunKey } from '../../src/core/run-key.ts';
import { nextRegularLookMs } from '../../src/core/transition/watch-times.ts';
import type { FoundRun } from '../../src/orchestrator/port.ts';
import { FAILED_AT_MS, watchingRecord } from '../support/records.ts';
import { createHarness } from './harness.ts';

const NOW_MS = FAILED_AT_MS + 60_000;
const INTERVAL_MS = BUILT_IN_TIMING.sweepIntervalMs;
const RUNNING: FoundRun = {
  type: 'found',
  state: 'running',
  fingerprint: { queuedAtMs: NOW_MS - 1, startedAtMs: NOW_MS, endedAtMs: null },
  runType: null,
};

/** As many watched runs, over as many Dags, at an orchestrator that takes 50 ms for each request. */
function watch(runs: number, dags: number, canList = true) {
  const harness = createHarness({ concurrency: 16 });
  const active = new Map<string, Map<string, RunKey>>();
  const ended = new Map<string, 'success' | 'missing'>();
  const requests = { looks: 0, lists: 0 };
  for (let run = 0; run < runs; run += 1) {
    const key = { dagId: `dag_${run % dags}`, dagRunId: `scheduled__${run}` };
    const dueAtMs = nextRegularLookMs(key, BUILT_IN_TIMING, NOW_MS);
    harness.store.put(watchingRecord({ ...key, dueAtMs, clearedAtMs: NOW_MS, failures: [], checks: 0 }));
    const ofDag = active.get(key.dagId) ?? new Map<string, RunKey>();
    active.set(key.dagId, ofDag.set(key.dagRunId, key));
  }
  const answer = () => new Promise<void>((resolve) => void harness.timers.schedule(50, resolve));
  harness.script.observe = async (key) => {
    requests.looks += 1;
    await answer();
    const how = ended.get(formatRunKey(key));
    if (how === 'missing') return { type: 'missing' };
    return how === 'success' ? { ...RUNNING, state: 'success' } : RUNNING;
  };
  harness.script.activeRuns = async (dagIds, skip) => {
    requests.lists += 1;
    const keys = dagIds.flatMap((dagId) => [...(active.get(dagId)?.values() ?? [])]);
    const page = keys.slice(skip, skip + 100);
    await answer();
    if (!canList) return { type: 'unavailable', reason: 'forbidden', detail: '', retryAfterMs: null };
    return { type: 'found', runs: page.map((key) => ({ key, run: RUNNING })), rows: page.length, total: keys.length };
  };
  return {
    harness,
    requests,
    end(run: number, how: 'success' | 'missing'): RunKey {
      const key = { dagId: `dag_${run % dags}`, dagRunId: `scheduled__${run}` };
      ended.set(formatRunKey(key), how);
      active.get(key.dagId)?.delete(key.dagRunId);
      return key;
    },
    /** Requests in the next minute. */
    async minute() {
      const before = { ...requests };
      await harness.timers.advanceBy(60_000);
      return { looks: requests.looks - before.looks, lists: requests.lists - before.lists };
    },
  };
}

describe('two thousand watched runs', () => {
  test.each([
    ['of one Dag', 1, true, 300],
    ['of a hundred Dags', 100, true, 300],
    ['of a hundred Dags, where runs may not be listed', 100, false, 2_900],
  ])(
    '%s',
    async (name, dags, canList, limit) => {
      const { harness, minute } = watch(2_000, dags, canList);
      harness.worker.start();
      await harness.timers.advanceBy(60_000);
      const asked = await minute();
      await harness.worker.stop();
      process.stdout.write(`2,000 watched runs ${name}: ${asked.looks} looks and ${asked.lists} lists a minute\n`);
      expect(asked.looks + asked.lists).toBeLessThan(limit);
      expect(asked.looks + asked.lists).toBeGreaterThan(10);
    },
    60_000,
  );

  test('three are cheaper one by one', async () => {
    const { harness, minute } = watch(3, 1);
    harness.worker.start();
    await harness.timers.advanceBy(60_000);
    expect(await minute()).toMatchObject({ lists: 0 });
    await harness.worker.stop();
  });
});

test('what ended or was deleted without a word is found within the interval', async () => {
  const { harness, end, requests } = watch(500, 5);
  harness.worker.start();
  await harness.timers.advanceBy(100_000);
  const keys = [7, 11, 203, 204].map((run) => end(run, run % 2 === 0 ? 'missing' : 'success'));
  const looksBefore = requests.looks;
  // Half a second for what is under way.
  await harness.timers.advanceBy(INTERVAL_MS + 500);
  expect(keys.map((key) => harness.store.get(key))).toEqual(keys.map(() => null));
  expect(requests.looks - looksBefore).toBeLessThan(100);
  await harness.worker.stop();
});

test('a callback’s hint is not answered by a list: the run is read', async () => {
  const { harness, end } = watch(500, 1);
  harness.worker.start();
  await harness.timers.advanceBy(100_000);
  const key = end(42, 'success');
  await harness.intake.report(key, { type: 'success_reported' });
  await harness.timers.advanceBy(200);
  expect(harness.store.get(key)).toBeNull();
  await harness.worker.stop();
});
