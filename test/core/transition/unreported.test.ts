import { describe, expect, test } from 'vitest';
import type { Observed, RunEvent, SeenTask } from '../../../src/core/event.ts';
import type { RetryPolicy } from '../../../src/core/policy.ts';
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
import { failed, NEXT_ATTEMPT, seen, seenRun } from './events.ts';

const NOW_MS = FAILED_AT_MS + 130_000;
const decide = (record: RunRecord | null, event: RunEvent, policy: Partial<RetryPolicy> = {}, nowMs = NOW_MS) =>
  transition(RUN, record, event, rulesWith(policy), nowMs);

/** What a Dag-level callback tells: that the run has failed, and of no task. */
const RUN_FAILED = { id: 'run:1', taskId: null, tryNumber: null, operator: null, exceptionType: null } as const;
const ONLY_RUN = [{ ...FAILURE, ...RUN_FAILED }];

function task(taskId: string, fields: Partial<SeenTask> = {}): SeenTask {
  return { taskId, mapIndex: -1, tryNumber: 1, operator: 'PythonOperator', ...fields };
}

function seenFailed(tasks: readonly SeenTask[], fingerprint = FINGERPRINT): Observed {
  return { ...seen('failed', fingerprint), failedTasks: tasks };
}

describe('a run of which only the failure as a whole was reported', () => {
  const confirm = (tasks: readonly SeenTask[], policy: Partial<RetryPolicy>) =>
    decide(confirmingRecord({ failures: ONLY_RUN }), seenFailed(tasks), policy);

  test.each([
    ['only_tasks', { onlyTasks: ['publish_*'] }, [task('load')], 'task_not_selected'],
    ['ignore_tasks', { ignoreTasks: ['lo*'] }, [task('load')], 'task_ignored'],
    [
      'ignore_operators',
      { ignoreOperators: ['Branch*'] },
      [task('load', { operator: 'BranchPythonOperator' })],
      'operator_ignored',
    ],
    ['all of several', { ignoreTasks: ['a', 'b'] }, [task('a'), task('b')], 'task_ignored'],
    [
      'every instance of a mapped task',
      { ignoreTasks: ['a'] },
      [0, 1].map((n) => task('a', { mapIndex: n })),
      'task_ignored',
    ],
  ] as const)('is not retried where %s leaves out what failed', (_name, policy, tasks, reason) => {
    const after = confirm(tasks, policy);
    expect(after).toMatchObject({ command: null, reason });
    // The run-level failure alone would be retried, so that its next delivery must find a tombstone.
    expect(after.next).toMatchObject({ phase: 'giving_up', reason, retriesUsed: 0 });
    expect(decide(after.next, failed({ ...RUN_FAILED }), policy).next?.phase).toBe('giving_up');
  });

  test.each([
    ['only_tasks', { onlyTasks: ['publish_*'] }, [task('load'), task('publish_a')]],
    ['ignore_tasks', { ignoreTasks: ['load'] }, [task('load'), task('publish_a')]],
    ['ignore_operators', { ignoreOperators: ['Branch*'] }, [task('load', { operator: null })]],
    ['no filter', {}, [task('load')]],
  ])('is retried where %s leaves something', (_name, policy, tasks) => {
    expect(confirm(tasks, policy).next).toMatchObject({ phase: 'waiting', failureClass: 'task_error' });
  });

  test('names the tasks beside it, with the class that the run was reported with', () => {
    const record = confirmingRecord({ failures: [{ ...FAILURE, ...RUN_FAILED, failureClass: 'timeout' }] });
    const after = decide(record, seenFailed([task('load', { mapIndex: 2, tryNumber: 3 })])).next;
    expect(after?.failures).toMatchObject([
      { taskId: null, failureClass: 'timeout' },
      {
        taskId: 'load',
        mapIndex: 2,
        tryNumber: 3,
        operator: 'PythonOperator',
        failureClass: 'timeout',
        refused: false,
      },
    ]);
    expect(after).toMatchObject({ phase: 'waiting', failureClass: 'timeout' });
  });

  test('that shows no failed task (a dagrun_timeout) is retried under filters too', () => {
    expect(confirm([], { onlyTasks: ['publish_*'] }).next).toMatchObject({ phase: 'waiting', failures: ONLY_RUN });
  });

  test('learns nothing while it has not failed', () => {
    const running: Observed = { type: 'observed', observation: seenRun('running'), failedTasks: [task('load')] };
    const after = decide(confirmingRecord({ failures: ONLY_RUN }), running);
    expect(after.next).toMatchObject({ phase: 'confirming', failures: ONLY_RUN });
  });
});

