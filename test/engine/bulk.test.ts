import { describe, expect, test } from 'vitest';
import type { Operated, Operation } from '../../src/core/event.ts';
import type { BulkRequest } from '../../src/engine/bulk.ts';
import { EVERY_RUN, matchesFilter, type RunFilter } from '../../src/engine/run-filter.ts';
import {
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  gaveUpRecord,
  waitingRecord,
  watchingRecord,
} from '../support/records.ts';
import { createHarness, gate } from './harness.ts';

const HELD = { actor: 'ann', comment: '', atMs: FAILED_AT_MS };
const RECORDS = [
  waitingRecord({ dagId: 'etl_a', dagRunId: 'r1' }),
  waitingRecord({ dagId: 'etl_a', dagRunId: 'r2', failureClass: 'infra' }),
  waitingRecord({ dagId: 'etl_b', dagRunId: 'r1', held: HELD }),
  confirmingRecord({ dagId: 'report', dagRunId: 'r1', firstFailedAtMs: FAILED_AT_MS - 3_600_000 }),
  clearingRecord({ dagId: 'report', dagRunId: 'r2' }),
  watchingRecord({ dagId: 'report', dagRunId: 'r3' }),
  gaveUpRecord({ dagId: 'report', dagRunId: 'r4', reason: 'max_retries_reached' }),
];
const NOW_MS = FAILED_AT_MS + 60_000;
const filter = (given: Partial<RunFilter>): RunFilter => ({ ...EVERY_RUN, ...given });

describe('a filter', () => {
  test.each<[Partial<RunFilter>, string[]]>([
    [{ phases: ['waiting', 'watching'] }, ['etl_a/r1', 'etl_a/r2', 'etl_b/r1', 'report/r3']],
    [{ dagId: 'etl_a' }, ['etl_a/r1', 'etl_a/r2']],
    [{ dagId: 'etl_?' }, ['etl_a/r1', 'etl_a/r2', 'etl_b/r1']],
    [{ dagId: '*port' }, ['report/r1', 'report/r2', 'report/r3', 'report/r4']],
    [{ failureClass: 'infra' }, ['etl_a/r2']],
    [{ isHeld: true }, ['etl_b/r1']],
    [{ isHeld: false, dagId: 'etl_*' }, ['etl_a/r1', 'etl_a/r2']],
    [{ reason: 'max_retries_reached' }, ['report/r4']],
    [{ olderThanMs: 1_800_000 }, ['report/r1']],
    [{ newerThanMs: 60_000 }, []],
    [{ newerThanMs: 60_001, dagId: 'etl_b' }, ['etl_b/r1']],
  ])('%o', (given, expected) => {
    const found = RECORDS.filter((record) => matchesFilter(record, filter(given), NOW_MS));
    expect(found.map(({ dagId, dagRunId }) => `${dagId}/${dagRunId}`)).toEqual(expected);
  });
});

test('one Dag is found without reading the others', async () => {
  const { store, desk } = setUp();
  const { list } = store;
  const read: string[] = [];
  store.list = async (after, limit) => {
    // A page of one, so that what is read shows.
    const page = await list(after, Math.min(limit, 1));
    read.push(...page.records.map(({ value }) => value.dagId));
    return page;
  };
  const found = await desk.runs.list(filter({ dagId: 'etl_b' }), 10, null);
  expect(found).toMatchObject({ runs: [{ dagId: 'etl_b' }], next: null });
  await desk.bulk.act(request('pause', { dagId: 'etl_b' }, { isDryRun: true }));
  expect(new Set(read)).toEqual(new Set(['etl_b', 'report']));
  const first = await desk.runs.list(filter({ dagId: 'etl_a' }), 1, null);
  const second = await desk.runs.list(filter({ dagId: 'etl_a' }), 1, first.next);
  expect([first, second].flatMap(({ runs }) => runs.map(({ dagRunId }) => dagRunId))).toEqual(['r1', 'r2']);
  expect((await desk.runs.list(filter({ dagId: 'etl_a' }), 1, second.next)).runs).toEqual([]);
});

function setUp() {
  const harness = createHarness();
  for (const record of RECORDS) harness.store.put(record);
  return harness;
}

const event = (action: Operation, retries = 0): Operated => ({
  ...{ type: 'operated', action, actor: 'ann', comment: 'night shift', retries },
});
const request = (action: Operation, given: Partial<RunFilter>, rest: Partial<BulkRequest> = {}): BulkRequest => ({
  ...{ filter: filter(given), event: event(action), isDryRun: false, maxRuns: null, ...rest },
});

