import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isFinalRefusal, judge, type RunFacts } from '../../src/core/judgement.ts';
import { FailureClass, type RetryPolicy } from '../../src/core/policy.ts';
import { REFUSALS } from '../../src/core/reason.ts';
import type { Failure } from '../../src/core/record.ts';
import { FAILED_AT_MS, FAILURE } from '../support/records.ts';
import { policyWith } from './policies.ts';

const HOUR_MS = 3_600_000;

const failure = (changes: Partial<Failure> = {}): Failure => ({ ...FAILURE, ...changes });
/** What a Dag-level callback tells beside those of the tasks: nothing that they do not say better. */
const RUN_FAILED = failure({ id: 'run:1', taskId: null, operator: null, exceptionType: null, message: null });

function factsWith(changes: Partial<RunFacts> = {}): RunFacts {
  const facts = { failures: [FAILURE], retriesUsed: 0, granted: 0, retriesUsedByClass: {}, runType: 'scheduled' };
  return { ...facts, firstFailedAtMs: FAILED_AT_MS, ...changes };
}

function decide(policy: Partial<RetryPolicy>, facts: Partial<RunFacts> = {}, afterMs = 0): string {
  const judgement = judge(policyWith(policy), factsWith(facts), FAILED_AT_MS + afterMs);
  return judgement.retry ? `retry ${judgement.failureClass} up to ${judgement.maxRetries}` : judgement.reason;
}

describe('the shared cap', () => {
  test.each([
    [2, 0, 'retry task_error up to 2'],
    [2, 1, 'retry task_error up to 2'],
    [2, 2, 'max_retries_reached'],
    [2, 3, 'max_retries_reached'],
    [0, 0, 'retries_off'],
    [50, 9, 'retry task_error up to 10'],
    [50, 10, 'max_retries_reached'],
  ])('%d retries, %d used: %s', (maxRetries, retriesUsed, expected) => {
    expect(decide({ maxRetries }, { retriesUsed, retriesUsedByClass: { task_error: retriesUsed } })).toBe(expected);
  });
});

describe('caps of single classes', () => {
  const policy = { maxRetries: 2, maxRetriesByClass: { infra: 3 } };
  const infra = [failure({ failureClass: 'infra' })];
  const error = [failure({ failureClass: 'task_error' })];

  test.each([
    ['nothing used', infra, {}, 'retry infra up to 3'],
    ['two used on errors: the own cap is whole', infra, { task_error: 2 }, 'retry infra up to 5'],
    ['own cap used up', infra, { infra: 3 }, 'max_retries_reached'],
    ['three used on infra: the shared cap is whole', error, { infra: 3 }, 'retry task_error up to 5'],
    ['timeouts share with errors', error, { timeout: 1, infra: 3 }, 'retry task_error up to 5'],
    ['shared cap used up', error, { timeout: 1, task_error: 1, infra: 1 }, 'max_retries_reached'],
  ] as const)('%s', (_name, failures, retriesUsedByClass, expected) => {
    const retriesUsed = Object.values(retriesUsedByClass).reduce((sum, used) => sum + used, 0);
    expect(decide(policy, { failures, retriesUsed, retriesUsedByClass })).toBe(expected);
  });

  test('a cap that was lowered below what is used ends it', () => {
    const used = { failures: infra, retriesUsed: 3, retriesUsedByClass: { infra: 3 } };
    expect(decide({ maxRetriesByClass: { infra: 1 } }, used)).toBe('max_retries_reached');
    // Without a cap of its own the class draws on the shared budget, with what it has used.
    expect(decide({ maxRetries: 2 }, used)).toBe('max_retries_reached');
  });

  test('a class alone can be switched off, or be the only one that is on', () => {
    expect(decide({ maxRetriesByClass: { infra: 0 } }, { failures: infra })).toBe('max_retries_reached');
    expect(decide({ maxRetriesByClass: { infra: 0 } }, { failures: error })).toBe('retry task_error up to 2');
    expect(decide({ maxRetries: 0, maxRetriesByClass: { infra: 1 } }, { failures: infra })).toBe('retry infra up to 1');
    expect(decide({ maxRetries: 0, maxRetriesByClass: { infra: 1 } }, { failures: error })).toBe('max_retries_reached');
    expect(decide({ maxRetries: 0, maxRetriesByClass: { infra: 0 } }, { failures: infra })).toBe('retries_off');
  });

  test('all caps together stay below the limit', () => {
    const many = { maxRetries: 8, maxRetriesByClass: { infra: 8 }, maxRetriesLimit: 10 };
    const used = { retriesUsed: 9, retriesUsedByClass: { task_error: 8, infra: 1 } };
    expect(decide(many, { ...used, failures: infra })).toBe('retry infra up to 10');
    const all = { retriesUsed: 10, retriesUsedByClass: { task_error: 8, infra: 2 } };
    expect(decide(many, { ...all, failures: infra })).toBe('max_retries_reached');
  });
});