describe('an attempt that failed without any callback: its workers were killed', () => {
  test('names the tasks that failed, as infra', () => {
    const tasks = [task('load'), task('shard', { mapIndex: 7, tryNumber: null, operator: null })];
    const after = decide(watchingRecord(), seenFailed(tasks, NEXT_ATTEMPT)).next;
    const about = {
      message: 'failed without a callback',
      failureClass: 'infra',
      failedAtMs: NEXT_ATTEMPT.endedAtMs,
      exceptionType: null,
      logUrl: null,
      refused: false,
    };
    expect(after).toMatchObject({ phase: 'waiting', attempt: 2, failureClass: 'infra' });
    expect(after?.failures).toEqual([
      { ...about, id: 'task:load|-1|1', taskId: 'load', mapIndex: -1, tryNumber: 1, operator: 'PythonOperator' },
      { ...about, id: 'task:shard|7|0', taskId: 'shard', mapIndex: 7, tryNumber: null, operator: null },
    ]);
    expect(after?.history.at(-1)).toMatchObject({
      type: 'failed',
      detail: 'task load: failed without a callback and 1 more',
    });
  });

  test('is one unknown failure where nobody can say which', () => {
    const after = decide(watchingRecord(), seenFailed([], NEXT_ATTEMPT)).next;
    expect(after?.failures).toMatchObject([{ id: `unreported:${NEXT_ATTEMPT.startedAtMs}`, taskId: null }]);
  });

  test('obeys the filters', () => {
    const look = (policy: Partial<RetryPolicy>) =>
      decide(watchingRecord(), seenFailed([task('load')], NEXT_ATTEMPT), policy).next;
    expect(look({ onlyTasks: ['publish'] })).toMatchObject({ phase: 'giving_up', reason: 'task_not_selected' });
    expect(look({ onlyTasks: ['load'] })).toMatchObject({ phase: 'waiting' });
    expect(look({ retryOn: ['task_error'] })).toMatchObject({ phase: 'giving_up', reason: 'class_not_retried' });
    expect(look({ maxRetries: 1, maxRetriesByClass: { infra: 5 } })).toMatchObject({ phase: 'waiting', maxRetries: 6 });
  });

  test('that a person started is named too', () => {
    const after = decide(waitingRecord(), seenFailed([task('load')], NEXT_ATTEMPT)).next;
    expect(after).toMatchObject({ phase: 'waiting', attempt: 2, retriesUsed: 0 });
    expect(after?.failures).toMatchObject([{ taskId: 'load', failureClass: 'infra' }]);
    const revived = decide(gaveUpRecord(), seenFailed([task('load')], NEXT_ATTEMPT)).next;
    expect(revived).toMatchObject({ phase: 'waiting', attempt: 2, failures: [{ taskId: 'load' }] });
  });
});

