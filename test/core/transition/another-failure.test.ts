import { describe, expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/event.ts';
import type { RunRecord } from '../../../src/core/record.ts';
import { transition } from '../../../src/core/transition.ts';
import {
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  FINGERPRINT,
  gaveUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { failed, NEXT_ATTEMPT, seen, unavailable } from './events.ts';

const NOW_MS = FAILED_AT_MS + 10_000;
const decide = (record: RunRecord | null, event: RunEvent, rules = rulesWith(), nowMs = NOW_MS) =>
  transition(RUN, record, event, rules, nowMs);
const INFRA = { ...FAILURE, id: 'infra', failureClass: 'infra' } as const;

describe('a failure of another task', () => {
  const forbids = failed({ exceptionType: 'AirflowFailException' });

  test('can forbid what the first one started', () => {
    expect(decide(waitingRecord(), forbids)).toMatchObject({
      decision: 'not_retryable',
      reason: 'never_on',
      next: { phase: 'giving_up', reason: 'never_on', fingerprint: FINGERPRINT },
    });
  });

  test('leaves a tombstone where the first one alone would be retried: its next delivery starts nothing', () => {
    const rules = rulesWith({ retryOn: ['infra'] });
    for (const record of [waitingRecord({ failures: [INFRA] }), confirmingRecord({ failures: [INFRA] })]) {
      let after = decide(record, failed(), rules).next as RunRecord;
      if (after.phase === 'confirming') after = decide(after, seen('failed'), rules).next as RunRecord;
      expect(after).toMatchObject({ phase: 'giving_up', reason: 'class_not_retried' });
      expect(decide(after, failed({ ...INFRA }), rules).next).toBe(after);
    }
  });

  test('is not the last word where the Dag’s tags are not known here', () => {
    const after = decide(waitingRecord(), failed(), rulesWith({ maxRetries: 0 }, { isProvisional: true }));
    expect(after.next).toMatchObject({ phase: 'waiting' });
  });

  test('can allow what the first one did not: the answer says when', () => {
    const rules = rulesWith({ maxRetriesByClass: { infra: 0 } });
    const first = decide(null, failed({ ...INFRA }), rules);
    expect(first).toMatchObject({ decision: 'giving_up', next: { expectedRetryAtMs: null, maxRetries: 0 } });
    const second = decide(first.next, failed({ failedAtMs: NOW_MS }), rules);
    expect(second).toMatchObject({ decision: 'already_scheduled', retryAtMs: NOW_MS + 60_000 });
    expect(second.next).toMatchObject({ expectedRetryAtMs: NOW_MS + 60_000, maxRetries: 2 });
    const third = decide(second.next, failed({ id: 'x', exceptionType: 'AirflowFailException' }), rules);
    expect(third).toMatchObject({ decision: 'not_retryable', next: { expectedRetryAtMs: null } });
  });

  test('that the orchestrator has shown already is told by its callback, and by no other', () => {
    const foundOut = { ...FAILURE, id: 'task:load|1|1', mapIndex: 1, tryNumber: 1, exceptionType: null };
    const told = { taskId: 'load', id: 'ti:1' };
    const kept = (known: typeof foundOut, changes: object) =>
      decide(waitingRecord({ failures: [known] }), failed({ ...told, ...changes })).next?.failures.length;
    expect(kept(foundOut, { mapIndex: 1, tryNumber: 1 })).toBe(1);
    expect(kept(foundOut, { mapIndex: 2, tryNumber: 1 })).toBe(2);
    expect(kept(foundOut, { mapIndex: 1, tryNumber: 2 })).toBe(2);
    expect(kept(foundOut, { mapIndex: 1, tryNumber: 1, taskId: 'other' })).toBe(2);
    expect(kept({ ...foundOut, id: 'ti:0' }, { mapIndex: 1, tryNumber: 1 })).toBe(2);
  });

  describe('beyond the twenty that are kept', () => {
    const many = Array.from({ length: 20 }, (_, index) => ({ ...INFRA, id: `${index}` }));
    const full = waitingRecord({ failures: many, failureClass: 'infra' });

    test('changes nothing where it does not matter, however often it is delivered', () => {
      expect(decide(full, failed({ ...INFRA, id: 'one more' })).next).toBe(full);
    });

    test('still forbids the retry, or weighs more than they do', () => {
      expect(decide(full, forbids).next).toMatchObject({ phase: 'giving_up', reason: 'never_on' });
      const weighs = decide(full, failed());
      expect(weighs.next?.failures).toHaveLength(20);
      expect(weighs.next?.failures).toContainEqual(failed().failure);
      expect(decide(weighs.next, failed()).next).toBe(weighs.next);
      // What matters is not pushed out by what matters, too.
      const both = decide(weighs.next, failed({ id: 'late', failureClass: 'timeout' }));
      expect(both.next).toBe(weighs.next);
    });
  });
});

describe('the policy that a callback brings along', () => {
  const override = { max_retries: 5 };

  test('is kept in the record, as a copy', () => {
    const event = failed({}, {}, override);
    const after = decide(null, event).next;
    expect(after?.override).toEqual(override);
    expect(after?.override).not.toBe(override);
  });

  test.each([
    ['confirming', confirmingRecord({ override: { max_retries: 1 } }), {}],
    ['waiting', waitingRecord({ override: { max_retries: 1 } }), {}],
    ['watching', watchingRecord({ override: { max_retries: 1 } }), {}],
    ['gave_up', gaveUpRecord({ override: { max_retries: 1 } }), { startedAtMs: NEXT_ATTEMPT.startedAtMs }],
  ])('in a later failure replaces the one before: %s', (_name, record, evidence) => {
    expect(decide(record, failed({}, evidence, override)).next?.override).toEqual(override);
    expect(decide(record, failed({}, evidence)).next?.override).toEqual({ max_retries: 1 });
  });
});

describe('tags that are not known yet', () => {
  const provisional = rulesWith({ maxRetries: 0 }, { isProvisional: true });

  test('keep a failure that the policy alone refuses, until they are', () => {
    const after = decide(null, failed(), provisional);
    expect(after).toMatchObject({ reason: 'tags_not_known', next: { phase: 'confirming', expectedRetryAtMs: null } });
    expect(decide(after.next, seen('failed'), rulesWith({ maxRetries: 1 })).next).toMatchObject({ phase: 'waiting' });
    expect(decide(after.next, seen('failed'), rulesWith({ maxRetries: 0 })).next).toBeNull();
  });

  test('neither drop it nor alert while nobody can ask for them', () => {
    const since = confirmingRecord({ unavailableSinceMs: 0 });
    expect(decide(since, unavailable(), provisional).next).toMatchObject({ phase: 'confirming' });
  });
});
