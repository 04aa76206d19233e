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
  FINGERPRINT,
  gaveUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../support/records.ts';
import { rulesWith } from './policies.ts';
import { clearAnswered, failed, MISSING, NEXT_ATTEMPT, operated, running, seen } from './transition/events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;

function entriesFor(before: RunRecord | null, event: RunEvent, rules = rulesWith()): readonly JournalEntry[] {
  return journalOf(before, event, transition(RUN, before, event, rules, NOW_MS), NOW_MS);
}

/** Each as `type reason attempt`. */
function wordsFor(before: RunRecord | null, event: RunEvent, rules = rulesWith()): readonly string[] {
  return entriesFor(before, event, rules).map(({ type, reason, attempt }) => `${type} ${reason} ${attempt}`);
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
    const entries = entriesFor(before, event, rules);
    expect(entries).toMatchObject([{ ...expected, atMs: NOW_MS, dagId: RUN.dagId, dagRunId: RUN.dagRunId }]);
    expect(entries.map((entry) => JournalEntry.parse(entry))).toEqual(entries);
  });

  test('who did what, and why', () => {
    const [entry] = entriesFor(waitingRecord(), operated('pause'));
    expect(entry).toMatchObject({ type: 'operated', action: 'pause', actor: 'anna', comment: 'because' });
    expect(entry).not.toHaveProperty('retries');
    expect(entriesFor(gaveUpRecord(), operated('grant', 3))).toMatchObject([{ action: 'grant', retries: 3 }]);
    expect(entry).toMatchObject({ taskId: FAILURE.taskId, failureClass: FAILURE.failureClass });
  });
});

describe('a restart by a person that is seen only after it has failed is two entries', () => {
  const once = rulesWith({ maxRetries: 1 });
  const infraOff = rulesWith({ retryOn: ['task_error'] });
  const rehearsed = gaveUpRecord({ reason: 'would_have_retried', retriesUsed: 1, fingerprint: FINGERPRINT });
  const isShadow = rulesWith({ maxRetries: 1 }, { isShadow: true });
  test.each<[what: string, RunRecord, ReturnType<typeof rulesWith>, second: string]>([
    ['and is retried', waitingRecord(), rulesWith(), 'failed settled 2'],
    ['into the cap', waitingRecord({ retriesUsed: 1 }), once, 'gave_up max_retries_reached 2'],
    ['in a way that is not retried', waitingRecord({ retriesUsed: 1 }), infraOff, 'gave_up class_not_retried 2'],
    ['into the cap, as rehearsed', rehearsed, isShadow, 'gave_up max_retries_reached 2'],
  ])('%s', (_what, before, rules, second) => {
    const event = seen('failed', NEXT_ATTEMPT);
    expect(wordsFor(before, event, rules)).toEqual(['restarted restarted_by_person 2', second]);
    // Nobody reported that failure, so that it is taken for one of the infrastructure, and not of the task before.
    const untold = { failureClass: 'infra', taskId: null };
    expect(entriesFor(before, event, rules)).toMatchObject([untold, untold]);
  });

  test('and is no longer ours to retry', () => {
    const words = wordsFor(waitingRecord(), seen('failed', NEXT_ATTEMPT), rulesWith({ maxRetries: 0 }));
    expect(words).toEqual(['restarted restarted_by_person 1', 'ended restarted_by_person 1']);
  });
});

test('a failure that no callback told of has the task and the class that were found', () => {
  const failedTasks = [{ taskId: 'load', mapIndex: -1, tryNumber: 1, operator: null }];
  const event = { ...seen('failed', NEXT_ATTEMPT), failedTasks };
  const entries = entriesFor(watchingRecord({ failures: [] }), event);
  expect(entries).toMatchObject([{ type: 'failed', taskId: 'load', failureClass: 'infra' }]);
});

describe('an attempt fails once, where the run need not have been seen failed', () => {
  const immediate = rulesWith({ gate: 'immediate', delayMs: 60_000 });
  const report = failed({}, { startedAtMs: FINGERPRINT.startedAtMs });
  const unseen = transition(RUN, null, report, immediate, FAILED_AT_MS).next;
  const stillRuns = seen('running', { ...FINGERPRINT, endedAtMs: null });

  test('it is cleared: it failed, and was retried', () => {
    expect(unseen).toMatchObject({ phase: 'waiting', fingerprint: null });
    expect(wordsFor(null, report, immediate)).toEqual([]);
    expect(wordsFor(unseen, stillRuns, immediate)).toEqual(['failed clear_due 1', 'retried clear_due 1']);
    expect(wordsFor(unseen, seen('failed'), immediate)).toEqual(['failed clear_due 1', 'retried clear_due 1']);
  });

  test('it is asked anew, under another policy, whether it has failed', () => {
    const settled = rulesWith({ delayMs: 60_000 });
    const again = transition(RUN, unseen, stillRuns, settled, NOW_MS).next;
    expect(again).toMatchObject({ phase: 'confirming' });
    expect(wordsFor(unseen, stillRuns, settled)).toEqual([]);
    expect(wordsFor(again, seen('failed'), settled)).toEqual(['failed settled 1']);
  });
});

describe('the journal leaves out', () => {
  test.each<[what: string, RunRecord | null, RunEvent]>([
    ['a first report, which may settle or not', null, failed()],
    ['a repeated clear', clearingRecord({ dueAtMs: NOW_MS }), seen('failed')],
    ['a look before the delay is over', waitingRecord({ retryAtMs: NOW_MS + 1 }), seen('failed')],
    ['another task of the same attempt', waitingRecord(), failed({ id: 'ti:another', taskId: 'another' })],
    ['an accepted clear', clearingRecord(), clearAnswered({ type: 'accepted', run: null })],
    ['a rehearsed clear, which is a retry already', clearingRecord(), clearAnswered({ type: 'rehearsed', tasks: 1 })],
    ['what changes nothing', waitingRecord(), operated('resume')],
    ['the end of a tombstone', gaveUpRecord({ expiresAtMs: NOW_MS }), { type: 'time_passed' }],
  ])('%s', (_what, before, event) => {
    expect(entriesFor(before, event)).toEqual([]);
  });

  test('a clear that is sent again since the one before is found to have done nothing', () => {
    const mode = 'from_failure' as const;
    const sent = { retriesUsed: 1, clearsSent: 1, previous: { fingerprint: FINGERPRINT, wasFailed: true, mode } };
    for (const before of [watchingRecord(sent), confirmingRecord(sent)]) {
      const event = seen('failed', FINGERPRINT);
      const found = transition(RUN, before, event, rulesWith(), NOW_MS);
      expect(found).toMatchObject({ reason: 'retrying_all_tasks', next: { phase: 'clearing' } });
      expect(entriesFor(before, event)).toEqual([]);
      expect(entriesFor(found.next as RunRecord, event)).toEqual([]);
    }
  });
});
