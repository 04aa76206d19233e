import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/event.ts';
import { dueAtOf, type RunRecord } from '../../../src/core/record.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  ALERT,
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  gaveUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { clearAnswered, failed, NEXT_ATTEMPT, seen, seenRun } from './events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;
const held = { actor: 'anna', comment: 'database is down', atMs: FAILED_AT_MS + 1_000 };
const decide = (record: RunRecord, event: RunEvent, rules = rulesWith()) =>
  transition(RUN, record, event, rules, NOW_MS);

describe('a run that a person holds', () => {
  test('is not cleared, however due it is', () => {
    const waiting = waitingRecord({ held });
    expect(decide(waiting, seen('failed'))).toMatchObject({ next: waiting, command: null, decision: 'held' });
    expect(decide({ ...waiting, held: null }, seen('failed'))).toMatchObject({ command: 'send_clear' });
  });

  test('sends no second clear when the first one had no effect', () => {
    const clearing = clearingRecord({ held, mode: 'from_failure' });
    const accepted = clearAnswered({ type: 'accepted', run: seenRun('failed') });
    const after = decide(clearing, accepted);
    expect(after).toMatchObject({ command: null, next: { phase: 'clearing', held } });
    expect(dueAtOf(after.next as RunRecord)).toBeNull();
    const resumed = decide({ ...(after.next as RunRecord), held: null }, seen('failed'));
    expect(resumed).toMatchObject({ command: 'send_clear', next: { mode: 'all_tasks', clearsSent: 2 } });
  });

  test('still takes in the answer to a clear that was under way', () => {
    const after = decide(clearingRecord({ held }), clearAnswered({ type: 'accepted', run: null }));
    expect(after.next).toMatchObject({ phase: 'watching', held });
  });

  test.each([
    ['confirming', confirmingRecord({ held }), 'confirming'],
    ['waiting', waitingRecord({ held }), 'waiting'],
    ['clearing', clearingRecord({ held }), 'clearing'],
    ['watching', watchingRecord({ held }), 'confirming'],
  ] as const)('%s: a failure is taken in, and whoever reports it is told', (_name, record, phase) => {
    const after = decide(record, failed());
    expect(after).toMatchObject({ decision: 'held', reason: 'held_by_operator', next: { phase, held } });
    expect(dueAtOf(after.next as RunRecord)).toBeNull();
  });

  test('is not given up by a failure that forbids its retry, but when it is resumed and due', () => {
    const after = decide(waitingRecord({ held }), failed({ exceptionType: 'AirflowFailException' }));
    expect(after).toMatchObject({ decision: 'not_retryable', reason: 'never_on', next: { phase: 'waiting', held } });
    const resumed = { ...after.next, held: null } as RunRecord;
    expect(decide(resumed, seen('failed')).next).toMatchObject({ phase: 'giving_up', reason: 'never_on' });
  });

  test('stays held when a person restarts it after it was given up', () => {
    const after = decide(gaveUpRecord({ held }), failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs }));
    expect(after).toMatchObject({ decision: 'held', next: { phase: 'confirming', held, retriesUsed: 0 } });
  });

  test('is told of a success, and looks when it is resumed', () => {
    const waiting = waitingRecord({ held });
    expect(decide(waiting, { type: 'success_reported' })).toMatchObject({ next: waiting, decision: 'held' });
    expect(decide({ ...waiting, held: null }, seen('success'))).toMatchObject({ next: null });
  });

  test('is due only for its alerts', () => {
    const nextTryAtMs = NOW_MS + 5;
    expect(dueAtOf(waitingRecord({ held, outbox: [{ ...ALERT, nextTryAtMs }] }))).toBe(nextTryAtMs);
  });
});
