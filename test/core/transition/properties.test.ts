import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FailureReported, RunEvent } from '../../../src/core/event.ts';
import { weigh } from '../../../src/core/evidence.ts';
import { judge } from '../../../src/core/judgement.ts';
import { dueAtOf, type PendingAlert, RunRecord, sameFingerprint } from '../../../src/core/record.ts';
import type { Rules } from '../../../src/core/rules.ts';
import { type Transition, transition } from '../../../src/core/transition.ts';
import { RUN } from '../../support/records.ts';
import { anyCallback, anyEvent, anyLook, anyLookWhenDue, anyRules } from './arbitrary-events.ts';
import { anyRecord, anyTime } from './arbitrary-records.ts';

const RUNS = { numRuns: 2_000 };

interface Step {
  readonly record: RunRecord | null;
  readonly event: RunEvent;
  readonly rules: Rules;
  readonly nowMs: number;
  readonly after: Transition;
}

const anyBefore = fc.option(anyRecord, { nil: null, freq: 20 });

type Pair = readonly [RunRecord | null, RunEvent];
const withAnyRecord = (events: fc.Arbitrary<RunEvent>) => fc.tuple(anyBefore, events);

/** Checks one step from any valid record. */
function forAnyStep(check: (step: Step) => void, pairs: fc.Arbitrary<Pair> = withAnyRecord(anyEvent)): void {
  fc.assert(
    fc.property(pairs, anyRules, anyTime, ([record, event], rules, nowMs) => {
      check({ record, event, rules, nowMs, after: transition(RUN, record, event, rules, nowMs) });
    }),
    RUNS,
  );
}

type AlertName = Pick<PendingAlert, 'dedupeKey' | 'channel'>;
const isSame = (a: AlertName, b: AlertName) => a.dedupeKey === b.dedupeKey && a.channel === b.channel;

describe('any step', () => {
  test('starts from a record that can be stored', () => {
    fc.assert(fc.property(anyRecord, (record) => void expect(RunRecord.parse(record)).toEqual(record)));
  });

  test('leads to a record that can be stored and read again', () => {
    forAnyStep(({ after: { next } }) => {
      if (next !== null) expect(RunRecord.parse(JSON.parse(JSON.stringify(next)))).toEqual(next);
    });
  });

  test('sends nothing while retries are paused', () => {
    let paused = 0;
    forAnyStep(({ record, rules, after }) => {
      if (rules.pause === null) return;
      if (after.reason === 'paused_by_operator') paused += 1;
      expect(after.command).toBeNull();
      expect(after.next?.clearsSent ?? 0).toBeLessThanOrEqual(record?.clearsSent ?? 0);
    }, anyLookWhenDue);
    expect(paused).toBeGreaterThan(20);
  });

  test('gives the same answer again, and changes nothing it was given', () => {
    forAnyStep(({ record, event, rules, nowMs, after }) => {
      const frozen = [deepFreeze(structuredClone(record)), deepFreeze(structuredClone(event))] as const;
      const again = transition(RUN, ...frozen, deepFreeze(structuredClone(rules)), nowMs);
      expect(again).toEqual(after);
      expect(again.next === frozen[0]).toBe(after.next === record);
    });
  });

  test('leaves no record without a future, unless a person holds it', () => {
    forAnyStep(({ after: { next } }) => {
      if (next === null || next.held !== null) return;
      expect(dueAtOf(next)).not.toBeNull();
      if (next.phase === 'giving_up') expect(next.outbox).not.toEqual([]);
    });
  });

  test('keeps everything within its bounds', () => {
    forAnyStep(({ after: { next } }) => {
      if (next === null) return;
      expect(next.history.length).toBeLessThanOrEqual(60);
      expect(next.failures.length).toBeLessThanOrEqual(20);
      expect(next.earlierFailureIds.length).toBeLessThanOrEqual(100);
      for (const { detail = '' } of next.history) expect(detail.length).toBeLessThanOrEqual(300);
      if (next.phase === 'clearing') expect(next.failuresMeanwhile.length).toBeLessThanOrEqual(20);
    });
  });

  test('drops no alert but one that was accepted or abandoned, and holds none twice', () => {
    forAnyStep(({ record, event, after: { next } }) => {
      // Whoever resets a run wants nothing of it to be left.
      if (event.type === 'operated' && event.action === 'reset') return;
      const after = next?.outbox ?? [];
      for (const alert of record?.outbox ?? []) {
        const isAnswered = event.type === 'alert_answered' && isSame(alert, event);
        const isFinal = isAnswered && (event.accepted || event.nextTryAtMs === null);
        expect(after.filter((one) => isSame(one, alert))).toHaveLength(isFinal ? 0 : 1);
      }
      const names = after.map(({ dedupeKey, channel }) => `${channel} ${dedupeKey}`);
      expect(new Set(names).size).toBe(names.length);
    });
  });

  test('forgets nobody who was told but by telling them of the success, unless the run is gone', () => {
    let recoveries = 0;
    forAnyStep(({ record, event, after: { next, reason } }) => {
      const isGone = ['run_missing', 'tombstone_expired', 'reset_by_operator'].includes(reason);
      for (const told of record?.told ?? []) {
        const isMeant = (one: { channel: string; incident: string }) =>
          one.channel === told.channel && one.incident === told.incident;
        const isRecovery = (alert: PendingAlert) => alert.kind === 'recovered' && isMeant(alert);
        if (next?.told.some(isMeant) || isGone) continue;
        expect(next?.outbox.filter(isRecovery)).toHaveLength(1);
        expect(next?.outbox.filter(isMeant)).toHaveLength(1);
        expect(next).toMatchObject({ phase: 'giving_up', reason: 'run_succeeded' });
        expect(['observed', 'alert_answered']).toContain(event.type);
        recoveries += 1;
      }
    });
    expect(recoveries).toBeGreaterThan(20);
  });
});

