import { describe, expect, test } from 'vitest';
import type { Reason } from '../../../src/core/reason.ts';
import type { RunRecord } from '../../../src/core/record.ts';
import { noteAfter } from '../../../src/engine/notes/line.ts';
import {
  clearingRecord,
  confirmingRecord,
  gaveUpRecord,
  givingUpRecord,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';

const NOW_MS = Date.parse('2026-11-21T14:05:00.400Z');
const FAILED = { atMs: NOW_MS, type: 'failed', attempt: 1, reason: 'settled', detail: 'task load: ConnectionError' };
const held = { actor: 'anna', comment: '', atMs: NOW_MS };
const spent = { retriesUsed: 2, maxRetries: 3, history: [FAILED], failures: [] };
const waiting = waitingRecord({ ...spent, retriesUsed: 1, retryAtMs: NOW_MS });
const watching = watchingRecord({ ...spent, clearedAtMs: NOW_MS, startedBy: 'dagain' });
const givingUp = givingUpRecord({ ...spent, gaveUpAtMs: NOW_MS, reason: 'max_retries_reached' });
const gaveUp = gaveUpRecord({ ...spent, gaveUpAtMs: NOW_MS, reason: 'max_retries_reached' });
const fresh = confirmingRecord({ attempt: 1, retriesUsed: 0, history: [] });

const noteOf = (before: RunRecord | null, next: RunRecord | null, reason: Reason) =>
  noteAfter({ before, next, reason }, NOW_MS);

describe('what people read on the run', () => {
  test.each<[string, RunRecord | null, RunRecord | null, Reason, string]>([
    ['a retry is planned', fresh, waiting, 'settled', 'retry 2 of 3 at 2026-11-21 14:05:01 UTC'],
    ['it is held', waiting, { ...waiting, held }, 'held_by_operator', 'retry 2 of 3 is held by anna since 2026-11-21'],
    ['it is resumed', { ...waiting, held }, waiting, 'resumed_by_operator', 'retry 2 of 3 at 2026-11-21 14:05:01 UTC'],
    [
      'it runs',
      clearingRecord(spent),
      watching,
      'clear_accepted',
      'retry 2 of 3 running since 2026-11-21 14:05:01 UTC',
    ],
    [
      'it is given up',
      fresh,
      givingUp,
      'max_retries_reached',
      'gave up at 2026-11-21 14:05:01 UTC after 2 of 3 retries: max_retries_reached',
    ],
    ['the same without alerts', fresh, gaveUp, 'never_on', 'gave up at 2026-11-21 14:05:01 UTC after 2 of 3'],
    [
      'a person restarts it',
      waiting,
      { ...watching, startedBy: 'person' },
      'restarted_by_person',
      'restarted by a person',
    ],
    ['it recovers', watching, null, 'run_succeeded', 'succeeded on attempt'],
    ['it recovers after all', gaveUp, null, 'run_succeeded', 'succeeded on attempt'],
    [
      'it recovers, with alerts to send',
      watching,
      { ...givingUp, reason: 'run_succeeded' },
      'run_succeeded',
      'succeeded',
    ],
  ])('when %s', (_name, before, next, reason, text) => {
    expect(noteOf(before, next, reason)).toContain(text);
  });

  test('tells what failed last', () => {
    expect(noteOf(clearingRecord(spent), watching, 'clear_accepted')).toContain('(task load: ConnectionError)');
  });

  test('goes when what it announced will not happen', () => {
    expect(noteOf({ ...waiting, retriesUsed: 0 }, null, 'run_succeeded')).toBeNull();
    expect(noteOf(waiting, null, 'retries_off')).toBeNull();
    expect(noteOf(watching, null, 'reset_by_operator')).toBeNull();
  });

  test.each<[string, RunRecord | null, RunRecord | null, Reason]>([
    ['a failure that has just been reported', null, fresh, 'failure_reported'],
    ['a run that is being cleared', waiting, clearingRecord(), 'clear_due'],
    ['another look at a running attempt', watching, { ...watching, dueAtMs: 1 }, 'attempt_running'],
    ['a run that never was ours', fresh, null, 'retries_off'],
    ['a run that succeeded by itself', fresh, null, 'run_succeeded'],
    ['a run that is gone', watching, null, 'run_missing'],
    ['a tombstone after the last alert', givingUp, gaveUp, 'alert_accepted'],
    ['a tombstone that expires', gaveUp, null, 'tombstone_expired'],
    ['the last alert of a run that recovered', { ...givingUp, reason: 'run_succeeded' }, null, 'alert_accepted'],
    ['a retry that has failed, until it is settled', watching, confirmingRecord(spent), 'failure_reported'],
  ])('stays as it is for %s', (_name, before, next, reason) => {
    expect(noteOf(before, next, reason)).toBeUndefined();
  });
});
