import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/event.ts';
import { dueAtOf, type RunRecord } from '../../../src/core/record.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  ALERT,
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  gaveUpRecord,
  givingUpRecord,
  RUN,
  recordsOfAllPhases,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { failed, NEXT_ATTEMPT, operated, seen } from './events.ts';

const NOW_MS = FAILED_AT_MS + 10_000;
const held = { actor: 'bert', comment: '', atMs: FAILED_AT_MS };
const decide = (record: RunRecord | null, event: RunEvent, rules = rulesWith(), nowMs = NOW_MS) =>
  transition(RUN, record, event, rules, nowMs);
const spent = { retriesUsed: 2, retriesUsedByClass: { task_error: 2 }, attempt: 3 } as const;

describe('every operation', () => {
  test('that changes a run stands in its timeline, with who and why', () => {
    const after = decide(waitingRecord(), operated('pause')).next;
    expect(after?.history.at(-1)).toEqual({
      atMs: NOW_MS,
      type: 'operator',
      attempt: 1,
      reason: 'pause',
      detail: 'by anna: because',
    });
  });
});

describe('pause and resume', () => {
  test.each(recordsOfAllPhases().map((record) => [record.phase, record] as const))('%s', (_phase, record) => {
    const paused = decide(record, operated('pause')).next as RunRecord;
    expect(paused.held).toEqual({ actor: 'anna', comment: 'because', atMs: NOW_MS });
    expect(dueAtOf(paused)).toBe(record.outbox[0]?.nextTryAtMs ?? null);
    expect(decide(paused, operated('pause')).next).toBe(paused);
    const resumed = decide(paused, operated('resume')).next as RunRecord;
    expect({ ...resumed, history: [] }).toEqual({ ...record, history: [] });
    expect(decide(record, operated('resume')).next).toBe(record);
  });
});

describe('cancel', () => {
  test.each([
    ['confirming', confirmingRecord()],
    ['waiting', waitingRecord()],
    ['watching', watchingRecord()],
    ['held', waitingRecord({ held })],
  ])('%s: no more retries, a tombstone, and nobody is alerted', (_name, record) => {
    const after = decide(record, operated('cancel')).next as RunRecord;
    expect(after).toMatchObject({ phase: 'gave_up', reason: 'cancelled_by_operator', outbox: [], held: null });
    expect(decide(after, failed({ id: 'late' })).next).toMatchObject({ phase: 'gave_up' });
    expect(decide(after, seen('failed')).next).toMatchObject({ phase: 'gave_up' });
  });

  test('lets go out what was to be told before', () => {
    const after = decide(waitingRecord({ outbox: [ALERT] }), operated('cancel')).next;
    expect(after).toMatchObject({ phase: 'giving_up', outbox: [ALERT] });
  });

  test('comes too late while the clear is sent', () => {
    const record = clearingRecord();
    expect(decide(record, operated('cancel'))).toMatchObject({ next: record, reason: 'clear_under_way' });
  });
});

describe('retry_now', () => {
  test('ends the delay; the retry counts, and the run is looked at first', () => {
    const now = decide(waitingRecord(), operated('retry_now')).next as RunRecord;
    expect(now).toMatchObject({ phase: 'waiting', retryAtMs: NOW_MS, dueAtMs: NOW_MS, retriesUsed: 0 });
    expect(decide(now, seen('failed'))).toMatchObject({ command: 'send_clear', next: { retriesUsed: 1 } });
    expect(decide(now, seen('failed', NEXT_ATTEMPT))).toMatchObject({ command: null });
  });

  test('passes no cap that was lowered, and no hold', () => {
    const now = decide(waitingRecord(), operated('retry_now')).next as RunRecord;
    expect(decide(now, seen('failed'), rulesWith({ maxRetries: 0 }))).toMatchObject({ command: null });
    const paused = waitingRecord({ held });
    expect(decide(paused, operated('retry_now'))).toMatchObject({ next: paused, reason: 'held_by_operator' });
  });
});