describe('spending a retry', () => {
  test('happens only with the clear that it pays for, and within every cap in force', () => {
    forAnyStep(({ record, rules, nowMs, after: { next, command } }) => {
      const spent = (next?.retriesUsed ?? 0) - (record?.retriesUsed ?? 0);
      if (record === null || next === null || spent <= 0 || isRebuilt(next)) return;
      expect([spent, command, record.phase, next.phase]).toEqual([1, 'send_clear', 'waiting', 'clearing']);
      const cap = judge(rules.policy, record, nowMs);
      expect(cap.retry).toBe(true);
      expect(next.retriesUsed).toBeLessThanOrEqual(Math.min(cap.maxRetries, rules.policy.maxRetriesLimit));
      expect(next.maxRetries).toBe(cap.maxRetries);
      const byClass = Object.values(next.retriesUsedByClass).reduce((sum, used) => sum + used, 0);
      expect(byClass).toBe(next.retriesUsed);
    }, anyLook);
  });

  test('is never undone but by a new count, which only a person can open', () => {
    forAnyStep(({ record, event, after: { next, reason } }) => {
      if (record === null || next === null || next.retriesUsed >= record.retriesUsed) return;
      if (reason === 'reset_by_operator') return expect(next).toMatchObject({ phase: 'gave_up', retriesUsed: 0 });
      expect(['giving_up', 'gave_up']).toContain(record.phase);
      expect(next.retriesUsed).toBe(0);
      expect(['observed', 'failure_reported']).toContain(event.type);
    });
  });

  test('every clear that is sent has a number of its own, and an end by which it must be sent', () => {
    forAnyStep(({ record, rules, nowMs, after: { next, command } }) => {
      if (command === null) {
        if (record !== null && next !== null && !isRebuilt(next)) expect(next.clearsSent).toBe(record.clearsSent);
        return;
      }
      expect(next).toMatchObject({ phase: 'clearing', clearsSent: (record?.clearsSent ?? 0) + 1 });
      if (next?.phase !== 'clearing') return;
      expect(next.sendByMs).toBe(nowMs + rules.timing.sendWindowMs);
      expect(next.dueAtMs).toBe(next.sendByMs + rules.timing.clearOutcomeMs);
    }, anyLook);
  });
});

/** Whether this step has counted clears that the record did not know of. */
function isRebuilt({ history }: RunRecord): boolean {
  return history.slice(-2).some(({ type }) => type === 'count_rebuilt');
}

