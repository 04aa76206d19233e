import { describe, expect, test } from 'vitest';
import { createActiveRuns } from '../../src/engine/active-runs.ts';
import type { FoundRun } from '../../src/orchestrator/port.ts';
import { gate } from './harness.ts';

const RUNNING: FoundRun = {
  type: 'found',
  state: 'running',
  fingerprint: { queuedAtMs: 1, startedAtMs: 2, endedAtMs: null },
  runType: null,
};
const MAX_AGE_MS = 15_000;

/** An orchestrator in which each Dag has so many active runs, called 0, 1, 2 and so on. */
function setUp(active: Record<string, number>, page = 100) {
  let nowMs = 1_000_000;
  const requests: { dagIds: readonly string[]; skip: number }[] = [];
  const state = { isOut: false, gate: null as ReturnType<typeof gate> | null, under: 0, most: 0 };
  const runs = createActiveRuns({
    clock: { nowMs: () => nowMs },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    orchestrator: {
      async activeRuns(dagIds, skip) {
        requests.push({ dagIds, skip });
        state.under += 1;
        state.most = Math.max(state.most, state.under);
        await (state.gate?.passed ?? Promise.resolve());
        state.under -= 1;
        if (state.isOut) return { type: 'unavailable', reason: 'timed_out', detail: '', retryAfterMs: null };
        const all = dagIds.flatMap((dagId) =>
          Array.from({ length: active[dagId] ?? 0 }, (_, run) => ({
            key: { dagId, dagRunId: `${run}` },
            run: RUNNING,
          })),
        );
        const rows = all.slice(skip, skip + page);
        return { type: 'found', runs: rows, rows: rows.length, total: all.length };
      },
    },
  });
  const find = (dagId: string, dagRunId: number, sinceMs = 0) =>
    runs.find({ dagId, dagRunId: `${dagRunId}` }, sinceMs, MAX_AGE_MS);
  async function findAll(dagId: string, count: number): Promise<number> {
    let found = 0;
    for (let run = 0; run < count; run += 1) if ((await find(dagId, run)) !== null) found += 1;
    return found;
  }
  const advance = (byMs: number) => {
    nowMs += byMs;
  };
  return { find, findAll, requests, state, advance, nowMs: () => nowMs };
}

describe('a list of active runs', () => {
  test('is not asked for where looks are cheaper one by one', async () => {
    const { findAll, requests } = setUp({ etl: 3 });
    expect(await findAll('etl', 3)).toBe(0);
    expect(requests).toEqual([]);
  });

  test('tells of every run after the first looks, by one request for each hundred', async () => {
    const { findAll, requests, advance } = setUp({ etl: 1_000 });
    await findAll('etl', 1_000);
    advance(MAX_AGE_MS);
    const before = requests.length;
    expect(await findAll('etl', 1_000)).toBe(1_000);
    expect(requests.slice(before).map(({ skip }) => skip)).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
  });

  test('is asked for by the pages that the orchestrator gives, where they are shorter', async () => {
    const { findAll, requests, advance } = setUp({ etl: 250 }, 50);
    await findAll('etl', 250);
    advance(MAX_AGE_MS);
    const before = requests.length;
    expect(await findAll('etl', 250)).toBe(250);
    expect(requests.slice(before).map(({ skip }) => skip)).toEqual([0, 50, 100, 150, 200]);
  });

  test('says nothing of a run that is not in it: it may have ended, or be gone', async () => {
    const { findAll, find } = setUp({ etl: 10 });
    await findAll('etl', 10);
    expect(await find('etl', 10)).toBeNull();
    expect(await find('etl', 9)).toEqual(RUNNING);
  });

  test('says nothing once it is old, and nothing of what was cleared after it was begun', async () => {
    const { findAll, find, requests, advance, nowMs } = setUp({ etl: 10 });
    await findAll('etl', 10);
    expect(await find('etl', 1, nowMs())).toEqual(RUNNING);
    expect(await find('etl', 1, nowMs() + 1)).toBeNull();
    advance(0.75 * MAX_AGE_MS - 1);
    await find('etl', 1);
    expect(requests).toHaveLength(1);
    advance(1);
    await find('etl', 1);
    expect(requests).toHaveLength(2);
  });

  test('still serves while the next one is being read, but no longer than it may', async () => {
    const { findAll, find, state, advance } = setUp({ etl: 10 });
    await findAll('etl', 10);
    advance(0.75 * MAX_AGE_MS);
    state.gate = gate();
    expect(await find('etl', 1)).toEqual(RUNNING);
    advance(0.25 * MAX_AGE_MS);
    const looking = find('etl', 1);
    state.gate.open();
    expect(await looking).toEqual(RUNNING);
  });

  test('says nothing where reading it took longer than it serves', async () => {
    const { findAll, find, state, advance } = setUp({ etl: 10 });
    await findAll('etl', 10);
    advance(MAX_AGE_MS);
    state.gate = gate();
    const looking = find('etl', 1);
    advance(MAX_AGE_MS + 1);
    state.gate.open();
    expect(await looking).toBeNull();
  });

  test('that cannot be had is not asked for again until it would have been too old', async () => {
    const { findAll, requests, state, advance } = setUp({ etl: 10 });
    state.isOut = true;
    expect(await findAll('etl', 10)).toBe(0);
    expect(requests).toHaveLength(1);
    state.isOut = false;
    advance(MAX_AGE_MS);
    expect(await findAll('etl', 10)).toBe(10);
  });

  test('holds up at most eight looks, and asks for four pages at a time', async () => {
    const { find, findAll, state, advance } = setUp({ etl: 1_000 });
    await findAll('etl', 1_000);
    advance(MAX_AGE_MS);
    state.gate = gate();
    const looks = Array.from({ length: 16 }, (_, run) => find('etl', run));
    const early = await Promise.all(looks.slice(8));
    expect(early).toEqual(early.map(() => null));
    state.gate.open();
    expect((await Promise.all(looks)).filter((run) => run !== null)).toHaveLength(8);
    expect(state.most).toBeLessThanOrEqual(4);
  });
});

describe('Dags together', () => {
  test('share one list', async () => {
    const dags = Object.fromEntries(Array.from({ length: 50 }, (_, number) => [`dag_${number}`, 2]));
    const { findAll, requests, advance } = setUp(dags);
    for (const dagId of Object.keys(dags)) await findAll(dagId, 2);
    advance(MAX_AGE_MS);
    const before = requests.length;
    let found = 0;
    for (const dagId of Object.keys(dags)) found += await findAll(dagId, 2);
    expect(found).toBe(100);
    expect(requests.length - before).toBe(1);
  });

  test('one with thousands of others’ runs is not paged through, and does not keep the rest from being listed', async () => {
    const { find, findAll, requests, advance } = setUp({ crowded: 5_000, etl: 20, sales: 20 });
    let found = 0;
    for (let round = 0; round < 20; round += 1) {
      await find('crowded', 1);
      found += (await findAll('etl', 20)) + (await findAll('sales', 20));
      advance(MAX_AGE_MS);
    }
    expect(found).toBeGreaterThan(700);
    // Some to find it out, then one a round.
    expect(requests.length).toBeLessThan(30);
    expect(requests.every(({ skip }) => skip < 1_000)).toBe(true);
  });
});