describe('the class of a mixed attempt', () => {
  test.each([
    [['infra', 'task_error', 'timeout', 'deadlock'], 'task_error'],
    [['infra', 'deadlock', 'timeout'], 'timeout'],
    [['infra', 'deadlock'], 'deadlock'],
    [['infra', 'infra'], 'infra'],
  ] as const)('%j counts as %s', (classes, expected) => {
    const failures = classes.map((failureClass, index) => failure({ id: `${index}`, failureClass }));
    expect(decide({}, { failures })).toBe(`retry ${expected} up to 2`);
    expect(decide({}, { failures: failures.toReversed() })).toBe(`retry ${expected} up to 2`);
  });

  test('is that of its tasks where the run as a whole only says that a task has failed', () => {
    const killed = failure({ failureClass: 'infra' });
    expect(decide({ retryOn: ['infra'] }, { failures: [killed, RUN_FAILED] })).toBe('retry infra up to 2');
    expect(decide({ retryOn: ['infra'] }, { failures: [RUN_FAILED, killed] })).toBe('retry infra up to 2');
    expect(decide({}, { failures: [RUN_FAILED] })).toBe('retry task_error up to 2');
  });

  test('is that of the run as a whole where Airflow names a cause of its own', () => {
    const timedOut = { ...RUN_FAILED, failureClass: 'timeout' } as const;
    expect(decide({}, { failures: [failure({ failureClass: 'infra' }), timedOut] })).toBe('retry timeout up to 2');
    const told = { ...RUN_FAILED, exceptionType: 'builtins.ValueError' };
    expect(decide({}, { failures: [failure({ failureClass: 'infra' }), told] })).toBe('retry task_error up to 2');
  });

  test('and its cap are told also where no task is selected', () => {
    const policy = policyWith({ ignoreTasks: ['load'], maxRetriesByClass: { infra: 5 } });
    const facts = factsWith({ failures: [failure({ failureClass: 'infra' })] });
    const refused = { retry: false, reason: 'task_ignored', failureClass: 'infra', maxRetries: 5 };
    expect(judge(policy, facts, FAILED_AT_MS)).toEqual(refused);
  });

  test('counts only the tasks that are selected', () => {
    const failures = [failure({ id: 'a', taskId: 'notify' }), failure({ id: 'b', failureClass: 'infra' })];
    expect(decide({ ignoreTasks: ['notify'] }, { failures })).toBe('retry infra up to 2');
  });
});

describe('which failures start a retry', () => {
  test.each([
    [{ retryOn: ['infra'] }, {}, 'class_not_retried'],
    [{ retryOn: [] }, {}, 'class_not_retried'],
    [{ manualRuns: 'ignore' }, { runType: 'manual' }, 'manual_run'],
    [{ manualRuns: 'ignore' }, { runType: 'scheduled' }, 'retry task_error up to 2'],
    [{ manualRuns: 'ignore' }, { runType: null }, 'retry task_error up to 2'],
    [{ manualRuns: 'retry' }, { runType: 'manual' }, 'retry task_error up to 2'],
    [{ onlyTasks: ['publish_*'] }, {}, 'task_not_selected'],
    [{ onlyTasks: ['publish_*', 'lo?d'] }, {}, 'retry task_error up to 2'],
    [{ onlyTasks: [] }, {}, 'task_not_selected'],
    [{ ignoreTasks: ['load'] }, {}, 'task_ignored'],
    [{ onlyTasks: ['load'], ignoreTasks: ['lo*'] }, {}, 'task_ignored'],
    [{ ignoreOperators: ['*Operator'] }, {}, 'operator_ignored'],
    [{ ignoreOperators: ['Branch*'] }, {}, 'retry task_error up to 2'],
    [{ ignoreOperators: ['*'] }, { failures: [failure({ operator: null })] }, 'retry task_error up to 2'],
    [{ onlyTasks: ['publish'] }, { failures: [RUN_FAILED] }, 'retry task_error up to 2'],
    [{ onlyTasks: ['publish'] }, { failures: [FAILURE, RUN_FAILED] }, 'task_not_selected'],
    [{ onlyTasks: ['publish'] }, { failures: [FAILURE, failure({ taskId: 'publish' })] }, 'retry task_error up to 2'],
    [{}, { failures: [] }, 'retry task_error up to 2'],
  ] as const)('%j, %j: %s', (policy, facts, expected) => {
    expect(decide(policy, facts)).toBe(expected);
  });
});

