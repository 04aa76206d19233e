import { describe, expect, test } from 'vitest';
import { type Evidence, weigh } from '../../../src/core/evidence.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  confirmingRecord,
  FAILED_AT_MS,
  FINGERPRINT,
  gaveUpRecord,
  RUN,
  waitingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { AGREES, failed, operated, seen, unavailable } from './events.ts';

const NOW_MS = FAILED_AT_MS + 600_000;

test.each([
  [0, null],
  [44_999, null],
  [45_000, 'send_clear'],
])('%d ms after data was found lost a clear that nobody knows of may be under way: %s', (sinceMs, command) => {
  const lostAtMs = NOW_MS - sinceMs;
  const look = { ...seen('failed'), evidence: { ...AGREES, lostAtMs } };
  const after = transition(RUN, waitingRecord(), look, rulesWith(), NOW_MS);
  expect(after.command).toBe(command);
  if (command === null)
    expect(after.next).toMatchObject({ phase: 'waiting', dueAtMs: lostAtMs + 45_000, retriesUsed: 0 });
});

test.each([
  ['began before our clear is late', NOW_MS - 1, 'stale'],
  ['began after it counts', NOW_MS + 1, 'retry_scheduled'],
])('of a run that was found again a failure of an attempt that %s', (_what, startedAtMs, decision) => {
  const lost = { type: 'state_lost', problem: 'missing', detail: '', clears: 1, earlierUntilMs: NOW_MS } as const;
  const found = transition(RUN, null, lost, rulesWith(), NOW_MS).next;
  expect(found).toMatchObject({ phase: 'watching', retriesUsed: 1 });
  expect(transition(RUN, found, failed({}, { startedAtMs }), rulesWith(), NOW_MS)).toMatchObject({ decision });
});

test('what was given up for want of evidence is retried when an operator says so', () => {
  const untold: Evidence = {
    restarts: { type: 'untold', detail: 'forbidden' },
    remembersSinceMs: NOW_MS,
    lostAtMs: null,
  };
  const look = { ...seen('failed'), evidence: untold };
  const unknown = waitingRecord({ countIs: 'unchecked' });
  const givenUp = transition(RUN, unknown, look, rulesWith({ alertChannels: [] }), NOW_MS).next;
  expect(givenUp).toMatchObject({ phase: 'gave_up', reason: 'state_lost' });
  const granted = transition(RUN, givenUp, operated('grant', 1), rulesWith(), NOW_MS).next;
  const settled = transition(RUN, granted, look, rulesWith({ delayMs: 0 }), NOW_MS + 1).next;
  expect(settled).toMatchObject({ phase: 'waiting' });
  expect(transition(RUN, settled, look, rulesWith({ delayMs: 0 }), NOW_MS + 2)).toMatchObject({
    command: 'send_clear',
  });
});