describe('one action on many runs', () => {
  test('a preview says what the action then does, and changes nothing', async () => {
    for (const action of ['pause', 'resume', 'cancel', 'retry_now', 'reset', 'grant'] as const) {
      const { desk, store, counts } = setUp();
      const wanted = { event: event(action, action === 'grant' ? 1 : 0), filter: EVERY_RUN, maxRuns: 100 };
      const before = RECORDS.map((record) => store.get(record));
      const preview = await desk.bulk.act({ ...wanted, isDryRun: true });
      expect(RECORDS.map((record) => store.get(record))).toEqual(before);
      expect(store.swaps).toBe(0);
      expect([...counts.keys()].filter((name) => name.startsWith('operated'))).toEqual([]);
      expect(await desk.bulk.act({ ...wanted, isDryRun: false })).toEqual(preview);
      expect(preview).toMatchObject({ type: 'done', matched: RECORDS.length, isComplete: true });
    }
  });

  test('counts what became of the runs, and shows the first of them as they were', async () => {
    const { desk, store } = setUp();
    const answer = await desk.bulk.act(request('pause', { dagId: 'etl_*' }));
    expect(answer).toMatchObject({
      ...{ matched: 3, changed: 2 },
      outcomes: [{ decision: 'held', reason: 'held_by_operator', count: 3 }],
    });
    expect(answer).toHaveProperty('sample.2', {
      ...{ key: { dagId: 'etl_b', dagRunId: 'r1' }, phase: 'waiting', decision: 'held', reason: 'held_by_operator' },
    });
    expect(store.get({ dagId: 'etl_a', dagRunId: 'r2' })?.held).toMatchObject({ actor: 'ann', comment: 'night shift' });
    expect(store.journal.entries().map(({ type, action }) => [type, action])).toEqual(
      Array.from({ length: 2 }, () => ['operated', 'pause']),
    );
  });

  test('more runs than expected: nothing is done', async () => {
    const { desk, store } = setUp();
    const answer = await desk.bulk.act(request('cancel', { dagId: 'etl_*' }, { maxRuns: 2 }));
    expect(answer).toEqual({ type: 'too_many', matched: 3 });
    expect(store.swaps).toBe(0);
    expect(await desk.bulk.act(request('cancel', { dagId: 'etl_*' }, { maxRuns: 3 }))).toMatchObject({ changed: 3 });
  });

  test('a run that does not match any more when its turn comes is left alone', async () => {
    const { desk, store, swapLoop } = setUp();
    const key = { dagId: 'etl_a', dagRunId: 'r2' };
    const paused = gate();
    const { load } = store;
    store.load = async (wanted) => {
      // Its turn comes only after somebody else has paused it.
      if (wanted.dagRunId === 'r2') store.load = load;
      if (wanted.dagRunId === 'r2') await paused.passed;
      return await load(wanted);
    };
    store.beforeSwap = async ({ dagRunId }) => {
      if (dagRunId !== 'r1') return;
      await swapLoop.apply(key, event('pause'));
      paused.open();
    };
    const answer = await desk.bulk.act(request('cancel', { dagId: 'etl_a', isHeld: false }));
    expect(answer).toMatchObject({ matched: 2, changed: 1 });
    expect(answer).toHaveProperty('outcomes', [
      { decision: 'giving_up', reason: 'cancelled_by_operator', count: 1 },
      { decision: 'stale', reason: 'superseded', count: 1 },
    ]);
    expect(store.get(key)).toMatchObject({ phase: 'waiting' });
  });

  test('lost swaps are tried again', async () => {
    const { desk, store } = setUp();
    store.conflicts = 2;
    expect(await desk.bulk.act(request('pause', { dagId: 'etl_a' }))).toMatchObject({ changed: 2 });
  });

  test('a store that goes out in the middle is an error, and asking again does the rest', async () => {
    const { desk, store } = setUp();
    let left = 1;
    store.beforeSwap = () => {
      left -= 1;
      if (left < 0) throw new Error('the store is out');
    };
    await expect(desk.bulk.act(request('pause', { dagId: 'etl_a' }))).rejects.toThrow('the store is out');
    store.beforeSwap = () => {};
    expect(await desk.bulk.act(request('pause', { dagId: 'etl_a' }))).toMatchObject({ matched: 2, changed: 1 });
  });

  test('a failure is told of when nothing of the call is under way any more', async () => {
    const { desk, store, timers } = setUp();
    const held = gate();
    store.beforeSwap = async ({ dagRunId }) => {
      if (dagRunId === 'r1') throw new Error('the store is out');
      await held.passed;
    };
    const ended = desk.bulk.act(request('pause', { dagId: 'etl_a' })).catch(() => 'ended');
    await timers.advanceBy(0);
    expect(await Promise.race([ended, 'under way'])).toBe('under way');
    held.open();
    expect(await ended).toBe('ended');
    expect(store.get({ dagId: 'etl_a', dagRunId: 'r2' })?.held).toMatchObject({ actor: 'ann' });
  });

  test('a preview decides page by page, and keeps no page', async () => {
    const { desk, store, policies } = createHarness();
    for (let n = 0; n < 501; n += 1) store.put(waitingRecord({ dagId: 'big', dagRunId: `r${n}` }));
    const { list } = store;
    const { rulesFor } = policies;
    const steps: ('page' | 'decided')[] = [];
    store.list = (after, limit) => {
      steps.push('page');
      return list(after, limit);
    };
    policies.rulesFor = (dagId, override) => {
      steps.push('decided');
      return rulesFor(dagId, override);
    };
    expect(await desk.bulk.act(request('cancel', {}, { isDryRun: true }))).toMatchObject({ matched: 501 });
    expect(steps.lastIndexOf('page')).toBe(501);
  });

  describe('calls take turns', () => {
    test('in the order of asking, also after one that fails', async () => {
      const { desk, store } = setUp();
      const held = gate();
      store.beforeSwap = async () => {
        store.beforeSwap = () => {};
        await held.passed;
        throw new Error('the store is out');
      };
      const first = desk.bulk.act(request('pause', { dagId: 'etl_b', isHeld: true }));
      const second = desk.bulk.act(request('cancel', { dagId: 'etl_a' }));
      const third = desk.bulk.act(request('cancel', { dagId: 'etl_a' }, { isDryRun: true }));
      const failing = expect(second).rejects.toThrow('the store is out');
      expect(await first).toMatchObject({ changed: 0 });
      held.open();
      await failing;
      const left = RECORDS.filter((record) => store.get(record)?.phase === 'waiting' && record.dagId === 'etl_a');
      expect(await third).toMatchObject({ matched: 2, changed: left.length });
    });

    test('what nobody waits for any more when its turn comes is not done', async () => {
      const { desk, store } = setUp();
      let isAwaited = true;
      const first = desk.bulk.act(request('pause', { dagId: 'etl_b' }));
      const second = desk.bulk.act({ ...request('cancel', { dagId: 'etl_a' }), isAwaited: () => isAwaited });
      isAwaited = false;
      expect(await first).toMatchObject({ type: 'done' });
      expect(await second).toEqual({ type: 'abandoned' });
      expect(store.get({ dagId: 'etl_a', dagRunId: 'r1' })).toMatchObject({ phase: 'waiting' });
    });

    test('eight may wait', async () => {
      const { desk, store } = setUp();
      const held = gate();
      const { list } = store;
      let reading = 0;
      let most = 0;
      store.list = async (after, limit) => {
        reading += 1;
        most = Math.max(most, reading);
        await held.passed;
        reading -= 1;
        return await list(after, limit);
      };
      const preview = request('pause', {}, { isDryRun: true });
      const served = Array.from({ length: 9 }, () => desk.bulk.act(preview));
      expect(await desk.bulk.act(preview)).toEqual({ type: 'busy' });
      held.open();
      for (const answer of await Promise.all(served)) expect(answer).toMatchObject({ type: 'done' });
      expect(most).toBe(1);
      expect(await desk.bulk.act(preview)).toMatchObject({ type: 'done' });
    });
  });

  describe('where more match than one call acts on', () => {
    function setUpMany() {
      const harness = createHarness();
      const one = waitingRecord({ dagId: 'big' });
      for (let n = 0; n < 10_001; n += 1) harness.store.put({ ...one, dagRunId: `r${n}` });
      const list = harness.store.list;
      // The memory store sorts all of it for each page.
      const all = list(null, 20_000);
      harness.store.list = () => all;
      return harness;
    }

    test('the first ten thousand are acted on, and all are counted', async () => {
      const { desk } = setUpMany();
      const answer = await desk.bulk.act(request('pause', {}, { isDryRun: true }));
      expect(answer).toMatchObject({ matched: 10_001, changed: 10_000, isComplete: false });
      expect(answer).toHaveProperty('sample.length', 20);
    }, 30_000);

    test('the number that was expected holds for all of them', async () => {
      const { desk, store } = setUpMany();
      const answer = await desk.bulk.act(request('pause', {}, { maxRuns: 10_000 }));
      expect(answer).toEqual({ type: 'too_many', matched: 10_001 });
      expect(store.swaps).toBe(0);
    }, 30_000);
  });
});
