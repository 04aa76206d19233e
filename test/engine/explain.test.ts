import { describe, expect, test } from 'vitest';
import { DagainError } from '../../src/core/errors.ts';
import type { JournalEntry } from '../../src/core/journal.ts';
import { REFUSALS } from '../../src/core/reason.ts';
import { resolvePolicy } from '../../src/core/resolve-policy.ts';
import { refusalWords } from '../../src/engine/explain/policy-words.ts';
import { shellWord } from '../../src/engine/explain/words.ts';
import type { Explanation } from '../../src/engine/explain.ts';
import {
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  FINGERPRINT,
  gaveUpRecord,
  givingUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../support/records.ts';
import { createHarness, FAILED, type Harness } from './harness.ts';

const OUT = { type: 'unavailable', reason: 'unreachable', detail: 'connect ECONNREFUSED', retryAfterMs: null } as const;
const TAGGED = { tagsKnown: true, tagProblems: [] };
const layers = (layer: object) => [{ source: 'policy file, dags[0] (etl_*)', layer }];

async function explain(prepare: (harness: Harness) => void | Promise<void>): Promise<Explanation> {
  const harness = createHarness();
  await prepare(harness);
  return await harness.desk.explainer.explain(RUN);
}

const saysAll = ({ summary, because, advice }: Explanation) => [summary, ...because, ...advice].join('\n');

const entry = (fields: Partial<JournalEntry>): JournalEntry => ({
  ...{ atMs: FAILED_AT_MS + 1_000, type: 'gave_up', ...RUN, attempt: 3, retriesUsed: 2, reason: 'max_retries_reached' },
  ...{ taskId: 'load', failureClass: 'task_error', action: null, actor: null, comment: null, ...fields },
});

describe('a run with a record', () => {
  const HELD = { actor: 'ann', comment: 'looking into it', atMs: FAILED_AT_MS };
  const pauseAll = { scope: '*', action: 'pause', actor: 'bob', comment: 'night' } as const;

  test.each([
    [
      'retry_pending',
      waitingRecord({ retryAtMs: FAILED_AT_MS + 600_000 }),
      'Retry 1 of 2 is due at 2026-01-01 00:10:00',
    ],
    ['retry_pending', waitingRecord(), 'has been due since 2026-01-01 00:01:00 UTC'],
    ['confirming', confirmingRecord(), 'settle_timeout 6h, built-in'],
    ['clearing', clearingRecord(), 'is looked up at 2026-01-01 00:01:30 UTC'],
    ['attempt_running', watchingRecord(), 'Attempt 2 was started by dagain at 2026-01-01 00:01:00 UTC.'],
    ['held', waitingRecord({ held: HELD }), 'ann paused it at 2026-01-01 00:00:00 UTC: "looking into it".'],
    ['gave_up', gaveUpRecord({ reason: 'stopped_by_person' }), 'what a person has stopped is not retried'],
    ['gave_up', givingUpRecord({ reason: 'clear_refused' }), '1 alert has not been accepted'],
    ['recovered', givingUpRecord({ reason: 'run_succeeded' }), 'has succeeded on attempt 1'],
    ['ended', gaveUpRecord({ reason: 'run_missing' }), 'deleted in Airflow'],
    ['ended', gaveUpRecord({ reason: 'reset_by_operator' }), 'the next failure begins a new count'],
    ['would_have_retried', gaveUpRecord({ reason: 'would_have_retried' }), 'would have been retried'],
  ] as const)('%s: %o', async (verdict, record, words) => {
    const explanation = await explain(({ store }) => store.put(record));
    expect(explanation.verdict).toBe(verdict);
    expect(saysAll(explanation)).toContain(words);
    expect(saysAll(explanation)).not.toMatch(/undefined|NaN|\[object/);
  });

  test('names the cap, where it comes from, and how much of it is used', async () => {
    const explanation = await explain(({ store, script }) => {
      store.put(gaveUpRecord({ reason: 'max_retries_reached', retriesUsed: 2, retriesUsedByClass: { task_error: 2 } }));
      script.explained = { ...resolvePolicy(layers({ max_retries: 2 }), {}, []), ...TAGGED };
    });
    expect(explanation.because).toContain('The policy allows 2 retries (policy file, dags[0] "etl_*"); 2 are used.');
    expect(explanation.facts.policy).toMatchObject({ maxRetries: 2 });
  });

  test('says when the policy has been changed since', async () => {
    const words = saysAll(
      await explain(({ store, script }) => {
        store.put(waitingRecord());
        script.explained = { ...resolvePolicy(layers({ retry_on: ['infra'] }), {}, []), ...TAGGED };
      }),
    );
    expect(words).toContain('As the policy is now, the run will be given up');
    expect(words).toContain("The failure's class task_error is not in retry_on [infra]");
  });

  test('a pause of everything', async () => {
    const explanation = await explain(async ({ store, desk }) => {
      store.put(waitingRecord());
      await desk.pauses.set(pauseAll);
    });
    expect(explanation.verdict).toBe('paused');
    expect(saysAll(explanation)).toContain('bob paused everything at 2026-01-01 00:01:00 UTC: "night".');
  });

  test('Airflow being out: what is known all the same, and what it means', async () => {
    const explanation = await explain(({ store, script }) => {
      store.put(waitingRecord());
      script.observe = async () => OUT;
      script.auditTrail = async () => OUT;
    });
    expect(explanation.verdict).toBe('retry_pending');
    expect(saysAll(explanation)).toContain(
      'Airflow cannot be asked (unreachable: connect ECONNREFUSED). No clear is sent',
    );
    expect(explanation.advice.join()).toContain('dagain doctor');
  });

  test('tags that are not known, or not understood', async () => {
    const words = saysAll(
      await explain(({ store, script }) => {
        store.put(waitingRecord());
        script.explained = { tagsKnown: false, tagProblems: [{ tag: 'dagain/dela=1', message: 'is not known' }] };
      }),
    );
    expect(words).toContain('could not be read from Airflow');
    expect(words).toContain('"dagain/dela=1" is not understood');
  });
});

describe('what Airflow shows is newer than what is kept', () => {
  test.each([
    [watchingRecord(), { ...FAILED, state: 'running' }, 'Attempt 2 runs.'],
    [watchingRecord(), FAILED, 'Attempt 2 has failed in Airflow; the service has yet to see it.'],
    [watchingRecord(), { ...FAILED, state: 'success' }, 'Attempt 2 has succeeded in Airflow'],
    [watchingRecord(), { type: 'missing' }, 'Airflow knows no such run any more'],
    [waitingRecord(), { ...FAILED, state: 'running' }, 'the pending retry is dropped, unspent'],
    [waitingRecord(), { type: 'missing' }, 'the retry will be dropped'],
  ])('%#: %o', async (record, seen, words) => {
    const explanation = await explain(({ store, script }) => {
      store.put(record);
      script.observe = async () => seen as never;
    });
    expect(saysAll(explanation)).toContain(words);
  });
});

describe('a run without a record', () => {
  test('never reported: says what is not wired', async () => {
    const explanation = await explain(() => {});
    expect(explanation.verdict).toBe('never_reported');
    expect(explanation.because).toContain('Airflow shows the run failed at 2026-01-01 00:00:00 UTC.');
    expect(explanation.because).toContain('The policy allows 2 retries (built-in); none is used.');
    expect(explanation.advice.join()).toContain('DAGAIN_WATCH=on');
    expect(saysAll(explanation)).not.toContain('may still come');
  });

  test('a failure of a moment ago may still be told', async () => {
    const explanation = await explain(({ script, timers }) => {
      const fingerprint = { ...FINGERPRINT, endedAtMs: timers.nowMs() - 5_000 };
      script.observe = async () => ({ ...FAILED, fingerprint });
    });
    expect(explanation.because).toContain('It ended only 5 s ago: a callback may still come.');
  });

  test.each([
    [{ max_retries: 0 }, {}, 'max_retries is 0 (policy file, dags[0] "etl_*")'],
    [{ manual_runs: 'ignore' }, { runType: 'manual' }, 'triggered by hand'],
    [{ ignore_tasks: ['load'] }, {}, 'The failed task (load) is in ignore_tasks [load]'],
    [{ only_tasks: ['publish_*'] }, {}, 'No failed task (load) is in only_tasks [publish_*]'],
    [{ ignore_operators: ['Python*'] }, {}, 'ignore_operators [Python*]'],
    [{ retry_on: ['infra'] }, {}, 'class task_error is not in retry_on [infra]'],
  ])('not retried by policy: %o', async (layer, run, words) => {
    const explanation = await explain(({ script }) => {
      script.observe = async () => ({ ...FAILED, ...run });
      const task = { taskId: 'load', mapIndex: -1, tryNumber: 1, operator: 'PythonOperator' };
      script.failedTasks = async () => ({ type: 'found', tasks: [task] });
      script.explained = { ...resolvePolicy(layers(layer), {}, []), ...TAGGED };
    });
    expect(explanation.verdict).toBe('not_retried_by_policy');
    expect(explanation.because[0]).toContain(words);
  });

  test('a worker that was killed is infra, as the audit log tells', async () => {
    const explanation = await explain(({ script }) => {
      script.explained = { ...resolvePolicy(layers({ retry_on: ['infra'] }), {}, []), ...TAGGED };
      const lost = { action: 'task_lost', atMs: 1, isOurs: false, owner: null, taskId: 'load' } as const;
      script.auditTrail = async () => ({ type: 'found', entries: [lost], isComplete: true, knowsUs: true });
    });
    expect(explanation.verdict).toBe('never_reported');
  });

  test('stopped by a person', async () => {
    const explanation = await explain(({ script }) => {
      const stop = { action: 'marked_failed', atMs: 1, isOurs: false, owner: 'ann', taskId: null } as const;
      script.auditTrail = async () => ({ type: 'found', entries: [stop], isComplete: true, knowsUs: true });
    });
    expect(explanation).toMatchObject({ verdict: 'not_retried_by_policy' });
    expect(explanation.summary).toContain('ann has set the run');
  });

  test.each([
    ['not_failed', { ...FAILED, state: 'running' }, [], 'Airflow shows the run running since'],
    ['not_failed', { ...FAILED, state: 'success' }, [], 'The run has succeeded.'],
    [
      'recovered',
      { ...FAILED, state: 'success' },
      [entry({ type: 'recovered', reason: 'run_succeeded' })],
      'on attempt 3, after 2 retries',
    ],
    ['ended', FAILED, [entry({})], 'retries were given up (max_retries_reached)'],
    ['ended', { type: 'missing' }, [entry({ type: 'ended', reason: 'run_missing' })], 'Airflow knows no such run'],
    ['ended', OUT, [entry({})], 'Airflow cannot be asked'],
    ['unknown_run', { type: 'missing' }, [], 'There is no run'],
    ['not_known', OUT, [], 'Airflow cannot be asked'],
    // It has failed again since the journal's last word, and nobody has told.
    [
      'never_reported',
      { ...FAILED, fingerprint: { ...FINGERPRINT, endedAtMs: FAILED_AT_MS + 3_600_000 } },
      [entry({})],
      'nobody has told',
    ],
  ] as const)('%s: %o', async (verdict, seen, entries, words) => {
    const explanation = await explain(({ script, store }) => {
      script.observe = async () => seen as never;
      store.journal.append(entries);
    });
    expect(explanation.verdict).toBe(verdict);
    expect(saysAll(explanation)).toContain(words);
    expect(explanation.facts.stored.events).toHaveLength(entries.length);
  });
});

describe('with something out of reach it answers all the same', () => {
  test('the store: what is kept is not known, what Airflow shows is', async () => {
    const explanation = await explain(({ store }) => {
      store.outage = new DagainError('store_unavailable', 'out');
    });
    expect(explanation.verdict).toBe('not_known');
    expect(explanation.facts.stored.status).toBe('unavailable');
    expect(saysAll(explanation)).toContain('The store cannot be reached');
    expect(saysAll(explanation)).toContain('Airflow shows the run failed at');
  });

  test('the store, but the run has succeeded', async () => {
    const explanation = await explain(({ store, script }) => {
      store.outage = new DagainError('store_unavailable', 'out');
      script.observe = async () => ({ ...FAILED, state: 'success' });
    });
    expect(explanation.verdict).toBe('not_failed');
    expect(saysAll(explanation)).toContain('The store cannot be reached');
    expect(saysAll(explanation)).not.toContain('Nothing is kept');
  });

  test('the policy', async () => {
    const explanation = await explain(({ policies, script }) => {
      void policies;
      Object.defineProperty(script, 'explained', {
        get: () => {
          throw new Error('the policy is out');
        },
      });
    });
    expect(explanation.verdict).toBe('not_known');
    expect(saysAll(explanation)).toContain('the policy is not known');
    expect(explanation.facts.policy).toBeNull();
  });

  test('all of it', async () => {
    const explanation = await explain(({ store, script }) => {
      store.outage = new DagainError('store_unavailable', 'out');
      script.observe = async () => OUT;
      script.auditTrail = async () => OUT;
    });
    expect(explanation.verdict).toBe('not_known');
    expect(saysAll(explanation)).toContain('The store cannot be reached');
    expect(saysAll(explanation)).toContain('Airflow cannot be asked');
  });
});

describe('what comes from outside', () => {
  test('is quoted in commands that people copy', () => {
    expect(shellWord('scheduled__2026-01-01T00:00:00+00:00')).toBe('scheduled__2026-01-01T00:00:00+00:00');
    expect(shellWord('a b')).toBe("'a b'");
    expect(shellWord("$(reboot)';`x`")).toBe("'$(reboot)'\\'';`x`'");
  });

  test('tears no sentence apart', async () => {
    const message = 'first\r\n\u001b[2Jsecond\u2028third';
    const explanation = await explain(({ store }) => {
      store.put(waitingRecord({ failures: [{ ...FAILURE, exceptionType: null, message }] }));
    });
    expect(saysAll(explanation)).toContain('first [2Jsecond third');
    expect(explanation.because.join('')).not.toMatch(/[\p{Cc}\p{Zl}]/u);
  });
});

test.each(REFUSALS)('every refusal has its sentence: %s', (reason) => {
  const explained = { ...resolvePolicy([], {}, []), ...TAGGED };
  const refused = { reason, failureClass: 'infra', failures: [FAILURE], firstFailedAtMs: FAILED_AT_MS } as const;
  const words = refusalWords(explained, { ...refused, retriesUsed: 2, granted: 0 });
  expect(words).toMatch(/^[A-Z].*\(.*\).*\.$/);
  expect(words).not.toMatch(/undefined|null|NaN/);
});
