import fc from 'fast-check';
import { OPERATIONS, type RunEvent } from '../../../src/core/event.ts';
import { FailureClass } from '../../../src/core/policy.ts';
import type { Failure, Fingerprint, PendingAlert, RunRecord } from '../../../src/core/record.ts';
import type { Rules } from '../../../src/core/rules.ts';
import { FAILED_AT_MS, FAILURE, RUN } from '../../support/records.ts';
import { rulesWith } from '../policies.ts';

// Few values of everything, so that what must match often does.

export const anyTime = fc.integer({ min: -6, max: 24 }).map((step) => FAILED_AT_MS + step * 10_000);
const count = fc.nat(3);
const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 3 });
const seldom = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, arbitrary);
const bool = fc.boolean();

const starts = [-2, -1, 1].map((step) => FAILED_AT_MS + step * 60_000);
const start = fc.constantFrom(...starts);
/** What tells attempts apart in these, but for the last one, is their start: few, so that the same one is often met. */
export const anyFingerprint: fc.Arbitrary<Fingerprint> = fc
  .tuple(fc.constantFrom(...starts, ...starts, null), anyTime, fc.boolean())
  .map(([startedAtMs, endedAtMs, hasEnded]) => ({
    queuedAtMs: startedAtMs ?? FAILED_AT_MS,
    startedAtMs,
    endedAtMs: hasEnded ? endedAtMs : null,
  }));
const anyClass = fc.constantFrom(...FailureClass.options);

export const anyFailure: fc.Arbitrary<Failure> = fc
  .record({
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    taskId: fc.constantFrom('load', 'transform', 'notify', null),
    tryNumber: nullable(fc.integer({ min: 1, max: 2 })),
    exceptionType: fc.constantFrom('ValueError', 'KeyError', null, 'ValueError', 'AirflowFailException'),
    failureClass: anyClass,
    failedAtMs: anyTime,
  })
  .map((failure) => ({ ...FAILURE, ...failure }));

const ids = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'x', 'y'));
const failures = fc.oneof(
  { weight: 9, arbitrary: fc.uniqueArray(anyFailure, { selector: ({ id }) => id, maxLength: 4 }) },
  fc.uniqueArray(fc.nat(40), { minLength: 20, maxLength: 20 }).map((many) => many.map(numbered)),
);
function numbered(number: number): Failure {
  return { ...FAILURE, id: `n${number}`, tryNumber: number % 3 === 0 ? null : number };
}

const alert: fc.Arbitrary<PendingAlert> = fc.record({
  dedupeKey: fc.constantFrom('k1', 'k2'),
  channel: fc.constantFrom('webhook', 'pager'),
  kind: fc.constantFrom('gave_up', 'attempt_failed'),
  reason: fc.constant('settled'),
  attempt: fc.constant(1),
  createdAtMs: anyTime,
  tries: count,
  nextTryAtMs: anyTime,
});
const alerts = (minLength: number) =>
  fc.uniqueArray(alert, { selector: ({ dedupeKey, channel }) => `${dedupeKey}/${channel}`, minLength, maxLength: 4 });

const history = fc
  .oneof(fc.nat(3), fc.constantFrom(59, 60))
  .map((length) => Array.from({ length }, () => ({ atMs: FAILED_AT_MS, type: 'x', attempt: 1, reason: 'settled' })));

/** What has been used by class, of which the number of retries used is the sum. */
const used = fc
  .oneof({ weight: 2, arbitrary: fc.constant({}) }, fc.dictionary(anyClass, fc.nat(2), { noNullPrototype: true }))
  .map((retriesUsedByClass) => ({
    retriesUsedByClass,
    retriesUsed: Object.values(retriesUsedByClass).reduce((sum, one) => sum + one, 0),
  }));

const previous = fc.oneof(
  fc.record({ fingerprint: anyFingerprint, wasFailed: bool, mode: fc.constantFrom('all_tasks', 'from_failure') }),
  fc.record({ fingerprint: anyFingerprint, wasFailed: bool, mode: fc.constant(null) }),
);

function commonWith(outbox: fc.Arbitrary<PendingAlert[]>, held = seldom(fc.constant(HELD))) {
  return fc.record({
    schema: fc.constant(1 as const),
    dagId: fc.constant(RUN.dagId),
    dagRunId: fc.constant(RUN.dagRunId),
    attempt: fc.integer({ min: 1, max: 4 }),
    used,
    clearsSent: count,
    maxRetries: count,
    firstFailedAtMs: anyTime,
    granted: fc.constantFrom(0, 0, 1),
    runType: fc.constantFrom('scheduled', null, null, 'manual'),
    clearNumber: nullable(count),
    failures,
    earlierFailureIds: fc.oneof(ids, fc.constant(Array.from({ length: 100 }, (_, index) => `old${index}`))),
    override: fc.constantFrom(null, { max_retries: 1 }),
    previous: seldom(previous),
    held,
    outbox,
    history,
  });
}
const HELD = { actor: 'anna', comment: '', atMs: FAILED_AT_MS };

