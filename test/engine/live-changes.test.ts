import { expect, test } from 'vitest';
import type { JournalEntry } from '../../src/core/journal.ts';
import type { ChangedRuns } from '../../src/engine/live-changes.ts';
import { FAILED_AT_MS, RUN, waitingRecord } from '../support/records.ts';
import { createHarness } from './harness.ts';

const ENTRY: JournalEntry = {
  ...{ atMs: FAILED_AT_MS, dagId: 'other', dagRunId: 'r', attempt: 1, retriesUsed: 1, reason: 'clear_due' },
  ...{ taskId: null, failureClass: null, action: null, actor: null, comment: null },
  type: 'retried',
};

async function setUp() {
  const harness = createHarness();
  const { desk, timers, store } = harness;
  const heard: ChangedRuns[] = [];
  let ended = 0;
  const stop = desk.changes.listen({ changed: (runs) => heard.push(runs), ended: () => (ended += 1) });
  // Where the journal ends is known from here on.
  await timers.advanceBy(1_000);
  store.put(waitingRecord());
  return { ...harness, heard, stop, ended: () => ended };
}

const act = (harness: Awaited<ReturnType<typeof setUp>>, action: 'pause' | 'resume') =>
  harness.swapLoop.apply(RUN, { type: 'operated', action, actor: 'ann', comment: '', retries: 0 });

test('what happens here is told within half a second, and several changes at once', async () => {
  const harness = await setUp();
  await act(harness, 'pause');
  await act(harness, 'resume');
  await harness.timers.advanceBy(499);
  expect(harness.heard).toEqual([]);
  await harness.timers.advanceBy(1);
  expect(harness.heard).toEqual([[RUN]]);
});

test('what other replicas do is told within two seconds; what concerns more than one run as "many"', async () => {
  const { store, timers, heard } = await setUp();
  store.journal.append([ENTRY]);
  await timers.advanceBy(2_000);
  expect(heard).toEqual([[{ dagId: 'other', dagRunId: 'r' }]]);
  store.journal.append([{ ...ENTRY, type: 'operated', dagRunId: null }]);
  await timers.advanceBy(2_000);
  expect(heard).toEqual([[{ dagId: 'other', dagRunId: 'r' }], null]);
});

test('more runs than anybody would load one by one are "many"', async () => {
  const { desk, timers, heard } = await setUp();
  for (let n = 0; n < 201; n += 1) desk.changes.note({ dagId: 'etl', dagRunId: `r${n}` });
  await timers.advanceBy(500);
  expect(heard).toEqual([null]);
});

test('a store that is out for a while: everything is loaded again, said once, and the tail goes on', async () => {
  const { store, timers, heard, lines } = await setUp();
  const { readJournalAfter } = store;
  const { journalHead } = store;
  store.readJournalAfter = () => Promise.reject(new Error('out'));
  store.journalHead = () => Promise.reject(new Error('out'));
  await timers.advanceBy(5_000);
  expect(lines.filter(([level]) => level === 'warn')).toHaveLength(1);
  expect(heard).toEqual([]);
  Object.assign(store, { readJournalAfter, journalHead });
  await timers.advanceBy(2_000);
  expect(heard).toEqual([null]);
  heard.length = 0;
  store.journal.append([ENTRY]);
  await timers.advanceBy(2_000);
  expect(heard).toEqual([[{ dagId: 'other', dagRunId: 'r' }]]);
});

test('when nobody listens nothing is read; who comes when it is over is told so', async () => {
  const { desk, store, timers, stop, heard, ended } = await setUp();
  stop();
  await timers.advanceBy(1_000);
  store.readJournalAfter = () => Promise.reject(new Error('not asked for'));
  expect(timers.pending()).toBe(0);
  desk.changes.note(RUN);
  await timers.advanceBy(5_000);
  expect([heard, ended()]).toEqual([[], 0]);
  let late = 0;
  desk.changes.listen({ changed: () => {}, ended: () => (late += 1) });
  desk.changes.stop();
  desk.changes.listen({ changed: () => {}, ended: () => (late += 1) });
  expect(late).toBe(2);
});
