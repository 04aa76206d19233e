import { describe, expect, test } from 'vitest';
import type { FailureReported, RunEvent } from '../../../src/core/event.ts';
import { PolicyLayer } from '../../../src/core/policy-layer.ts';
import type { RunRecord } from '../../../src/core/record.ts';
import { resolvePolicy } from '../../../src/core/resolve-policy.ts';
import type { Rules } from '../../../src/core/rules.ts';
import { type Transition, transition } from '../../../src/core/transition.ts';
import {
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { clearAnswered, failed, NEXT_ATTEMPT, seen } from './events.ts';

const NOW_MS = FAILED_AT_MS + 10_000;
type Override = FailureReported['override'];

/** `raise RetryDagRun(...)`, or plain errors with a layer of the Dag's own. */
const fails = (taskId: string, override: Override = null) => failed({ id: taskId, taskId }, {}, override);
/** `raise DoNotRetryDagRun(...)`; http keeps no layer of such a failure. */
const refuses = (taskId: string) =>
  failed({ id: taskId, taskId, exceptionType: 'dagain_airflow.DoNotRetryDagRun', refused: true });

/** The policy as the engine resolves it: the built-in one and the layer that is in force for the run. */
function rulesFor(record: RunRecord | null, event: RunEvent): Rules {
  const asked = event.type === 'failure_reported' ? event.override : null;
  const layer = PolicyLayer.parse(asked ?? record?.override ?? {});
  const { policy, clamped } = resolvePolicy([{ source: 'callback', layer }], {}, ['webhook']);
  return { ...rulesWith(), policy, isOverrideClamped: clamped.length > 0 };
}

/** Applies events one after the other; returns what each has led to. */
function apply(events: readonly RunEvent[], start: RunRecord | null = null): Transition[] {
  const steps: Transition[] = [];
  let record = start;
  for (const event of events) {
    const step = transition(RUN, record, event, rulesFor(record, event), NOW_MS);
    steps.push(step);
    record = step.next;
  }
  return steps;
}

describe('DoNotRetryDagRun among the failures of one attempt', () => {
  const several = [fails('a'), fails('b'), fails('c')];

  test.each([
    ['as the only one', []],
    ['first', several],
    ['last', several],
    ['in the middle', several],
  ] as const)('%s ends the retries, with an alert', (where, others) => {
    const at = where === 'first' ? 0 : where === 'last' ? others.length : 1;
    const events = [...others.slice(0, at), refuses('x'), ...others.slice(at)];
    const steps = apply([...events, seen('failed')]);
    for (const [index, step] of steps.slice(0, -1).entries()) {
      const isRefused = index >= events.findIndex((event) => event.failure.refused);
      expect(step.decision).toBe(isRefused ? 'not_retryable' : index === 0 ? 'retry_scheduled' : 'already_scheduled');
      if (isRefused) expect(step).toMatchObject({ reason: 'never_on', next: { expectedRetryAtMs: null } });
    }
    const last = steps.at(-1)?.next;
    expect(last).toMatchObject({ phase: 'giving_up', reason: 'never_on', retriesUsed: 0, clearsSent: 0 });
    expect(last?.outbox).toMatchObject([{ kind: 'gave_up', reason: 'never_on', attempt: 1 }]);
  });

  test('after the run was seen failed, while its retry waits', () => {
    const [step] = apply([refuses('x')], waitingRecord());
    expect(step).toMatchObject({ decision: 'not_retryable', next: { phase: 'giving_up', reason: 'never_on' } });
  });

  test.each([
    ['before', [fails('a', { max_retries: 5, never_on: [] }), refuses('x')]],
    ['after', [refuses('x'), fails('a', { max_retries: 5, never_on: [] })]],
    ['before and after', [fails('a', { max_retries: 5 }), refuses('x'), fails('b', { never_on: [] })]],
  ])('wins over a RetryDagRun %s it', (_when, events) => {
    const steps = apply([...events, seen('failed')]);
    expect(steps.at(-1)?.next).toMatchObject({ phase: 'giving_up', reason: 'never_on' });
  });

  test('takes no terms with it: those of a RetryDagRun beside it stay in the record', () => {
    const [, step] = apply([fails('a', { max_retries: 5 }), refuses('x')]);
    expect(step?.next?.override).toEqual({ max_retries: 5 });
  });

  test('in a task that the policy ignores counts all the same', () => {
    const ignoring = { ignore_tasks: ['x'] };
    const steps = apply([fails('a', ignoring), refuses('x'), seen('failed')]);
    expect(steps.at(-1)?.next).toMatchObject({ phase: 'giving_up', reason: 'never_on' });
  });

  test('uses nothing up where the run succeeds after all', () => {
    const steps = apply([refuses('x'), seen('success')]);
    expect(steps.at(-1)).toMatchObject({ next: null, decision: 'cleaned_up', reason: 'run_succeeded' });
  });

  test('in its next delivery, after the give-up, changes nothing', () => {
    const steps = apply([refuses('x'), seen('failed')]);
    const [again] = apply([refuses('x')], steps.at(-1)?.next ?? null);
    expect(again).toMatchObject({ decision: 'giving_up', reason: 'given_up' });
    expect(again?.command).toBeNull();
  });
});

describe('a Dag that is off', () => {
  const off = rulesWith({ maxRetries: 0 });

  test('stays quiet when its task refuses: nothing is stored, nobody is told', () => {
    expect(transition(RUN, null, refuses('x'), off, NOW_MS)).toMatchObject({
      next: null,
      decision: 'not_retryable',
      reason: 'retries_off',
    });
  });

  test('stays quiet also when that is found out only from its tags', () => {
    const provisional = transition(RUN, null, refuses('x'), { ...off, isProvisional: true }, NOW_MS);
    expect(provisional.next).toMatchObject({ phase: 'confirming' });
    const after = transition(RUN, provisional.next, seen('failed'), off, NOW_MS);
    expect(after).toMatchObject({ next: null, decision: 'not_retryable', reason: 'retries_off' });
  });

  test('is switched on for its run by a RetryDagRun, and a refusal then alerts', () => {
    const layers = [
      { source: 'policy file, defaults', layer: { max_retries: 0 } },
      { source: 'callback', layer: { max_retries: 1 } },
    ];
    const on = { ...off, policy: resolvePolicy(layers, {}, ['webhook']).policy };
    const first = transition(RUN, null, fails('a', { max_retries: 1 }), on, NOW_MS);
    expect(first).toMatchObject({ decision: 'retry_scheduled', next: { phase: 'confirming', maxRetries: 1 } });
    const second = transition(RUN, first.next, refuses('x'), on, NOW_MS);
    const last = transition(RUN, second.next, seen('failed'), on, NOW_MS).next;
    expect(last).toMatchObject({ phase: 'giving_up', reason: 'never_on', outbox: [{ kind: 'gave_up' }] });
  });
});

describe('a refusal at the second attempt', () => {
  const startedAtMs = FAILED_AT_MS + 61_000;
  const refusal = { ...refuses('x'), evidence: { startedAtMs, clearNumber: null, runType: null } };

  test('alerts, and leaves the retry that was used counted', () => {
    const steps = apply([refusal, seen('failed', NEXT_ATTEMPT)], watchingRecord());
    expect(steps[0]).toMatchObject({ decision: 'not_retryable', reason: 'never_on' });
    const last = steps.at(-1)?.next;
    expect(last).toMatchObject({ phase: 'giving_up', reason: 'never_on', attempt: 2, retriesUsed: 1 });
    expect(last?.outbox).toMatchObject([{ kind: 'gave_up', attempt: 2 }]);
  });

  test('alerts where the policy was switched off meanwhile as well: the run was ours', () => {
    const off = rulesWith({ maxRetries: 0 });
    const confirming = transition(RUN, watchingRecord(), refusal, off, NOW_MS).next;
    const after = transition(RUN, confirming, seen('failed', NEXT_ATTEMPT), off, NOW_MS).next;
    expect(after).toMatchObject({ phase: 'giving_up', attempt: 2 });
    expect(after?.outbox).toHaveLength(1);
  });

  test('that comes while the clear is under way is not lost', () => {
    const steps = apply([refusal, clearAnswered({ type: 'accepted', run: null })], clearingRecord());
    expect(steps.at(-1)?.next).toMatchObject({
      phase: 'watching',
      failures: [{ id: 'x', refused: true }],
      dueAtMs: NOW_MS,
    });
    const after = apply([seen('failed', NEXT_ATTEMPT)], steps.at(-1)?.next ?? null);
    expect(after[0]?.next).toMatchObject({ phase: 'giving_up', reason: 'never_on', attempt: 2 });
  });

  test('forbids nothing to the attempt after a person has restarted the run', () => {
    const [given] = apply([seen('failed', NEXT_ATTEMPT)], confirmingRecord({ failures: [refusal.failure] }));
    const later = failed({ id: 'y' }, { startedAtMs: startedAtMs + 600_000 });
    const [step] = apply([later], given?.next ?? null);
    expect(step).toMatchObject({ decision: 'retry_scheduled', next: { phase: 'confirming', retriesUsed: 0 } });
  });
});

describe('a callback that asks for more than the limits allow', () => {
  test('is answered override_clamped, with the cap that it was given', () => {
    const [first, second] = apply([fails('a', { max_retries: 50 }), fails('b')]);
    expect(first).toMatchObject({ decision: 'retry_scheduled', reason: 'override_clamped', next: { maxRetries: 10 } });
    expect(second).toMatchObject({ decision: 'already_scheduled', reason: 'same_attempt', next: { maxRetries: 10 } });
  });

  test('within them is answered as ever', () => {
    const [step] = apply([fails('a', { max_retries: 10 })]);
    expect(step).toMatchObject({ reason: 'failure_reported', next: { maxRetries: 10 } });
  });

  test('is told so for a delay too', () => {
    const [step] = apply([fails('a', { retries: [3, '2d'] })]);
    expect(step).toMatchObject({ reason: 'override_clamped', next: { maxRetries: 3 } });
    expect(step?.retryAtMs).toBe(FAILED_AT_MS + 24 * 3_600_000);
  });

  test('and refuses itself is told of the refusal', () => {
    const rules = rulesWith({ maxRetries: 10 }, { isOverrideClamped: true });
    expect(transition(RUN, null, refuses('x'), rules, NOW_MS)).toMatchObject({ reason: 'never_on' });
  });
});