const phases = {
  confirming: fc.record({
    phase: fc.constant('confirming' as const),
    sinceMs: anyTime,
    dueAtMs: anyTime,
    expectedRetryAtMs: nullable(anyTime),
    attemptStartedAtMs: nullable(start),
    checks: count,
    unavailableSinceMs: nullable(anyTime),
  }),
  waiting: fc
    .record({
      phase: fc.constant('waiting' as const),
      dueAtMs: anyTime,
      retryAtMs: anyTime,
      fingerprint: fc.oneof({ weight: 3, arbitrary: anyFingerprint }, fc.constant(null)),
      attemptStartedAtMs: nullable(start),
      failureClass: anyClass,
      checks: count,
    })
    .map((waiting) => ({ ...waiting, mayInterrupt: waiting.fingerprint === null })),
  clearing: fc.record({
    phase: fc.constant('clearing' as const),
    dueAtMs: anyTime,
    sendByMs: anyTime,
    mode: fc.constantFrom('all_tasks', 'from_failure'),
    fingerprint: anyFingerprint,
    wasFailed: bool,
    failureClass: anyClass,
    failuresMeanwhile: failures,
    checks: count,
  }),
  watching: fc.record({
    phase: fc.constant('watching' as const),
    dueAtMs: anyTime,
    clearedAtMs: anyTime,
    startedBy: fc.constantFrom('dagain', 'person'),
    checks: count,
  }),
} as const;

const givenUp = { reason: fc.constantFrom('settle_timeout', 'run_succeeded'), gaveUpAtMs: anyTime };
const givingUp = fc.record({
  phase: fc.constant('giving_up' as const),
  dueAtMs: nullable(anyTime),
  ...givenUp,
  fingerprint: nullable(anyFingerprint),
});
const gaveUp = fc
  .record({
    phase: fc.constant('gave_up' as const),
    expiresAtMs: anyTime,
    dueAtMs: anyTime,
    ...givenUp,
    reason: fc.constant('settle_timeout'),
    fingerprint: nullable(anyFingerprint),
  })
  .map((record) => ({ ...record, dueAtMs: Math.min(record.dueAtMs, record.expiresAtMs) }));

type Common = ReturnType<typeof commonWith> extends fc.Arbitrary<infer T> ? T : never;
function join<T extends object>([{ used: spent, ...common }, phase]: [Common, T]) {
  return { ...common, ...spent, ...phase };
}

const byPhase = [
  ...Object.values(phases).map((phase) => fc.tuple(commonWith(alerts(0)), phase).map(join)),
  fc.tuple(commonWith(alerts(1)), givingUp).map(join),
  fc.tuple(commonWith(fc.constant([])), gaveUp).map(join),
];

/** A record as the core can have written it; `RunRecord` parses every one (a test says so). */
export const anyRecord = fc.oneof(...byPhase) as fc.Arbitrary<RunRecord>;

const seenRun = fc.record({
  type: fc.constant('found' as const),
  state: fc.constantFrom('queued', 'running', 'success', 'failed', 'failed', 'failed'),
  fingerprint: anyFingerprint,
  runType: fc.constantFrom('manual', null),
});
const outage = { reason: fc.constant('unreachable'), retryAfterMs: nullable(fc.constantFrom(0, 5_000, 10 ** 9)) };

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
  fc.constant({ type: 'state_lost' as const, detail: 'gone' }),
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
  })
  .map(({ policy, isProvisional }) => rulesWith(policy, { isProvisional }));

function inPhase(phase: 'waiting' | 'clearing'): fc.Arbitrary<RunRecord> {
  return fc.tuple(commonWith(alerts(0)), phases[phase]).map(join) as fc.Arbitrary<RunRecord>;
}

/** A record and a look at its run, which often shows it as it was when it was last looked at. */
export const anyLook: fc.Arbitrary<readonly [RunRecord, RunEvent]> = fc
  .tuple(fc.oneof(anyRecord, inPhase('waiting'), inPhase('clearing')), seenRun, fc.boolean())
  .map(([record, seen, isAsBefore]) => {
    const known = 'fingerprint' in record ? record.fingerprint : (record.previous?.fingerprint ?? null);
    const fingerprint = isAsBefore && known !== null ? { ...known, endedAtMs: FAILED_AT_MS } : seen.fingerprint;
    return [record, { type: 'observed', observation: { ...seen, fingerprint } }];
  });
