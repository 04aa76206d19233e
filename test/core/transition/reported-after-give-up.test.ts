import { describe, expect, test } from 'vitest';
import { transition } from '../../../src/core/transition.ts';
import { FAILED_AT_MS, FINGERPRINT, gaveUpRecord, RUN } from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { failed, NEXT_ATTEMPT, running, seen } from './events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;
const rules = rulesWith({ delayMs: 0 });

/** A failure that forbids the retry, in a callback that does not tell its attempt. */
const FORBIDS = failed({ exceptionType: 'airflow.exceptions.AirflowFailException' });

describe('a failure that is reported of a given-up run', () => {
  const reported = transition(RUN, gaveUpRecord(), FORBIDS, rules, NOW_MS).next;

  test('is kept, and has the run looked at at once', () => {
    expect(reported).toMatchObject({ phase: 'gave_up', dueAtMs: NOW_MS, failuresMeanwhile: [FORBIDS.failure] });
  });

  test('forbids the next retry where a person has restarted the run', () => {
    const after = transition(RUN, reported, seen('failed', NEXT_ATTEMPT), rules, NOW_MS);
    expect(after).toMatchObject({ command: null, next: { reason: 'never_on', failures: [FORBIDS.failure] } });
  });

  test('also where that attempt has yet to end', () => {
    const watched = transition(RUN, reported, seen('running', running(NEXT_ATTEMPT)), rules, NOW_MS).next;
    expect(watched).toMatchObject({ phase: 'watching', failures: [FORBIDS.failure] });
    const after = transition(RUN, watched, seen('failed', NEXT_ATTEMPT), rules, NOW_MS);
    expect(after).toMatchObject({ command: null, next: { reason: 'never_on' } });
  });

  test('is forgotten once the run shows that it was of the attempt given up', () => {
    const after = transition(RUN, reported, seen('failed', FINGERPRINT), rules, NOW_MS);
    expect(after.next).toMatchObject({ phase: 'gave_up', failuresMeanwhile: [] });
  });
});
