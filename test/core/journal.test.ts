import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../src/core/event.ts';
import { JournalEntry, journalOf } from '../../src/core/journal.ts';
import type { RunRecord } from '../../src/core/record.ts';
import { transition } from '../../src/core/transition.ts';
import {
  ALERT,
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  gaveUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../support/records.ts';
import { rulesWith } from './policies.ts';
import { clearAnswered, failed, MISSING, NEXT_ATTEMPT, operated, running, seen } from './transition/events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;

function entryFor(before: RunRecord | null, event: RunEvent, rules = rulesWith()): JournalEntry | null {
  return journalOf(before, event, transition(RUN, before, event, rules, NOW_MS), NOW_MS);
}

describe('the journal keeps', () => {
  const rehearsed = gaveUpRecord({ reason: 'would_have_retried', retriesUsed: 1 });
  const off = rulesWith({ maxRetries: 0 });
  const twice = watchingRecord({ retriesUsed: 2, failures: [FAILURE] });
  const restarted = running(NEXT_ATTEMPT);
  test.each<[what: string, RunRecord, RunEvent, ReturnType<typeof rulesWith>, object]>([
    ['a failed attempt', confirmingRecord(), seen('failed'), rulesWith(), { type: 'failed', reason: 'settled' }],
    ['a retry', waitingRecord(), seen('failed'), rulesWith(), { type: 'retried', retriesUsed: 1 }],
    ['a person at work', waitingRecord(), seen('running', restarted), rulesWith(), { type: 'restarted', attempt: 2 }],
    ['a recovery', watchingRecord(), seen('success'), rulesWith(), { type: 'recovered', retriesUsed: 1 }],
    ['that of a rehearsal', rehearsed, seen('success'), rulesWith(), { type: 'recovered' }],
    ['a success without us', confirmingRecord(), seen('success'), rulesWith(), { type: 'ended' }],
    ['a deleted run', watchingRecord(), MISSING, rulesWith(), { type: 'ended', reason: 'run_missing' }],
    ['that with alerts unsent', watchingRecord({ outbox: [ALERT] }), MISSING, rulesWith(), { type: 'ended' }],
    ['what is not retried', confirmingRecord(), seen('failed'), off, { type: 'ended', reason: 'retries_off' }],
    ['the cap', twice, seen('failed', NEXT_ATTEMPT), rulesWith(), { type: 'gave_up', reason: 'max_retries_reached' }],
  ])('%s', (_what, before, event, rules, expected) => {
    const entry = entryFor(before, event, rules);
    expect(entry).toMatchObject({ ...expected, atMs: NOW_MS, dagId: RUN.dagId, dagRunId: RUN.dagRunId });
    expect(JournalEntry.parse(entry)).toEqual(entry);
  });

  test('who did what, and why', () => {
    const entry = entryFor(waitingRecord(), operated('pause'));
    expect(entry).toMatchObject({ type: 'operated', action: 'pause', actor: 'anna', comment: 'because' });
    expect(entry).toMatchObject({ taskId: FAILURE.taskId, failureClass: FAILURE.failureClass });
  });
});

describe('the journal leaves out', () => {
  test.each<[what: string, RunRecord | null, RunEvent]>([
    ['a first report, which may settle or not', null, failed()],
    ['a repeated clear', clearingRecord({ dueAtMs: NOW_MS }), seen('failed')],
    ['an accepted clear', clearingRecord(), clearAnswered({ type: 'accepted', run: null })],
    ['a rehearsed clear, which is a retry already', clearingRecord(), clearAnswered({ type: 'rehearsed', tasks: 1 })],
    ['what changes nothing', waitingRecord(), operated('resume')],
    ['the end of a tombstone', gaveUpRecord({ expiresAtMs: NOW_MS }), { type: 'time_passed' }],
  ])('%s', (_what, before, event) => {
    expect(entryFor(before, event)).toBeNull();
  });
});
