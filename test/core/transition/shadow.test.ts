import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/event.ts';
import type { RunRecord } from '../../../src/core/record.ts';
import { transition } from '../../../src/core/transition.ts';
import { clearingRecord, FAILED_AT_MS, FINGERPRINT, RUN } from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { alertAnswered, clearAnswered, failed, NEXT_ATTEMPT, seen } from './events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;
const rules = rulesWith({ maxRetries: 2, delayMs: 0 }, { isShadow: true });
const REHEARSED = clearAnswered({ type: 'rehearsed', tasks: 3 });

function apply(record: RunRecord | null, event: RunEvent, nowMs = NOW_MS) {
  return transition(RUN, record, event, rules, nowMs);
}

/** The first retry has been rehearsed. */
function rehearsed(): RunRecord | null {
  return apply(clearingRecord(), REHEARSED).next;
}

describe('a rehearsed retry', () => {
  test('counts as made, says what it would have done, and leaves a tombstone that alerts nobody', () => {
    const { next, reason } = apply(clearingRecord(), REHEARSED);
    expect(reason).toBe('would_have_retried');
    expect(next).toMatchObject({ phase: 'gave_up', reason: 'would_have_retried', retriesUsed: 1, outbox: [] });
    expect(next?.history.at(-1)).toMatchObject({ reason: 'would_have_retried', detail: 'dry run: 3 task instances' });
  });

  test.each([
    [1, 'dry run: 1 task instance'],
    [null, 'dry run'],
  ])('of %s tasks reads: %s', (tasks, detail) => {
    const { next } = apply(clearingRecord(), clearAnswered({ type: 'rehearsed', tasks }));
    expect(next?.history.at(-1)).toMatchObject({ detail });
  });

  test('changes nothing under another number', () => {
    const record = clearingRecord();
    expect(apply(record, clearAnswered({ type: 'rehearsed', tasks: 3 }, 7)).next).toBe(record);
  });

  test('is taken to be made by whoever restarts the run: the count goes on', () => {
    const seenRestarted = apply(rehearsed(), seen('running', { ...NEXT_ATTEMPT, endedAtMs: null }));
    expect(seenRestarted.next).toMatchObject({ phase: 'watching', retriesUsed: 1, attempt: 2 });
    const report = failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs });
    const reported = apply(rehearsed(), report);
    expect(reported.next).toMatchObject({ phase: 'confirming', retriesUsed: 1, attempt: 2, earlierCount: null });
  });

  test('was not made once the service retries in earnest: what a person restarts then is counted anew', () => {
    const active = (event: RunEvent) => transition(RUN, rehearsed(), event, rulesWith({ maxRetries: 2 }), NOW_MS).next;
    const seenRestarted = active(seen('running', { ...NEXT_ATTEMPT, endedAtMs: null }));
    expect(seenRestarted).toMatchObject({ phase: 'watching', retriesUsed: 0, earlierCount: { retriesUsed: 1 } });
    const reported = active(failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs }));
    expect(reported).toMatchObject({ phase: 'confirming', retriesUsed: 0, earlierCount: { retriesUsed: 1 } });
  });

  test('of the same attempt is not followed by another one', () => {
    const late = failed({}, { startedAtMs: FINGERPRINT.startedAtMs });
    expect(apply(rehearsed(), late)).toMatchObject({ decision: 'giving_up', next: rehearsed() });
  });
});

test('the cap is reached when it would have been, and alerts', () => {
  let record = rehearsed();
  const look = seen('failed', NEXT_ATTEMPT);
  record = apply(record, failed({}, { startedAtMs: NEXT_ATTEMPT.startedAtMs })).next;
  record = apply(record, look).next;
  const second = apply(record, look);
  expect(second).toMatchObject({ command: 'send_clear', next: { retriesUsed: 2 } });
  record = apply(second.next, clearAnswered({ type: 'rehearsed', tasks: 1 }, second.next?.clearsSent)).next;
  const third = { queuedAtMs: NOW_MS, startedAtMs: NOW_MS + 1_000, endedAtMs: NOW_MS + 2_000 };
  record = apply(record, failed({ id: 'third' }, { startedAtMs: third.startedAtMs }), NOW_MS + 3_000).next;
  const { next } = apply(record, seen('failed', third), NOW_MS + 3_000);
  expect(next).toMatchObject({ phase: 'giving_up', reason: 'max_retries_reached', attempt: 3, retriesUsed: 2 });
  const [alert] = next?.outbox ?? [];
  const told = apply(next, alertAnswered({ ...alert, accepted: true }), NOW_MS + 4_000).next;
  expect(told).toMatchObject({ phase: 'gave_up', outbox: [] });
});