describe('a given-up run that was restarted', () => {
  const RESTARTED = { queuedAtMs: NOW_MS - 9_000, startedAtMs: NOW_MS - 8_000, endedAtMs: NOW_MS - 1_000 };
  const ASKED_MS = RESTARTED.queuedAtMs;
  /** The audit log shows clears of ours at these times, and a person's at those. */
  const told = (ours: readonly number[], persons: readonly number[]): Evidence => {
    const clears = [
      ...ours.map((atMs) => ({ atMs, isOurs: true })),
      ...persons.map((atMs) => ({ atMs, isOurs: false })),
    ];
    const restarts = { type: 'told', clears: clears.toSorted((a, b) => a.atMs - b.atMs) } as const;
    return { restarts, remembersSinceMs: 0, lostAtMs: null };
  };
  const [FIRST_MS, SECOND_MS] = [FAILED_AT_MS, FAILED_AT_MS + 1_000];
  const tombstone = gaveUpRecord({ retriesUsed: 2, clearsSent: 2, countIs: 'checked', fingerprint: FINGERPRINT });
  const rules = rulesWith({ delayMs: 0, maxRetries: 3 });

  /** The restart is seen, has failed, and its retry is due. */
  function judged(evidence: Evidence) {
    const look = { ...seen('failed', RESTARTED), evidence };
    const renewed = transition(RUN, tombstone, look, rules, NOW_MS);
    expect(renewed).toMatchObject({ reason: 'restarted_by_person' });
    expect(renewed.next).toMatchObject({ phase: 'waiting', retriesUsed: 0, earlierCount: { retriesUsed: 2 } });
    return transition(RUN, renewed.next, look, rules, NOW_MS);
  }

  test('is counted anew where the audit log knows of no other clear of ours', () => {
    const { next, command } = judged(told([FIRST_MS, SECOND_MS], [ASKED_MS]));
    expect(command).toBe('send_clear');
    expect(next).toMatchObject({ retriesUsed: 1, earlierCount: null });
  });

  test('is counted anew where a person came after a clear of ours that the store has forgotten', () => {
    expect(judged(told([FIRST_MS, SECOND_MS, SECOND_MS + 1], [ASKED_MS]))).toMatchObject({
      command: 'send_clear',
      next: { logOffset: 1, retriesUsed: 1 },
    });
  });

  test('is given up, loudly, where the restart was a clear of ours that the store has forgotten', () => {
    const { next, command } = judged(told([FIRST_MS, SECOND_MS, ASKED_MS + 20], []));
    expect(command).toBeNull();
    expect(next).toMatchObject({ phase: 'giving_up', reason: 'state_lost', retriesUsed: 3, earlierCount: null });
    expect(next?.outbox).toMatchObject([{ kind: 'gave_up', reason: 'state_lost' }]);
  });

  test('is given up also where that clear hides behind one that never reached Airflow', () => {
    expect(judged(told([FIRST_MS, ASKED_MS], [])).next).toMatchObject({ reason: 'state_lost', retriesUsed: 2 });
  });

  test('is given up also where a person has cleared tasks of it since, while it ran', () => {
    const evidence = told([FIRST_MS, SECOND_MS, ASKED_MS], [ASKED_MS + 4_000]);
    expect(judged(evidence).next).toMatchObject({ reason: 'state_lost' });
  });

  test('is counted anew where a person restarted it from a list of runs, which the audit log does not show', () => {
    expect(judged(told([FIRST_MS, SECOND_MS], []))).toMatchObject({ command: 'send_clear', next: { retriesUsed: 1 } });
  });

  test('and is reported to have failed, is held against the log in the same way', () => {
    const report = failed({}, { startedAtMs: RESTARTED.startedAtMs });
    const begun = transition(RUN, tombstone, report, rules, NOW_MS).next;
    expect(begun).toMatchObject({ phase: 'confirming', retriesUsed: 0, earlierCount: { retriesUsed: 2 } });
    const look = { ...seen('failed', RESTARTED), evidence: told([FIRST_MS, SECOND_MS, ASKED_MS + 20], []) };
    const due = transition(RUN, begun, look, rules, NOW_MS).next;
    expect(transition(RUN, due, look, rules, NOW_MS).next).toMatchObject({ phase: 'giving_up', reason: 'state_lost' });
  });
});

describe('a run that a person has had counted anew', () => {
  const RESET_MS = FAILED_AT_MS + 60_000;
  const cleared = waitingRecord({ clearsSent: 2, retriesUsed: 2, countIs: 'checked', logOffset: 0 });
  const rules = rulesWith({ delayMs: 0, maxRetries: 3 });
  const tombstone = transition(RUN, cleared, operated('reset', 0), rules, RESET_MS).next;

  /** An attempt that was asked for then has failed, and its retry is due; the log shows these clears. */
  function judged(askedMs: number, clears: readonly { atMs: number; isOurs: boolean }[]) {
    const attempt = { queuedAtMs: askedMs, startedAtMs: askedMs + 1_000, endedAtMs: askedMs + 2_000 };
    const nowMs = RESET_MS + 600_000;
    const begun = transition(RUN, tombstone, failed({}, { startedAtMs: attempt.startedAtMs }), rules, nowMs).next;
    expect(begun).toMatchObject({ phase: 'confirming', retriesUsed: 0 });
    const evidence: Evidence = { restarts: { type: 'told', clears }, remembersSinceMs: 0, lostAtMs: null };
    const look = { ...seen('failed', attempt), evidence };
    const due = transition(RUN, begun, look, rules, nowMs).next;
    return transition(RUN, due, look, rules, nowMs);
  }

  // One of the two that were sent has never reached the log.
  const ours = (atMs: number) => ({ atMs, isOurs: true });
  const [FIRST, PERSON] = [ours(FAILED_AT_MS - 60_000), { atMs: RESET_MS + 120_000, isOurs: false }];

  test('and then restarted, is counted from nothing', () => {
    expect(judged(PERSON.atMs, [FIRST, PERSON])).toMatchObject({ command: 'send_clear', next: { retriesUsed: 1 } });
  });

  test('is given up, loudly, where a clear of ours came after that, which the store has forgotten', () => {
    const forgotten = ours(RESET_MS + 180_000);
    const { command, next } = judged(forgotten.atMs, [FIRST, PERSON, forgotten]);
    expect(command).toBeNull();
    expect(next).toMatchObject({ phase: 'giving_up', reason: 'state_lost' });
    expect(next?.outbox).toMatchObject([{ kind: 'gave_up', reason: 'state_lost' }]);
  });

  test('is retried also where its attempt was ours, and there before', () => {
    const last = ours(RESET_MS - 20_000);
    expect(judged(last.atMs, [FIRST, last])).toMatchObject({ command: 'send_clear', next: { retriesUsed: 1 } });
  });
});

