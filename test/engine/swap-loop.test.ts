import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../src/core/event.ts';
import type { RunRecord } from '../../src/core/record.ts';
import { createSwapLoop } from '../../src/engine/swap-loop.ts';
import type { Telemetry } from '../../src/engine/telemetry.ts';
import type { RunStore, Versioned } from '../../src/store/port.ts';
import { rulesWith } from '../core/policies.ts';
import { failed } from '../core/transition/events.ts';
import { FAILED_AT_MS, RUN, waitingRecord } from '../support/records.ts';

/** One run in memory; counts what is asked of it, and lets somebody else write in between. */
function createOneRunStore(initial: RunRecord | null = null) {
  let stored: Versioned<RunRecord> | null = initial === null ? null : { version: 1, value: initial };
  let version = 1;
  const calls = { loads: 0, swaps: 0 };
  /** What came for the journal with each swap that was won. */
  const noted: string[][] = [];
  const hooks = { beforeSwap: async () => {}, afterSwap: async () => {} };
  const store: Pick<RunStore, 'load' | 'compareAndSwap'> = {
    async load() {
      calls.loads += 1;
      return stored;
    },
    async compareAndSwap(_key, expected, next, entries = []) {
      calls.swaps += 1;
      await hooks.beforeSwap();
      if ((stored?.version ?? 0) !== expected) return null;
      noted.push(entries.map(({ type, action }) => action ?? type));
      version += 1;
      stored = next === null ? null : { version, value: next };
      await hooks.afterSwap();
      return version;
    },
  };
  return {
    store: store as RunStore,
    calls,
    hooks,
    noted,
    read: () => stored?.value ?? null,
    /** Somebody else writes. */
    write(value: RunRecord | null) {
      version += 1;
      stored = value === null ? null : { version, value };
    },
  };
}

/** Pauses take no time. */
function callSoon(_delayMs: number, callback: () => void): () => void {
  queueMicrotask(callback);
  return () => {};
}

function createLoop(store: RunStore) {
  const conflicts = { count: 0 };
  const swapConflict = () => {
    conflicts.count += 1;
  };
  const telemetry = { swapConflict, happened() {} } as Partial<Telemetry> as Telemetry;
  const due: number[] = [];
  const swapLoop = createSwapLoop({
    store,
    policies: {
      rulesFor: async () => rulesWith(),
      refresh: async () => true,
      explain: () => Promise.reject(new Error('not asked for here')),
    },
    clock: { nowMs: () => FAILED_AT_MS, schedule: callSoon },
    random: () => 0,
    telemetry,
    onDue: (atMs) => due.push(atMs),
  });
  return { swapLoop, conflicts, due };
}

const event = (id: string): RunEvent => failed({ id, taskId: id });

