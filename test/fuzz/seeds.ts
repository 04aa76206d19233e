import type { JournalEntry } from '../../src/core/journal.ts';
import { keyOf, type RunRecord } from '../../src/core/record.ts';
import type { RunStore } from '../../src/store/port.ts';
import { FAILED_AT_MS, recordsOfAllPhases } from '../support/records.ts';

const DAGS = 12;
const RUNS_PER_PHASE = 5;
const DAY_MS = 86_400_000;

/** Puts a few hundred runs in all phases into the store, a journal of them, and a pause; says how many. */
export async function seed(store: RunStore, nowMs: number): Promise<number> {
  let seeded = 0;
  for (let dag = 0; dag < DAGS; dag += 1) {
    for (let run = 0; run < RUNS_PER_PHASE; run += 1) {
      for (const record of recordsOfAllPhases()) {
        const key = { dagId: `dag_${dag}`, dagRunId: `${record.phase}__${run}` };
        const moved = { ...movedTo(record, nowMs), ...key };
        const isHeld = run === 0 && record.phase === 'waiting';
        const next = isHeld ? { ...moved, held: { actor: 'ann', comment: 'seed', atMs: nowMs } } : moved;
        await store.compareAndSwap(key, 0, next, [entryOf(next, nowMs - seeded * 60_000)]);
        seeded += 1;
      }
    }
  }
  const pause = { scope: 'dag_1', actor: 'ann', comment: 'seed', atMs: nowMs };
  const [record] = recordsOfAllPhases({ dagId: 'dag_1', dagRunId: 'r' });
  if (record === undefined) throw new Error('there are no phases');
  const operated = {
    ...entryOf(record, nowMs),
    type: 'operated',
    action: 'pause',
    actor: 'ann',
    comment: 'seed',
  } as const;
  await store.setPause(pause.scope, pause, { ...operated, dagRunId: null });
  return seeded;
}

/** A record as of now that has a day before anything is due, so that it keeps its phase while it is asked for. */
function movedTo(record: RunRecord, nowMs: number): RunRecord {
  const byMs = nowMs - FAILED_AT_MS + DAY_MS;
  const moved = Object.entries(record).map(([name, value]) => {
    const isTime =
      name.endsWith('Ms') && typeof value === 'number' && !['gaveUpAtMs', 'firstFailedAtMs'].includes(name);
    return [name, isTime ? value + byMs : value];
  });
  const outbox = record.outbox.map((alert) => ({ ...alert, nextTryAtMs: nowMs + DAY_MS }));
  return { ...record, ...Object.fromEntries(moved), outbox, firstFailedAtMs: nowMs - 3_600_000 };
}

function entryOf(record: RunRecord, atMs: number): JournalEntry {
  const { attempt, retriesUsed } = record;
  return {
    ...{ atMs, type: 'failed', ...keyOf(record), attempt, retriesUsed, reason: 'settled' },
    ...{ taskId: 'load', failureClass: 'task_error', action: null, actor: null, comment: null },
  };
}