test('a clear of ours within this count is not one of an earlier count, though a person has cleared the run since', () => {
  const run = waitingRecord({ countIs: 'unchecked', clearsSent: 0, retriesUsed: 0, firstFailedAtMs: FAILED_AT_MS });
  const trail = (oursAtMs: number) => {
    const clears = [
      { atMs: oursAtMs, isOurs: true },
      { atMs: FAILED_AT_MS + 50_000, isOurs: false },
    ];
    return { restarts: { type: 'told', clears }, remembersSinceMs: 0, lostAtMs: null } as const;
  };
  const weighed = (oursAtMs: number) => weigh(run, FINGERPRINT, trail(oursAtMs)).type;
  expect(weighed(FAILED_AT_MS - 1)).toBe('agrees');
  expect(weighed(FAILED_AT_MS + 1)).toBe('missed');
});

test('after a loss a callback may be of an earlier attempt: its start does not tell a later one from the run given up', () => {
  const record = confirmingRecord({ countIs: 'lost', retriesUsed: 2, unavailableSinceMs: FAILED_AT_MS });
  const marksOf = (countIs: 'lost' | 'checked') =>
    transition(RUN, { ...record, countIs }, unavailable(), rulesWith(), NOW_MS + 600_000).next;
  expect(marksOf('lost')).toMatchObject({ phase: 'giving_up', fingerprint: null });
  expect(marksOf('checked')).toMatchObject({ phase: 'giving_up', fingerprint: { startedAtMs: expect.any(Number) } });
});

describe('an audit log that may have been cleaned', () => {
  const HOUR_MS = 3_600_000;
  const attempt = {
    queuedAtMs: FAILED_AT_MS - HOUR_MS,
    startedAtMs: FAILED_AT_MS - HOUR_MS + 1,
    endedAtMs: FAILED_AT_MS,
  };
  const record = waitingRecord({ countIs: 'unchecked', fingerprint: attempt, clearNumber: null });
  /** Nothing of ours in it, a person's clears at these times; the store began at the end of the attempt. */
  const shows = (personsAtMs: readonly number[], leastClears?: number): Evidence => ({
    restarts: { type: 'told', clears: personsAtMs.map((atMs) => ({ atMs, isOurs: false })) },
    remembersSinceMs: FAILED_AT_MS,
    lostAtMs: null,
    ...(leastClears === undefined ? {} : { leastClears }),
  });
  const EARLIER_MS = FAILED_AT_MS - 2 * HOUR_MS;

  test.each<[string, Evidence, string]>([
    ['the tries tell of a clear that it does not show', shows([], 1), 'contradicts'],
    ['the tries tell of more clears than it shows', shows([EARLIER_MS], 2), 'contradicts'],
    ['the tries tell of no more than it shows', shows([EARLIER_MS], 1), 'agrees'],
    ['it shows more: tries are a lower bound', shows([EARLIER_MS, EARLIER_MS + 1], 1), 'agrees'],
    ['there was no clear', shows([], 0), 'agrees'],
    ['nobody has asked for the tries', shows([]), 'agrees'],
  ])('where %s', (_name, evidence, verdict) => {
    expect(weigh(record, attempt, evidence).type).toBe(verdict);
    expect(weigh({ ...record, countIs: 'lost' }, attempt, evidence).type).toBe(verdict);
    // What was held against evidence is not doubted again, and what the store has seen begin it knows, unless it was lost.
    const older = { ...evidence, remembersSinceMs: EARLIER_MS };
    expect(weigh({ ...record, countIs: 'checked' }, attempt, evidence).type).toBe('agrees');
    expect(weigh(record, attempt, older).type).toBe('agrees');
    expect(weigh({ ...record, countIs: 'lost' }, attempt, older).type).toBe(verdict);
  });

  test('ends in no clear and an alert that says what speaks against it', () => {
    const look = { ...seen('failed', attempt), evidence: shows([], 3) };
    const { next, command } = transition(RUN, record, look, rulesWith(), NOW_MS);
    expect(command).toBeNull();
    expect(next).toMatchObject({ phase: 'giving_up', reason: 'state_lost' });
    expect(next?.outbox).toMatchObject([{ kind: 'gave_up', reason: 'state_lost' }]);
    const detail = 'the tries of its tasks tell of 3 clears or more, the audit log shows 0 clears';
    expect(next?.history.at(-1)).toMatchObject({ reason: 'state_lost', detail });
  });
});