describe('apply', () => {
  test('reports that come in together are stored by a few swaps, each answered for itself', async () => {
    const one = createOneRunStore();
    const { swapLoop, conflicts } = createLoop(one.store);
    const ids = Array.from({ length: 20 }, (_, index) => `task_${index}`);
    const answers = await Promise.all(ids.map((id) => swapLoop.apply(RUN, event(id))));
    expect(answers.map((answer) => answer.decision)).toEqual([
      'retry_scheduled',
      ...Array(19).fill('already_scheduled'),
    ]);
    expect(one.read()?.failures.map((failure) => failure.id)).toEqual(ids);
    expect(one.calls).toEqual({ loads: 0, swaps: 2 });
    expect(conflicts.count).toBe(0);
  });

  test('what was written last saves the next read', async () => {
    const one = createOneRunStore();
    const { swapLoop } = createLoop(one.store);
    await swapLoop.apply(RUN, event('a'));
    await swapLoop.apply(RUN, event('b'));
    expect(one.calls).toEqual({ loads: 0, swaps: 2 });
  });

  test('a run of which nothing is known here may have a record all the same', async () => {
    const one = createOneRunStore(waitingRecord({ retriesUsed: 1, failures: [] }));
    const { swapLoop, conflicts } = createLoop(one.store);
    const answer = await swapLoop.apply(RUN, event('a'));
    expect(answer.next).toMatchObject({ phase: 'waiting', retriesUsed: 1, failures: [{ id: 'a' }] });
    expect(one.calls).toEqual({ loads: 1, swaps: 2 });
    expect(conflicts.count).toBe(1);
  });

  test('but somebody else may have written since: then it is read again and nothing of theirs is lost', async () => {
    const one = createOneRunStore();
    const { swapLoop, conflicts } = createLoop(one.store);
    await swapLoop.apply(RUN, event('a'));
    one.write(waitingRecord({ retriesUsed: 1, failures: [] }));
    const answer = await swapLoop.apply(RUN, event('b'));
    expect(answer.next).toMatchObject({ phase: 'waiting', retriesUsed: 1, failures: [{ id: 'b' }] });
    expect(conflicts.count).toBe(1);
  });

  test('that an event changes nothing is never concluded from memory', async () => {
    const one = createOneRunStore();
    const { swapLoop } = createLoop(one.store);
    await swapLoop.apply(RUN, event('a'));
    one.write(null);
    // In memory a duplicate, in the store the first that is heard of the run.
    const answer = await swapLoop.apply(RUN, event('a'));
    expect(answer.decision).toBe('retry_scheduled');
    expect(one.read()).not.toBeNull();
  });

  test('after a swap whose answer was lost, the store is read before anything is tried', async () => {
    const one = createOneRunStore();
    const { swapLoop } = createLoop(one.store);
    await swapLoop.apply(RUN, event('a'));
    one.hooks.afterSwap = () => Promise.reject(new Error('connection lost'));
    await expect(swapLoop.apply(RUN, event('b'))).rejects.toThrow('connection lost');
    one.hooks.afterSwap = async () => {};
    const loads = one.calls.loads;
    // The swap had worked all the same: the repeated report is a duplicate.
    const again = await swapLoop.apply(RUN, event('b'));
    expect(one.calls.loads).toBe(loads + 1);
    expect(again.next?.failures.map((failure) => failure.id)).toEqual(['a', 'b']);
  });

  test('an outage rejects all that waited for this swap, and the next one works', async () => {
    const one = createOneRunStore();
    const { swapLoop } = createLoop(one.store);
    one.hooks.beforeSwap = () => Promise.reject(new Error('store is out'));
    const results = await Promise.allSettled([swapLoop.apply(RUN, event('a')), swapLoop.apply(RUN, event('b'))]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
    one.hooks.beforeSwap = async () => {};
    expect((await swapLoop.apply(RUN, event('c'))).decision).toBe('retry_scheduled');
  });

  const operated = (action: 'pause' | 'resume'): RunEvent => {
    return { type: 'operated', action, actor: 'ada', comment: '', retries: 0 };
  };

  test('what the journal keeps of each event goes with the swap that they share', async () => {
    const one = createOneRunStore(waitingRecord());
    const { swapLoop } = createLoop(one.store);
    const actions = ['pause', 'resume', 'pause'] as const;
    await Promise.all(actions.map((action) => swapLoop.apply(RUN, operated(action))));
    expect(one.noted).toEqual([['pause'], ['resume', 'pause']]);
    // Paused already: nothing changes, so there is nothing to note.
    await swapLoop.apply(RUN, event('a'));
    expect(one.noted.slice(2).flat()).toEqual([]);
  });

  test('what is tried again after a lost swap is noted once', async () => {
    const one = createOneRunStore(waitingRecord());
    const { swapLoop, conflicts } = createLoop(one.store);
    let isFirst = true;
    one.hooks.beforeSwap = async () => {
      if (isFirst) one.write(waitingRecord({ retriesUsed: 1 }));
      isFirst = false;
    };
    await swapLoop.apply(RUN, operated('pause'));
    expect(conflicts.count).toBe(1);
    expect(one.noted).toEqual([['pause']]);
  });

  test('gives up when others win every time', async () => {
    const one = createOneRunStore();
    const { swapLoop, conflicts } = createLoop(one.store);
    one.hooks.beforeSwap = async () => one.write(waitingRecord());
    await expect(swapLoop.apply(RUN, event('a'))).rejects.toMatchObject({ code: 'store_contention' });
    expect(conflicts.count).toBe(61);
  });

  test('tells when the record next needs work', async () => {
    const one = createOneRunStore();
    const { swapLoop, due } = createLoop(one.store);
    await swapLoop.apply(RUN, event('a'));
    expect(due).toEqual([FAILED_AT_MS]);
  });
});

describe('applyTo', () => {
  test('changes exactly the version that was read, or nothing', async () => {
    const record = waitingRecord();
    const one = createOneRunStore(record);
    const { swapLoop } = createLoop(one.store);
    const read = { version: 1, value: record };
    expect(await swapLoop.applyTo(RUN, read, event('a'))).toMatchObject({ decision: 'already_scheduled' });
    expect(await swapLoop.applyTo(RUN, read, event('b'))).toBeNull();
    expect(one.calls.loads).toBe(0);
  });
});

test('a record that cannot be read is replaced by one that has given up', async () => {
  const one = createOneRunStore();
  const { swapLoop } = createLoop(one.store);
  const applied = await swapLoop.replaceLost(RUN, 0, {
    type: 'state_lost',
    problem: 'unreadable',
    detail: 'x',
    clears: 0,
  });
  expect(applied?.next).toMatchObject({ phase: 'giving_up', reason: 'state_lost' });
});
