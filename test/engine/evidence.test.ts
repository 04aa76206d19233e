import { describe, expect, test } from 'vitest';
import type { RunRecord } from '../../src/core/record.ts';
import { createEvidenceReader } from '../../src/engine/evidence.ts';
import type { AuditEntry, AuditTrail, LeastClears, UnavailableReason } from '../../src/orchestrator/port.ts';
import { confirmingRecord, FINGERPRINT, RUN, waitingRecord } from '../support/records.ts';

const entry = (atMs: number, isOurs: boolean, action: AuditEntry['action'] = 'cleared'): AuditEntry => ({
  action,
  atMs,
  isOurs,
  owner: isOurs ? 'dagain' : 'anna',
  taskId: null,
});
const found = { type: 'found', isComplete: true, knowsUs: true } as const;
const outage = (reason: UnavailableReason) =>
  ({ type: 'unavailable', reason, detail: `it said ${reason}`, retryAfterMs: 5 }) as const;

const CHECKED: RunRecord = waitingRecord({ countIs: 'checked' });
const notAsked = () => Promise.reject(new Error('the tries are not asked for here'));

function read(
  trail: AuditTrail,
  { record = CHECKED, leastClears = notAsked as () => Promise<LeastClears>, beginsMs = 42 } = {},
) {
  const reader = createEvidenceReader({
    orchestrator: { auditTrail: async () => trail, leastClears },
    memory: { beginsMs: async () => beginsMs, lostAtMs: async () => null },
  });
  return reader.read(RUN, record);
}

test('clears are counted by who sent them; what else was done to the run is none', async () => {
  const entries = [entry(1, false), entry(2, true), entry(3, true, 'marked_failed'), entry(4, true), entry(5, false)];
  expect(await read({ ...found, entries })).toEqual({
    restarts: {
      type: 'told',
      clears: [1, 2, 4, 5].map((atMs) => ({ atMs, isOurs: atMs === 2 || atMs === 4 })),
    },
    remembersSinceMs: 42,
    lostAtMs: null,
  });
});

test.each<[string, string | undefined, AuditEntry[]]>([
  ['by hand', 'anna', [entry(1, false, 'marked_failed')]],
  [
    'by hand, after our clear',
    'anna',
    [entry(1, true), entry(2, false, 'marked_failed'), entry(3, false, 'task_lost')],
  ],
  ['by hand, under our name', 'dagain', [entry(1, true, 'marked_failed')]],
  ['by hand, by nobody that is known', 'somebody', [{ ...entry(1, false, 'marked_failed'), owner: null }]],
  [
    'by hand, before a clear: that was an earlier attempt',
    undefined,
    [entry(1, false, 'marked_failed'), entry(2, false)],
  ],
  ['by hand, and then cleared by us', 'anna', [entry(1, false, 'marked_failed'), entry(2, true)]],
  ['by itself', undefined, [entry(1, false, 'marked_success'), entry(2, false, 'task_lost')]],
])('an attempt that was ended %s', async (_name, by, entries) => {
  const atMs = entries.findLast(({ action }) => action === 'marked_failed')?.atMs;
  const isCleared = entries.at(-1)?.action === 'cleared';
  const expected = by === undefined ? {} : { stop: { by, atMs, isCleared } };
  const evidence = await read({ ...found, entries });
  expect(Object.fromEntries(Object.entries(evidence).filter(([name]) => name === 'stop'))).toEqual(expected);
  // Also where the log does not show which entries are ours.
  expect(await read({ ...found, entries, knowsUs: false })).toMatchObject(expected);
});

test('a log without clears tells that there were none', async () => {
  expect(await read({ ...found, entries: [] })).toMatchObject({
    restarts: { type: 'told', clears: [] },
  });
});

test.each<[string, AuditTrail]>([
  ['may not be read', outage('forbidden')],
  ['does not show which entries are ours', { ...found, entries: [entry(1, true)], knowsUs: false }],
  ['does not reach back, and shows none of ours', { ...found, entries: [entry(1, false)], isComplete: false }],
])('a log that %s tells nothing', async (_name, trail) => {
  expect(await read(trail)).toMatchObject({ restarts: { type: 'untold' }, remembersSinceMs: 42 });
});

test('a log that does not reach back still proves what it shows', async () => {
  const trail = { ...found, entries: [entry(7, true)], isComplete: false };
  expect(await read(trail)).toMatchObject({ restarts: { type: 'told', clears: [{ atMs: 7, isOurs: true }] } });
});

test.each(['timed_out', 'unauthorized', 'server_error'] as const)('%s may pass: nothing is decided', async (reason) => {
  expect(await read(outage(reason))).toEqual(outage(reason));
});

describe('the tries of the tasks', () => {
  const empty = { ...found, entries: [] };
  const leastClears = async (): Promise<LeastClears> => ({ type: 'found', clears: 2 });
  const record = waitingRecord({ countIs: 'unchecked' });
  const askedForMs = FINGERPRINT.queuedAtMs ?? 0;

  test('are asked for where neither the record nor the store can know of earlier clears', async () => {
    for (const countIs of ['unchecked', 'lost'] as const) {
      const unknown = waitingRecord({ countIs });
      expect(await read(empty, { record: unknown, leastClears, beginsMs: askedForMs })).toMatchObject({
        leastClears: 2,
      });
    }
    const unseen = waitingRecord({ countIs: 'unchecked', fingerprint: null });
    expect(await read(empty, { record: unseen, leastClears, beginsMs: 0 })).toMatchObject({ leastClears: 2 });
  });

  test('are not asked for where the count is checked, or the store is older than the attempt', async () => {
    expect(await read(empty, { beginsMs: askedForMs })).not.toHaveProperty('leastClears');
    expect(await read(empty, { record, beginsMs: askedForMs - 60_000 })).not.toHaveProperty('leastClears');
    expect(await read(empty, { record: confirmingRecord(), beginsMs: askedForMs })).not.toHaveProperty('leastClears');
  });

  test('are read before the audit log: what is cleared in between would seem to be missing there', async () => {
    const asked: string[] = [];
    const reader = createEvidenceReader({
      orchestrator: {
        auditTrail: async () => {
          asked.push('log');
          return empty;
        },
        leastClears: async () => {
          asked.push('tries');
          return await leastClears();
        },
      },
      memory: { beginsMs: async () => askedForMs, lostAtMs: async () => null },
    });
    await reader.read(RUN, record);
    expect(asked).toEqual(['tries', 'log']);
  });

  test('that may not be read tell nothing; where the read has failed nothing is decided', async () => {
    const answering = (reason: UnavailableReason) =>
      read(empty, { record, leastClears: async () => outage(reason), beginsMs: askedForMs });
    expect(await answering('forbidden')).toMatchObject({ restarts: { type: 'told' } });
    expect(await answering('forbidden')).not.toHaveProperty('leastClears');
    expect(await answering('timed_out')).toEqual(outage('timed_out'));
    expect(await answering('unexpected_answer')).toMatchObject({ type: 'unavailable', reason: 'unexpected_answer' });
  });
});