describe('before a retry is spent', () => {
  test('the count is held against evidence, and never spent where that is missing or speaks against it', () => {
    const met = { agrees: 0, missed: 0, contradicts: 0, none: 0 };
    forAnyStep(({ record, event, after: { next, command, reason } }) => {
      if (record?.phase !== 'waiting' || event.type !== 'observed' || event.observation.type !== 'found') return;
      const { evidence, observation } = event;
      const verdict = evidence && weigh(record, observation.fingerprint, evidence);
      if (command === 'send_clear') {
        met.agrees += 1;
        expect(verdict).toMatchObject({ type: 'agrees' });
        expect(next).toMatchObject({ countIs: 'checked' });
      }
      if (verdict?.type === 'missed' && next !== record) {
        met.missed += 1;
        const { missed } = verdict;
        expect(missed).toBeGreaterThan(record.earlierCount === null ? 0 : -1);
        expect(command).toBeNull();
        if (next === null || next.clearsSent === record.clearsSent) return;
        if (record.earlierCount !== null) expect(reason).toBe('state_lost');
        expect(next).toMatchObject({
          retriesUsed: (record.earlierCount ?? record).retriesUsed + missed,
          clearsSent: record.clearsSent + missed,
          attempt: record.attempt + missed,
        });
      }
      if (reason === 'state_lost') {
        met.contradicts += 1;
        expect(verdict?.type).toBe(record.earlierCount === null ? 'contradicts' : verdict?.type);
        expect(verdict?.type).not.toBe('agrees');
      }
      if (evidence === undefined && reason === 'orchestrator_unavailable') met.none += 1;
    }, anyLookWhenDue);
    expect(Math.min(...Object.values(met))).toBeGreaterThan(5);
  });
});

describe('a clear is sent', () => {
  test('only after a look that was made when it was due, at a run that was seen failed just now', () => {
    const sent = { first: 0, again: 0 };
    forAnyStep(({ record, event, rules, nowMs, after: { command } }) => {
      if (command === null || event.type !== 'observed' || record === null) return;
      const { observation } = event;
      expect(observation.type).toBe('found');
      if (observation.type !== 'found') return;
      expect(record.held).toBeNull();
      const { gate, onSettleTimeout } = rules.policy;
      if (gate === 'settled' && onSettleTimeout === 'give_up') expect(observation.state).toBe('failed');
      sent[record.phase === 'waiting' ? 'first' : 'again'] += 1;
      if (record.phase === 'waiting') {
        expect(nowMs).toBeGreaterThanOrEqual(record.retryAtMs);
        if (record.fingerprint === null) expect(observation.fingerprint.startedAtMs).toBe(record.attemptStartedAtMs);
        else expect(sameFingerprint(observation.fingerprint, record.fingerprint)).toBe(true);
        if (record.fingerprint !== null) expect(observation.state).toBe('failed');
      }
      if (record.phase === 'clearing') {
        expect(nowMs).toBeGreaterThanOrEqual(record.dueAtMs);
        expect(nowMs).toBeLessThanOrEqual(record.firstFailedAtMs + rules.policy.maxDurationMs);
        expect([observation.state, record.wasFailed]).toEqual(['failed', true]);
        expect(sameFingerprint(observation.fingerprint, record.fingerprint)).toBe(true);
      }
    }, anyLook);
    // Some fifteen of each are to be expected, and none at all once in a million times.
    expect(Math.min(sent.first, sent.again)).toBeGreaterThan(0);
  });

  test('by no event but a look, or the answer that clearing only failed tasks changed nothing', () => {
    forAnyStep(({ record, event, after: { next, command } }) => {
      if (command === null || event.type === 'observed') return;
      expect(event).toMatchObject({ type: 'clear_answered', outcome: { type: 'accepted', run: { state: 'failed' } } });
      expect(record).toMatchObject({ phase: 'clearing', mode: 'from_failure', held: null });
      expect(next).toMatchObject({ mode: 'all_tasks', retriesUsed: record?.retriesUsed });
    });
  });
});

