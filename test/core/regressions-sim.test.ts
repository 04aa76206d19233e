import { describe, expect, test } from 'vitest';
import type { SeenRun } from '../../src/core/event.ts';
import type { Failure, RunRecord } from '../../src/core/record.ts';
import { transition } from '../../src/core/transition.ts';
import {
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  FINGERPRINT,
  RUN,
  waitingRecord,
} from '../support/records.ts';
import { rulesWith } from './policies.ts';
import { clearAnswered, failed, NEXT_ATTEMPT, running, seen, seenRun, unavailable } from './transition/events.ts';

// Found by the simulation (test/sim); each test is what was left of a failing seed.

const HOUR_MS = 3_600_000;
const NOW_MS = FAILED_AT_MS + 10_000;
const GAVE_UP_AT_MS = FAILED_AT_MS + 7 * HOUR_MS;

describe('a run that was given up while nobody could look at it', () => {
  const given = (record: RunRecord, maxRetries = 2) =>
    transition(RUN, record, unavailable(), rulesWith({ maxRetries }), GAVE_UP_AT_MS).next;

  test.each([
    ['because it never settled', confirmingRecord(), 2, 'settle_timeout'],
    [
      'because its retries are used up',
      confirmingRecord({ retriesUsed: 2, attempt: 3, unavailableSinceMs: FAILED_AT_MS, sinceMs: GAVE_UP_AT_MS }),
      2,
      'max_retries_reached',
    ],
  ])('%s is known again by the start that its callback told', (_name, record, maxRetries, reason) => {
    const tombstone = given(record, maxRetries);
    expect(tombstone).toMatchObject({ phase: 'giving_up', reason });
    if (tombstone === null) throw new Error('nothing was kept');
    const { startedAtMs } = FINGERPRINT;
    // A late callback of the same attempt starts nothing.
    const late = failed({ tryNumber: 1 }, { startedAtMs });
    expect(transition(RUN, tombstone, late, rulesWith(), GAVE_UP_AT_MS).next).toBe(tombstone);
    // A person restarts the run: its failure, reported or seen, is that of another attempt and counts anew.
    const again = failed({ tryNumber: 2 }, { startedAtMs: NEXT_ATTEMPT.startedAtMs });
    const counted = { phase: 'confirming', retriesUsed: 0, attempt: record.attempt + 1 };
    expect(transition(RUN, tombstone, again, rulesWith(), GAVE_UP_AT_MS + HOUR_MS).next).toMatchObject(counted);
    const looked = transition(RUN, tombstone, seen('failed', NEXT_ATTEMPT), rulesWith(), GAVE_UP_AT_MS + HOUR_MS).next;
    expect(looked).toMatchObject({ phase: 'waiting', retriesUsed: 0, attempt: record.attempt + 1 });
  });

  test('is no other when Airflow answers again and shows the same attempt', () => {
    const tombstone = given(confirmingRecord());
    if (tombstone === null) throw new Error('nothing was kept');
    const next = transition(RUN, tombstone, seen('failed'), rulesWith(), GAVE_UP_AT_MS + HOUR_MS).next;
    expect(next).toMatchObject({ phase: 'giving_up', retriesUsed: 0, attempt: 1 });
  });
});

describe('a task of which the orchestrator told before its callback did (Airflow 2: under the same id)', () => {
  const found: Failure = {
    ...FAILURE,
    ...{ id: 'task:load|-1|1', exceptionType: null, logUrl: null, message: 'failed without a callback' },
    failureClass: 'infra',
  };
  const waiting = waitingRecord({ failures: [found], dueAtMs: NOW_MS + 1, retryAtMs: NOW_MS + 1 });
  const report = (record: RunRecord, failure: Partial<Failure>) =>
    transition(RUN, record, failed({ ...found, ...failure }), rulesWith(), NOW_MS).next;

  test('is what its callback says from then on', () => {
    const told = report(waiting, { exceptionType: 'ValueError', failureClass: 'task_error' });
    expect(told).toMatchObject({ failures: [{ id: found.id, exceptionType: 'ValueError' }] });
    if (told === null) throw new Error('nothing was kept');
    expect(report(told, { exceptionType: 'ValueError', failureClass: 'task_error' })).toBe(told);
  });

  test('is not retried when its callback forbids that', () => {
    const forbidden = { exceptionType: 'airflow.exceptions.AirflowFailException' };
    expect(report(waiting, forbidden)).toMatchObject({ phase: 'giving_up', reason: 'never_on' });
  });

  test('stays as it is when the callback tells no more', () => {
    expect(report(waiting, {})).toBe(waiting);
  });
});

describe('a run that was seen running, and had failed when its clear came (gate: immediate)', () => {
  const clearing = clearingRecord({ wasFailed: false, fingerprint: running(FINGERPRINT), clearNumber: 0 });
  const late = failed({ taskId: null, tryNumber: null }, { startedAtMs: FINGERPRINT.startedAtMs });
  const watchedAfter = (run: SeenRun) => {
    const { next } = transition(RUN, clearing, clearAnswered({ type: 'accepted', run }), rulesWith(), NOW_MS);
    if (next?.phase !== 'watching') throw new Error('it is not watched');
    return next;
  };

  test('starts anew, so that callbacks of its old start are late ones', () => {
    const watching = watchedAfter(seenRun('queued', { queuedAtMs: NOW_MS, startedAtMs: null, endedAtMs: null }));
    expect(watching.clearNumber).toBe(1);
    expect(transition(RUN, watching, late, rulesWith(), NOW_MS)).toMatchObject({ next: watching, decision: 'stale' });
  });

  test('keeps its start when it was still running, which tells nothing then', () => {
    const watching = watchedAfter(seenRun('running', running(FINGERPRINT)));
    expect(transition(RUN, watching, late, rulesWith(), NOW_MS).next).toMatchObject({ phase: 'confirming' });
  });
});