describe('a callback that comes late', () => {
  const named = decide(watchingRecord(), seenFailed([task('load', { tryNumber: 2 })], NEXT_ATTEMPT)).next as RunRecord;

  test('for a task that was found out already, without an instance id, says why it failed', () => {
    // The id that http gives to a task of Airflow 2.
    const late = failed({ id: 'task:load|-1|2', taskId: 'load', tryNumber: 2 });
    const after = decide(named, late);
    expect(after).toMatchObject({ decision: 'already_scheduled', reason: 'same_attempt' });
    expect(after.next?.failures).toEqual([late.failure]);
    expect(decide(after.next, late).next).toBe(after.next);
  });

  test('for another task is added', () => {
    const after = decide(named, failed({ id: 'task:other|-1|2', taskId: 'other', tryNumber: 2 })).next;
    expect(after?.failures.map(({ taskId }) => taskId)).toEqual(['load', 'other']);
  });

  test('still forbids the retry', () => {
    const late = failed({ id: 'ti:1', taskId: 'load', tryNumber: 2, refused: true });
    expect(decide(named, late)).toMatchObject({ decision: 'not_retryable', next: { phase: 'giving_up' } });
  });

  test('for a task that was found out already, with an instance id, is not named twice', () => {
    const after = decide(named, failed({ id: 'ti:01998a52', taskId: 'load', mapIndex: -1, tryNumber: 2 })).next;
    expect(after?.failures.map(({ taskId }) => taskId)).toEqual(['load']);
  });

  test('for the attempt that was cleared meanwhile starts nothing', () => {
    const waiting = named.phase === 'waiting' ? { ...named, dueAtMs: NOW_MS, retryAtMs: NOW_MS } : named;
    const cleared = decide(waiting, seenFailed([], NEXT_ATTEMPT));
    expect(cleared.command).toBe('send_clear');
    const accepted: RunEvent = { type: 'clear_answered', clear: 2, outcome: { type: 'accepted', run: null } };
    const watching = decide(cleared.next, accepted).next;
    expect(watching).toMatchObject({
      phase: 'watching',
      attempt: 3,
      earlierFailureIds: expect.arrayContaining(['task:load|-1|2']),
    });
    const late = failed({ id: 'task:load|-1|2', taskId: 'load', tryNumber: 2 });
    expect(decide(watching, late)).toMatchObject({ decision: 'stale', reason: 'earlier_attempt', next: watching });
  });
});

describe('tasks that are found out and were reported as well', () => {
  test('are not named twice', () => {
    const reported = [
      { ...FAILURE, ...RUN_FAILED },
      { ...FAILURE, id: 'ti:1', taskId: 'load', mapIndex: null },
      { ...FAILURE, id: 'ti:2', taskId: 'shard', mapIndex: 1 },
    ];
    const tasks = [task('load'), task('shard', { mapIndex: 1 }), task('shard', { mapIndex: 2 })];
    const after = decide(confirmingRecord({ failures: reported }), seenFailed(tasks)).next;
    expect(after?.failures.map(({ taskId, mapIndex }) => [taskId, mapIndex])).toEqual([
      [null, null],
      ['load', null],
      ['shard', 1],
      ['shard', 2],
    ]);
  });

  test('of which there are many are kept up to twenty', () => {
    const tasks = Array.from({ length: 100 }, (_, index) => task(`t${index}`));
    expect(decide(confirmingRecord({ failures: ONLY_RUN }), seenFailed(tasks)).next?.failures).toHaveLength(20);
    expect(decide(watchingRecord(), seenFailed(tasks, NEXT_ATTEMPT)).next?.failures).toHaveLength(20);
  });

  test('of which there are many count by the one that is selected', () => {
    const tasks = [...Array.from({ length: 25 }, (_, index) => task(`t${index}`)), task('publish')];
    const policy = { onlyTasks: ['publish'] };
    expect(decide(confirmingRecord({ failures: ONLY_RUN }), seenFailed(tasks), policy).next?.phase).toBe('waiting');
  });
});

describe('an attempt of which no callback tells', () => {
  test.each([
    ['infra', 'callbacks have told of an earlier one', ['ti:1']],
    ['infra', 'nothing is known of an earlier one', []],
    ['task_error', 'an earlier one was found by searching: the Dag has no callbacks', ['found:1', 'task:load|-1|1']],
    ['infra', 'an earlier one was found by searching, and a callback came all the same', ['found:1', 'ti:1']],
    ['infra', "an earlier one was found by searching, and the Dag's own callback came", ['found:1', 'run:1']],
  ])('has failed through %s where %s', (failureClass, _where, earlierFailureIds) => {
    const { next } = decide(watchingRecord({ earlierFailureIds }), seenFailed([task('load')], NEXT_ATTEMPT));
    expect(next?.failures.map((failure) => failure.failureClass)).toEqual([failureClass]);
  });
});
