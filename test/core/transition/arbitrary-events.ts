import fc from 'fast-check';
import { OPERATIONS, type RunEvent } from '../../../src/core/event.ts';
import type { Evidence } from '../../../src/core/evidence.ts';
import type { RunRecord } from '../../../src/core/record.ts';
import type { Rules } from '../../../src/core/rules.ts';
import { FAILED_AT_MS } from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import {
  anyClass,
  anyFailure,
  anyFingerprint,
  anyRecord,
  anyTime,
  bool,
  count,
  inPhase,
  nullable,
  start,
} from './arbitrary-records.ts';

const seenRun = fc.record({
  type: fc.constant('found' as const),
  state: fc.constantFrom('queued', 'running', 'success', 'failed', 'failed', 'failed'),
  fingerprint: anyFingerprint,
  runType: fc.constantFrom('manual', null),
});
const outage = { reason: fc.constant('unreachable'), retryAfterMs: nullable(fc.constantFrom(0, 5_000, 10 ** 9)) };

export const anyEvidence: fc.Arbitrary<Evidence> = fc.record({
  restarts: fc.oneof(
    fc.record({
      type: fc.constant('told' as const),
      clears: fc
        .array(fc.record({ atMs: anyTime, isOurs: bool }), { maxLength: 6 })
        .map((clears) => clears.toSorted((a, b) => a.atMs - b.atMs)),
    }),
    fc.constant({ type: 'untold' as const, detail: 'forbidden' }),
  ),
  remembersSinceMs: fc.constantFrom(0, 0, FAILED_AT_MS),
  lostAtMs: fc.constantFrom(null, null, FAILED_AT_MS),
  leastClears: fc.constantFrom(0, 0, 0, 1, 2),
});

export const anyCallback: fc.Arbitrary<RunEvent> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('failure_reported' as const),
      failure: anyFailure,
      evidence: fc.record({
        startedAtMs: nullable(start),
        clearNumber: nullable(count),
        runType: fc.constantFrom('manual', null),
      }),
      override: fc.constantFrom(null, { max_retries: 0 }),
    }),
  },
  fc.constant({ type: 'success_reported' as const }),
);

export const anyEvent: fc.Arbitrary<RunEvent> = fc.oneof(
  { weight: 3, arbitrary: anyCallback },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('observed' as const),
      observation: fc.oneof(
        { weight: 6, arbitrary: seenRun },
        fc.constant({ type: 'missing' as const }),
        fc.record({ type: fc.constant('unavailable' as const), ...outage }),
      ),
      evidence: anyEvidence,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('clear_answered' as const),
      clear: count,
      outcome: fc.oneof(
        fc.record({ type: fc.constant('accepted' as const), run: nullable(seenRun) }),
        fc.constant({ type: 'missing' as const }),
        fc.record({ type: fc.constant('refused' as const), detail: fc.constant('x'.repeat(1_000)) }),
        fc.record({ type: fc.constant('not_applied' as const), ...outage }),
        fc.constant({ type: 'unknown' as const, reason: 'timed_out' }),
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('alert_answered' as const),
      dedupeKey: fc.constantFrom('k1', 'k2'),
      channel: fc.constantFrom('webhook', 'pager'),
      accepted: bool,
      detail: fc.constant(null),
      nextTryAtMs: nullable(anyTime),
    }),
  },
  fc.constant({ type: 'time_passed' as const }),
  fc.record({
    type: fc.constant('state_lost' as const),
    problem: fc.constantFrom('missing', 'unreadable'),
    detail: fc.constant('gone'),
    clears: count,
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('operated' as const),
      action: fc.constantFrom(...OPERATIONS),
      actor: fc.constant('anna'),
      comment: fc.constantFrom('', 'x'.repeat(1_000)),
      retries: fc.integer({ min: 1, max: 3 }),
    }),
  },
);

const PAUSE = { scope: '*', actor: 'anna', comment: '', atMs: FAILED_AT_MS } as const;

export const anyRules: fc.Arbitrary<Rules> = fc
  .record({
    policy: fc.record({
      maxRetries: fc.constantFrom(2, 3, 4, 1, 0),
      maxRetriesLimit: fc.integer({ min: 1, max: 8 }),
      maxRetriesByClass: fc.oneof(fc.constant({}), fc.dictionary(anyClass, count, { noNullPrototype: true })),
      delayMs: fc.constantFrom(0, 30_000),
      strategy: fc.constantFrom('all_tasks', 'from_failure'),
      gate: fc.constantFrom('settled', 'settled', 'immediate'),
      onSettleTimeout: fc.constantFrom('clear', 'give_up'),
      settleTimeoutMs: fc.constantFrom(60_000, 6 * 3_600_000),
      maxDurationMs: fc.constantFrom(24 * 3_600_000, 24 * 3_600_000, 120_000),
      manualRuns: fc.constantFrom('retry', 'retry', 'ignore'),
      alerts: fc.constantFrom('final', 'every_attempt', 'first_failure'),
      alertChannels: fc.constantFrom([], ['webhook'], ['webhook', 'pager']),
    }),
    isProvisional: bool,
    isShadow: fc.constantFrom(false, false, false, true),
    isPaused: fc.constantFrom(false, false, false, true),
  })
  .map(({ policy, isProvisional, isShadow, isPaused }) =>
    rulesWith(policy, { isProvisional, isShadow, pause: isPaused ? PAUSE : null }),
  );

/** A record and a look at its run, which often shows it as it was when it was last looked at. */
export const anyLook: fc.Arbitrary<readonly [RunRecord, RunEvent]> = fc
  .tuple(fc.oneof(anyRecord, inPhase('waiting'), inPhase('clearing')), seenRun, fc.boolean(), anyEvidence)
  .map(([record, seen, isAsBefore, evidence]) => {
    const known = 'fingerprint' in record ? record.fingerprint : (record.previous?.fingerprint ?? null);
    const fingerprint = isAsBefore && known !== null ? { ...known, endedAtMs: FAILED_AT_MS } : seen.fingerprint;
    return [record, { type: 'observed', observation: { ...seen, fingerprint }, evidence }];
  });

/** A look at a run that has failed and waits for its retry, which is due and allowed as often as not. */
export const anyLookWhenDue: fc.Arbitrary<readonly [RunRecord, RunEvent]> = fc
  .tuple(inPhase('waiting'), anyEvidence, bool)
  .map(([record, evidence, isKnown]) => {
    if (record.phase !== 'waiting') throw new Error('not what was asked for');
    const fingerprint = record.fingerprint ?? {
      queuedAtMs: null,
      startedAtMs: record.attemptStartedAtMs,
      endedAtMs: 0,
    };
    const observation = { type: 'found', state: 'failed', fingerprint, runType: null } as const;
    const due = { ...record, retryAtMs: 0, held: null, failures: [] };
    return [due, { type: 'observed', observation, ...(isKnown ? { evidence } : {}) }];
  });
