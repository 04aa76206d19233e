import { describe, expect, test } from 'vitest';
import type { Observed, RunEvent } from '../../../src/core/event.ts';
import type { RetryPolicy } from '../../../src/core/policy.ts';
import type { RunRecord } from '../../../src/core/record.ts';
import { transition } from '../../../src/core/transition.ts';
import { FAILURE, RUN, watchingRecord } from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { failed, NEXT_ATTEMPT, seenRun } from './events.ts';

const ENDED_AT_MS = NEXT_ATTEMPT.endedAtMs ?? 0;
const LOOK: Observed = { type: 'observed', observation: seenRun('failed', NEXT_ATTEMPT), failedTasks: [] };
const decide = (record: RunRecord, event: RunEvent, nowMs: number, policy: Partial<RetryPolicy> = {}) =>
  transition(RUN, record, event, rulesWith(policy), nowMs);

describe('a look that finds the new attempt failed before any callback has told', () => {
  test.each([0, 300, 9_999])('%d ms after its end waits for the callback of the Dag', (sinceMs) => {
    const after = decide(watchingRecord(), LOOK, ENDED_AT_MS + sinceMs);
    expect(after).toMatchObject({ decision: 'already_scheduled', reason: 'not_settled', command: null });
    expect(after.next).toEqual({ ...watchingRecord(), dueAtMs: ENDED_AT_MS + 10_000 });
  });

  test('lets the callback say why: a time-out does not pass for a killed worker', () => {
    const onlyTimeouts = { retryOn: ['timeout'] } as const;
    const { next: watching } = decide(watchingRecord(), LOOK, ENDED_AT_MS + 300, onlyTimeouts);
    const about = { taskId: null, tryNumber: null, exceptionType: null, failureClass: 'timeout' } as const;
    const told = failed({ ...FAILURE, ...about, id: 'run:2', failedAtMs: ENDED_AT_MS });
    const { next: confirming } = decide(watching as RunRecord, told, ENDED_AT_MS + 500, onlyTimeouts);
    expect(decide(confirming as RunRecord, LOOK, ENDED_AT_MS + 500, onlyTimeouts).next).toMatchObject({
      phase: 'waiting',
      failureClass: 'timeout',
      retriesUsed: 1,
    });
  });

  test.each([
    ['it is late', NEXT_ATTEMPT, ENDED_AT_MS + 10_000],
    ['the clock of Airflow is ahead', NEXT_ATTEMPT, ENDED_AT_MS - 1],
    ['the run shows no end', { ...NEXT_ATTEMPT, endedAtMs: null }, ENDED_AT_MS],
  ])('counts it as infra at once where %s', (_name, fingerprint, nowMs) => {
    const look: Observed = { ...LOOK, observation: seenRun('failed', fingerprint) };
    expect(decide(watchingRecord(), look, nowMs).next).toMatchObject({
      phase: 'waiting',
      failureClass: 'infra',
      failures: [{ message: 'failed without a callback' }],
    });
  });

  test('does not wait where a failure of the attempt is known', () => {
    const record = watchingRecord({ failures: [{ ...FAILURE, id: 'ti:2' }] });
    expect(decide(record, LOOK, ENDED_AT_MS + 300).next).toMatchObject({
      phase: 'waiting',
      failures: [{ id: 'ti:2' }],
    });
  });
});