describe('never_on', () => {
  test.each([
    ['ValueError', 'ValueError'],
    ['ValueError', 'builtins.ValueError'],
    ['builtins.ValueError', 'builtins.ValueError'],
    ['*ValueError', 'my.pkg.BadValueError'],
    ['my.pkg.*', 'my.pkg.BadValueError'],
    ['Airflow*Exception', 'airflow.exceptions.AirflowFailException'],
  ])('%s forbids %s', (glob, exceptionType) => {
    expect(decide({ neverOn: [glob] }, { failures: [failure({ exceptionType })] })).toBe('never_on');
  });

  test.each([
    ['ValueError', 'builtins.ValueErrors'],
    ['pkg.ValueError', 'my.pkg.ValueError'],
    ['valueerror', 'ValueError'],
    ['*', null],
    ['', null],
  ])('%j does not forbid %s', (glob, exceptionType) => {
    const failures = [failure({ exceptionType })];
    expect(decide({ neverOn: [glob] }, { failures })).toBe('retry task_error up to 2');
  });

  test('one such failure among many is enough, in a task that is ignored too', () => {
    const fails = failure({ id: 'x', taskId: 'notify', exceptionType: 'AirflowFailException' });
    expect(decide({ ignoreTasks: ['notify'] }, { failures: [FAILURE, fails] })).toBe('never_on');
  });

  test("a policy of one's own replaces the built-in list", () => {
    const failures = [failure({ exceptionType: 'airflow.exceptions.AirflowFailException' })];
    expect(decide({}, { failures })).toBe('never_on');
    expect(decide({ neverOn: [] }, { failures })).toBe('retry task_error up to 2');
  });
});

describe('max_duration', () => {
  test.each([
    [HOUR_MS, 'retry task_error up to 2'],
    [HOUR_MS + 1, 'max_duration_reached'],
  ])('%d ms after the first failure: %s', (afterMs, expected) => {
    expect(decide({ maxDurationMs: HOUR_MS }, {}, afterMs)).toBe(expected);
  });

  test('the cap is named where both are reached', () => {
    expect(decide({ maxDurationMs: 0, maxRetries: 1 }, { retriesUsed: 1 }, 1)).toBe('max_retries_reached');
  });
});

describe('any judgement', () => {
  const anyClass = fc.constantFrom(...FailureClass.options);
  const byClass = fc.dictionary(anyClass, fc.nat(4), { noNullPrototype: true });
  const policies = fc.record({ maxRetries: fc.nat(4), maxRetriesByClass: byClass, maxRetriesLimit: fc.nat(6) });
  const usedByClass = fc.dictionary(anyClass, fc.nat(4), { noNullPrototype: true });

  test('to retry leaves room below its own cap, below the class caps and below the limit', () => {
    fc.assert(
      fc.property(policies, usedByClass, anyClass, (policy, retriesUsedByClass, failureClass) => {
        const retriesUsed = Object.values(retriesUsedByClass).reduce((sum, used) => sum + used, 0);
        const facts = factsWith({ failures: [failure({ failureClass })], retriesUsed, retriesUsedByClass });
        const judgement = judge(policyWith(policy), facts, FAILED_AT_MS);
        if (!judgement.retry) return;
        expect(retriesUsed).toBeLessThan(judgement.maxRetries);
        expect(judgement.maxRetries).toBeLessThanOrEqual(policy.maxRetriesLimit);
        const ownCap = policy.maxRetriesByClass[failureClass];
        if (ownCap !== undefined) expect(retriesUsedByClass[failureClass] ?? 0).toBeLessThan(ownCap);
        else expect(sharedUse(policy.maxRetriesByClass, retriesUsedByClass)).toBeLessThan(policy.maxRetries);
      }),
    );
  });

  function sharedUse(own: Partial<Record<FailureClass, number>>, used: Partial<Record<FailureClass, number>>): number {
    const shared = FailureClass.options.filter((one) => own[one] === undefined);
    return shared.reduce((sum, one) => sum + (used[one] ?? 0), 0);
  }
});

test('the refusals that end a count are those that nothing later can undo', () => {
  expect(REFUSALS.filter(isFinalRefusal)).toEqual(['never_on', 'max_retries_reached', 'max_duration_reached']);
});
