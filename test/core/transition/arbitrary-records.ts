import fc from 'fast-check';
import { FailureClass } from '../../../src/core/policy.ts';
import type { Failure, Fingerprint, PendingAlert, RunRecord } from '../../../src/core/record.ts';
import { FAILED_AT_MS, FAILURE, RUN } from '../../support/records.ts';

// Few values of everything, so that what must match often does.

export const anyTime = fc.integer({ min: -6, max: 24 }).map((step) => FAILED_AT_MS + step * 10_000);
export const count = fc.nat(3);
export const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null, freq: 3 });
const seldom = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, arbitrary);
export const bool = fc.boolean();

const starts = [-2, -1, 1].map((step) => FAILED_AT_MS + step * 60_000);
export const start = fc.constantFrom(...starts);
/** What tells attempts apart in these, but for the last one, is their start: few, so that the same one is often met. */
export const anyFingerprint: fc.Arbitrary<Fingerprint> = fc
  .tuple(fc.constantFrom(...starts, ...starts, null), anyTime, fc.boolean())
  .map(([startedAtMs, endedAtMs, hasEnded]) => ({
    queuedAtMs: startedAtMs ?? FAILED_AT_MS,
    startedAtMs,
    endedAtMs: hasEnded ? endedAtMs : null,
  }));
export const anyClass = fc.constantFrom(...FailureClass.options);

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
  incident: fc.constantFrom('i1', 'i2'),
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

const told = fc.uniqueArray(
  fc.record({ channel: fc.constantFrom('webhook', 'pager'), incident: fc.constantFrom('i1', 'i2', 'i3') }),
  { selector: ({ channel, incident }) => `${channel}/${incident}`, maxLength: 3 },
);

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
    logOffset: fc.constantFrom(0, 0, 1, -1),
    countIs: fc.constantFrom('unchecked', 'checked', 'lost'),
    earlierCount: fc.option(
      fc.record({
        retriesUsed: fc.nat(3),
        retriesUsedByClass: fc.constant({}),
        granted: fc.nat(2),
        firstFailedAtMs: fc.constant(FAILED_AT_MS - 1_000),
      }),
      { nil: null },
    ),
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
    told,
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

const givenUp = {
  reason: fc.constantFrom('settle_timeout', 'run_succeeded'),
  gaveUpAtMs: anyTime,
  failuresMeanwhile: failures,
};
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

/** A record in a phase in which clears are decided. */
export function inPhase(phase: 'waiting' | 'clearing'): fc.Arbitrary<RunRecord> {
  return fc.tuple(commonWith(alerts(0)), phases[phase]).map(join) as fc.Arbitrary<RunRecord>;
}