describe('grant', () => {
  const grant = (retries: number) => operated('grant', retries);

  test('raises the cap of a run that is being retried', () => {
    const after = decide(waitingRecord(spent), grant(1)).next as RunRecord;
    expect(after).toMatchObject({ phase: 'waiting', granted: 1, maxRetries: 3 });
    expect(decide(after, operated('retry_now')).next).toMatchObject({ phase: 'waiting' });
    const due = decide(after, seen('failed'), rulesWith(), FAILED_AT_MS + 60_000);
    expect(due).toMatchObject({ command: 'send_clear', next: { retriesUsed: 3 } });
    const used = { ...spent, retriesUsed: 3, retriesUsedByClass: { task_error: 3 } };
    const again = decide(confirmingRecord({ ...used, granted: 1 }), seen('failed'));
    expect(again.next).toMatchObject({ phase: 'giving_up', reason: 'max_retries_reached' });
  });

  test.each([
    ['giving_up', givingUpRecord(spent)],
    ['gave_up', gaveUpRecord({ ...spent, held })],
  ])('takes a run up again that is %s; another give-up is another alert', (_name, record) => {
    const after = decide(record, grant(1)).next as RunRecord;
    expect(after).toMatchObject({ phase: 'confirming', granted: 1, retriesUsed: 2, held: null, dueAtMs: NOW_MS });
    expect(after.outbox).toEqual(record.outbox);
    // What is still delivered of the failures that led to the give-up changes nothing.
    expect(decide(after, failed({ id: FAILURE.id })).next).toBe(after);
    const waiting = decide(after, seen('failed')).next as RunRecord;
    expect(waiting).toMatchObject({ phase: 'waiting', retriesUsed: 2, maxRetries: 3 });
    const over = decide(
      { ...waiting, retriesUsed: 3, retriesUsedByClass: { task_error: 3 } },
      seen('failed'),
      rulesWith(),
      FAILED_AT_MS + 10 ** 6,
    );
    expect(over.next).toMatchObject({ phase: 'giving_up', reason: 'max_retries_reached' });
    const keys = over.next?.outbox.map(({ dedupeKey }) => dedupeKey) ?? [];
    expect(new Set(keys).size).toBe(record.outbox.length + 1);
  });

  test('of a run that has more spent than a lowered cap allows still is that many more', () => {
    const after = decide(gaveUpRecord(spent), grant(1), rulesWith({ maxRetries: 1 })).next as RunRecord;
    expect(decide(after, seen('failed'), rulesWith({ maxRetries: 1 })).next).toMatchObject({
      phase: 'waiting',
      maxRetries: 3,
    });
  });

  test('switches a run on that is off by policy, and passes no limit', () => {
    const off = rulesWith({ maxRetries: 0 });
    const after = decide(gaveUpRecord(), grant(1), off).next as RunRecord;
    expect(decide(after, seen('failed'), off).next).toMatchObject({ phase: 'waiting', maxRetries: 1 });
    const limited = rulesWith({ maxRetriesLimit: 2 });
    expect(decide(gaveUpRecord(spent), grant(5), limited)).toMatchObject({
      reason: 'limit_reached',
      decision: 'stale',
    });
    const most = decide(waitingRecord(), grant(5), limited).next;
    expect(most).toMatchObject({ maxRetries: 2 });
  });
});

describe('reset', () => {
  test('forgets the run, so that the next failure counts anew', () => {
    for (const record of recordsOfAllPhases().filter(({ phase }) => phase !== 'clearing')) {
      expect(decide(record, operated('reset'))).toMatchObject({ next: null, decision: 'cleaned_up' });
    }
  });

  test('waits for the answer to a clear: the attempt that it starts must find its record', () => {
    const record = clearingRecord();
    expect(decide(record, operated('reset'))).toMatchObject({ next: record, reason: 'clear_under_way' });
  });
});