describe('callbacks', () => {
  test.each([0, 7_000])('twice are once, %d ms later: nothing but when to look may change', (laterMs) => {
    forAnyStep(({ record, event, rules, nowMs, after }) => {
      // Of a run that was never ours nothing is remembered; the next look refuses it again.
      if (record !== null && after.next === null) return;
      // Between the two the time that retries may take has run out.
      const lastMs = (after.next?.firstFailedAtMs ?? nowMs) + rules.policy.maxDurationMs;
      if (nowMs <= lastMs && lastMs < nowMs + laterMs) return;
      const again = transition(RUN, after.next, event, rules, nowMs + laterMs);
      // What may be of a later attempt is kept until that look.
      const isGivenUp = after.next?.phase === 'giving_up' || after.next?.phase === 'gave_up';
      const look = { dueAtMs: 0, checks: 0, ...(isGivenUp ? { failuresMeanwhile: [] } : {}) };
      expect({ ...again.next, ...look }).toEqual({ ...after.next, ...look });
      expect(again.command).toBeNull();
    }, withAnyRecord(anyCallback));
  });

  test('of an earlier attempt change nothing', () => {
    forAnyStep(({ record, event, after }) => {
      if (record === null || event.type !== 'failure_reported' || !isCertainlyEarlier(record, event)) return;
      expect(after).toMatchObject({ decision: 'stale', reason: 'earlier_attempt', command: null });
      expect(after.next).toBe(record);
    }, withAnyRecord(anyCallback));
  });

  test('alone never send a clear, spend a retry, or end a record', () => {
    forAnyStep(({ record, after: { next, command } }) => {
      expect(command).toBeNull();
      if (record !== null && next !== null) expect(next.retriesUsed).toBeLessThanOrEqual(record.retriesUsed);
      if (record !== null && record.retriesUsed > 0) expect(next).not.toBeNull();
    }, withAnyRecord(anyCallback));
  });

  function isCertainlyEarlier(record: RunRecord, { failure, evidence }: FailureReported): boolean {
    const { startedAtMs, clearNumber } = evidence;
    const previousStartMs = record.previous?.wasFailed ? record.previous.fingerprint.startedAtMs : null;
    if (failure.taskId !== null && failure.tryNumber !== null && record.earlierFailureIds.includes(failure.id))
      return true;
    if (clearNumber !== null && record.clearNumber !== null && clearNumber < record.clearNumber) return true;
    return startedAtMs !== null && previousStartMs !== null && startedAtMs <= previousStartMs;
  }
});

describe('a given-up run', () => {
  test('comes back only by an act of a person or by evidence of one, and goes only when it is over', () => {
    forAnyStep(({ record, event, nowMs, after: { next } }) => {
      if (record?.phase !== 'giving_up' && record?.phase !== 'gave_up') return;
      if (next?.phase === 'giving_up' && (record.phase === 'giving_up' || isTellingOfSuccess(next))) return;
      if (next?.phase === 'gave_up') return;
      const known = record.fingerprint;
      if (event.type === 'observed') {
        const { observation } = event;
        if (next === null) return expect(isOver(observation)).toBe(true);
        if (observation.type !== 'found') return expect.unreachable();
        expect(known !== null && !sameFingerprint(known, observation.fingerprint)).toBe(true);
      } else if (event.type === 'failure_reported') {
        const { startedAtMs, clearNumber } = event.evidence;
        const isLaterStart = startedAtMs !== null && startedAtMs > (known?.startedAtMs ?? Number.POSITIVE_INFINITY);
        const isMoreCleared = clearNumber !== null && clearNumber > (record.clearNumber ?? Number.POSITIVE_INFINITY);
        expect(isLaterStart || isMoreCleared).toBe(true);
      } else if (event.type === 'alert_answered') {
        expect(record).toMatchObject({ phase: 'giving_up', reason: 'run_succeeded' });
      } else if (event.type === 'operated') {
        expect(['grant', 'reset']).toContain(event.action);
      } else {
        expect(event.type).toBe('time_passed');
        expect(nowMs).toBeGreaterThanOrEqual(record.phase === 'gave_up' ? record.expiresAtMs : Number.NaN);
      }
    });
  });

  function isTellingOfSuccess({ outbox }: RunRecord): boolean {
    return outbox.every(({ kind }) => kind === 'recovered');
  }

  function isOver(observation: { type: string; state?: string }): boolean {
    return observation.type === 'missing' || observation.state === 'success';
  }
});

describe('while a person holds the run', () => {
  test('nothing is sent, no look counts, and it stays held', () => {
    forAnyStep(
      ({ record, event, after }) => {
        if (record === null || record.held === null) return;
        expect(after.command).toBeNull();
        if (event.type === 'operated') return;
        if (event.type === 'observed') expect(after.next).toBe(record);
        if (after.next !== null) expect(after.next.held).toEqual(record.held);
      },
      fc.oneof(withAnyRecord(anyEvent), anyLook),
    );
  });
});

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
