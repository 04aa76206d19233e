import { expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import type { JournalEntry } from '../../src/core/journal.ts';
import { EVERYTHING } from '../../src/core/pause.ts';
import type { PauseRequest } from '../../src/engine/pauses.ts';
import { FAILED_AT_MS, FAILURE, RUN, waitingRecord, watchingRecord } from '../support/records.ts';
import { createHarness } from './harness.ts';
import { OUTAGE } from './memory-store.ts';

const NOW_MS = FAILED_AT_MS + 60_000;
const SWEEP_MS = 60_000;

const request = (action: PauseRequest['action'], scope = RUN.dagId): PauseRequest => ({
  ...{ scope, action, actor: 'ann', comment: 'the warehouse is down' },
});

function setUp() {
  const harness = createHarness();
  harness.store.put(waitingRecord({ dueAtMs: NOW_MS, retryAtMs: NOW_MS }));
  return { ...harness, pauses: harness.desk.pauses };
}

test.each([RUN.dagId, EVERYTHING])('a pause of %s: nothing is asked or cleared until it is resumed', async (scope) => {
  const { worker, timers, clears, store, pauses, script, counts } = setUp();
  let looks = 0;
  const { observe } = script;
  script.observe = (key) => {
    looks += 1;
    return observe(key);
  };
  await pauses.set(request('pause', scope));
  worker.start();
  await timers.advanceBy(5 * SWEEP_MS);
  expect({ clears, looks }).toEqual({ clears: [], looks: 0 });
  expect(store.get(RUN)).toMatchObject({ phase: 'waiting', retriesUsed: 0, retryAtMs: NOW_MS });
  expect(counts.get('stepped paused_by_operator')).toBeGreaterThan(3);
  await pauses.set(request('resume', scope));
  await timers.advanceBy(SWEEP_MS);
  expect(clears).toHaveLength(1);
  await worker.stop();
});

test('a pause of another Dag stops nothing here', async () => {
  const { worker, timers, clears, pauses } = setUp();
  await pauses.set(request('pause', 'another'));
  worker.start();
  await timers.advanceBy(0);
  expect(clears).toHaveLength(1);
  await worker.stop();
});

test('while paused a failure is counted and answered so, and a run that is watched is still looked at', async () => {
  const { worker, timers, intake, pauses, store, script } = setUp();
  await pauses.set(request('pause'));
  const evidence = { startedAtMs: null, clearNumber: null, runType: null };
  const other = { ...RUN, dagRunId: 'other' };
  const failure = { ...FAILURE, failedAtMs: NOW_MS };
  const answer = await intake.report(other, { type: 'failure_reported', failure, evidence, override: null });
  expect(answer).toMatchObject({ decision: 'held', reason: 'paused_by_operator' });
  expect(store.get(other)).toMatchObject({ phase: 'confirming' });
  const watched = { ...RUN, dagRunId: 'watched' };
  store.put(watchingRecord({ ...watched, dueAtMs: NOW_MS }));
  script.observe = async () => ({ type: 'missing' });
  worker.start();
  await timers.advanceBy(1_000);
  expect(store.get(watched)).toBeNull();
  await worker.stop();
});

test('a pause that comes while Airflow is looked at is held against the clear', async () => {
  const { stepper, store, script, pauses, clears } = setUp();
  const current = await store.load(RUN);
  const { observe } = script;
  script.observe = async (key) => {
    await pauses.set(request('pause'));
    return await observe(key);
  };
  if (current !== null) await stepper.step(RUN, current);
  expect(clears).toEqual([]);
  expect(store.get(RUN)).toMatchObject({ phase: 'waiting', retriesUsed: 0 });
});

test('a pause of another replica that comes between the swap and the clear: no clear until it is resumed', async () => {
  const { worker, timers, store, clears, pauses } = setUp();
  store.beforeSwap = async (_key, next) => {
    if (next?.phase !== 'clearing') return;
    store.beforeSwap = () => {};
    const pause = { scope: RUN.dagId, actor: 'bob', comment: '', atMs: NOW_MS };
    const entry = { ...ENTRY, atMs: NOW_MS, dagId: RUN.dagId };
    await store.setPause(RUN.dagId, pause, entry);
  };
  worker.start();
  await timers.advanceBy(10 * SWEEP_MS);
  expect(clears).toEqual([]);
  expect(store.get(RUN)).toMatchObject({ phase: 'clearing', retriesUsed: 1 });
  await pauses.set(request('resume'));
  await timers.advanceBy(10 * SWEEP_MS);
  // The retry that was spent is made, and no other one.
  expect(clears).toHaveLength(1);
  expect(store.get(RUN)).toMatchObject({ retriesUsed: 1 });
  await worker.stop();
});

test.each(['store_unavailable', 'store_corrupt'] as const)(
  'pauses that cannot be read (%s): no clear',
  async (code) => {
    const { worker, timers, store, clears } = setUp();
    const { pauses: read } = store;
    let isOut = true;
    store.pauses = async () => {
      if (isOut) throw new DagainError(code, 'not now');
      return await read();
    };
    worker.start();
    await timers.advanceBy(10 * SWEEP_MS);
    expect(clears).toEqual([]);
    isOut = false;
    await timers.advanceBy(10 * SWEEP_MS);
    expect(clears).toHaveLength(1);
    await worker.stop();
  },
);

test('a pause that cannot be read costs no report: it counts as a pause of everything, loudly', async () => {
  const { intake, store, lines } = setUp();
  store.pauses = () => Promise.reject(new DagainError('store_corrupt', 'not JSON'));
  const evidence = { startedAtMs: null, clearNumber: null, runType: null };
  const key = { ...RUN, dagRunId: 'new' };
  const answer = await intake.report(key, { type: 'failure_reported', failure: FAILURE, evidence, override: null });
  expect(answer).toMatchObject({ decision: 'held', reason: 'paused_by_operator' });
  expect(store.get(key)).toMatchObject({ phase: 'confirming' });
  expect(lines.filter(([level]) => level === 'error')).toHaveLength(1);
});

test('each change is noted once with who did it; what is so already changes nothing', async () => {
  const { pauses, store } = setUp();
  expect(await pauses.set(request('pause'))).toMatchObject({ changed: true, paused: { actor: 'ann', atMs: NOW_MS } });
  const again = await pauses.set({ ...request('pause'), actor: 'bob' });
  expect(again).toMatchObject({ changed: false, paused: { actor: 'ann' } });
  expect(await pauses.set(request('resume'))).toEqual({ changed: true, paused: null });
  expect(await pauses.set(request('resume'))).toEqual({ changed: false, paused: null });
  expect(store.journal.entries()).toMatchObject([
    { type: 'operated', action: 'pause', actor: 'ann', dagId: RUN.dagId, dagRunId: null },
    { type: 'operated', action: 'resume', actor: 'ann' },
  ]);
});

test('a pause that is set and cannot be read back is told all the same: in the log, in the figures, to who watches', async () => {
  const { pauses, store, lines, counts, timers, desk } = setUp();
  const heard: unknown[] = [];
  desk.changes.listen({ changed: (runs) => heard.push(runs), ended: () => {} });
  const { pauses: read } = store;
  store.pauses = () => Promise.reject(OUTAGE);
  await expect(pauses.set(request('pause'))).rejects.toBe(OUTAGE);
  store.pauses = read;
  // By less than it takes to hear of what another replica did.
  await timers.advanceBy(500);
  expect(heard).toEqual([null]);
  expect(counts.get('happened operated paused_by_operator')).toBe(1);
  expect(lines.filter(([level]) => level === 'info')).toMatchObject([
    ['info', 'operator: pause of a Dag', { actor: 'ann' }],
  ]);
  // Asked again, it is so already, and is not told twice.
  expect(await pauses.set(request('pause'))).toMatchObject({ changed: false, paused: { actor: 'ann' } });
  expect(counts.get('happened operated paused_by_operator')).toBe(1);
});

test('what is known is at most two seconds old', async () => {
  const { pauses, store, timers } = setUp();
  expect(await pauses.known()).toEqual([]);
  await store.setPause(EVERYTHING, { scope: EVERYTHING, actor: 'bob', comment: '', atMs: NOW_MS }, ENTRY);
  await timers.advanceBy(1_999);
  expect(await pauses.known()).toEqual([]);
  await timers.advanceBy(1);
  expect(await pauses.known()).toMatchObject([{ actor: 'bob' }]);
  expect((await pauses.ofDag())('any')).toMatchObject({ scope: EVERYTHING });
});

const ENTRY: JournalEntry = {
  ...{ atMs: NOW_MS, dagId: null, dagRunId: null, attempt: null, retriesUsed: null, reason: 'paused_by_operator' },
  ...{ taskId: null, failureClass: null, action: 'pause', actor: 'bob', comment: '' },
  type: 'operated',
};
