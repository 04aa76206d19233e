import { describe, expect, test } from 'vitest';
import { keyOf, type RunRecord } from '../../src/core/record.ts';
import { createCensus } from '../../src/engine/census.ts';
import { ALERT, gaveUpRecord, waitingRecord, watchingRecord } from '../support/records.ts';
import { OUTAGE } from './memory-store.ts';

const HELD = { actor: 'ann', comment: 'maintenance', atMs: 1 };

function setUp() {
  const records: RunRecord[] = [];
  const lists: number[] = [];
  const state = { nowMs: 0, perPageMs: 0, isOut: false };
  const census = createCensus({
    store: {
      async list(after, limit) {
        lists.push(limit);
        state.nowMs += state.perPageMs;
        if (state.isOut) throw OUTAGE;
        const from = records.findIndex((record) => record.dagRunId === after?.dagRunId) + 1;
        const page = records.slice(from, from + limit);
        const last = page.at(-1);
        const isEnd = last === undefined || from + limit >= records.length;
        return { records: page.map((value) => ({ version: 1, value })), next: isEnd ? null : keyOf(last) };
      },
    },
    clock: { nowMs: () => state.nowMs },
  });
  return { records, lists, state, census };
}

describe('a census', () => {
  test('counts phases, held records and unsent alerts, over all pages', async () => {
    const { records, lists, census } = setUp();
    for (let n = 0; n < 600; n += 1) records.push({ ...waitingRecord(), dagRunId: `w${n}` });
    records.push({ ...watchingRecord(), dagRunId: 'v', held: HELD, outbox: [ALERT, { ...ALERT, channel: 'slack' }] });
    records.push({ ...gaveUpRecord(), dagRunId: 'g', outbox: [{ ...ALERT, createdAtMs: ALERT.createdAtMs - 5 }] });
    const phases = { confirming: 0, waiting: 600, clearing: 0, watching: 1, giving_up: 0, gave_up: 1 };
    const all = { phases, held: 1 };
    expect(await census()).toEqual({
      ...all,
      dags: new Map([[waitingRecord().dagId, all]]),
      pendingAlerts: { [ALERT.channel]: 2, slack: 1 },
      oldestAlertAtMs: ALERT.createdAtMs - 5,
    });
    expect(lists.length).toBeGreaterThan(1);
  });

  test('is taken anew after five seconds, or twenty times what it took', async () => {
    const { records, lists, state, census } = setUp();
    await census();
    state.nowMs = 4_999;
    records.push(waitingRecord());
    expect((await census()).phases.waiting).toBe(0);
    state.nowMs = 5_000;
    state.perPageMs = 1_000;
    expect((await census()).phases.waiting).toBe(1);
    expect(lists).toHaveLength(2);
    state.nowMs = 6_000 + 19_999;
    await census();
    expect(lists).toHaveLength(2);
    state.nowMs += 1;
    await census();
    expect(lists).toHaveLength(3);
  });

  test('is shared by all who ask meanwhile', async () => {
    const { lists, census } = setUp();
    await Promise.all([census(), census(), census()]);
    expect(lists).toHaveLength(1);
  });

  test('rejects while the store is out, and counts again afterwards', async () => {
    const { state, census } = setUp();
    state.isOut = true;
    await expect(census()).rejects.toThrow(OUTAGE);
    state.isOut = false;
    expect((await census()).held).toBe(0);
  });
});
