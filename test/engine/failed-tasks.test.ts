import { describe, expect, test } from 'vitest';
import type { RetryPolicy } from '../../src/core/policy.ts';
import type { RunRecord } from '../../src/core/record.ts';
import type { PolicySource } from '../../src/engine/policy-source.ts';
import { createStepper } from '../../src/engine/steps.ts';
import { createSwapLoop } from '../../src/engine/swap-loop.ts';
import type { Telemetry } from '../../src/engine/telemetry.ts';
import type { FailedTasks, FoundRun, Orchestrator, RunObservation } from '../../src/orchestrator/port.ts';
import type { RunStore, Versioned } from '../../src/store/port.ts';
import { rulesWith } from '../core/policies.ts';
import { AGREES, NEXT_ATTEMPT } from '../core/transition/events.ts';
import { createFakeLog } from '../http/serve.ts';
import {
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  FINGERPRINT,
  gaveUpRecord,
  RUN,
  waitingRecord,
  watchingRecord,
} from '../support/records.ts';
import { createVirtualTimers } from '../support/timers.ts';

const ONLY_RUN = [{ ...FAILURE, id: 'run:1', taskId: null, tryNumber: null, operator: null, exceptionType: null }];
const OUTAGE = { type: 'unavailable', reason: 'server_error', detail: 'because', retryAfterMs: null } as const;
const FILTER = { onlyTasks: ['publish'] };
const PUBLISH = { ...FAILURE, taskId: 'publish' };

function seen(state: FoundRun['state'], fingerprint = FINGERPRINT): FoundRun {
  return { type: 'found', state, fingerprint, runType: null };
}

function foundTasks(...taskIds: string[]): FailedTasks {
  return { type: 'found', tasks: taskIds.map((taskId) => ({ taskId, mapIndex: -1, tryNumber: 1, operator: null })) };
}

const silent: Telemetry = {
  reported() {},
  stepped() {},
  cleared() {},
  happened() {},
  operated() {},
  observed() {},
  orchestratorCalled() {},
  storeCalled() {},
  alerted() {},
  storeLost() {},
  searched() {},
  foundFailed() {},
  noted() {},
  swapConflict() {},
  workFailed() {},
  lag() {},
  policyRead() {},
};

/** Holds one record; enough for one replica. */
function storeOf(
  record: RunRecord,
): Pick<RunStore, 'load' | 'compareAndSwap'> & { current: Versioned<RunRecord> | null } {
  return {
    current: { version: 1, value: record },
    async load() {
      return this.current;
    },
    async compareAndSwap(_key, expected, next) {
      if ((this.current?.version ?? 0) !== expected) return null;
      this.current = next === null ? null : { version: expected + 1, value: next };
      return expected + 1;
    },
  };
}

/** The real stepper on one record, with an orchestrator that answers as told and notes what it is asked. */
function setUp(record: RunRecord, policy: Partial<RetryPolicy> = {}) {
  const clock = createVirtualTimers({ startMs: FAILED_AT_MS + 130_000 });
  const store = storeOf(record);
  const asked: string[] = [];
  const log = createFakeLog();
  const answers: { run: RunObservation; tasks: FailedTasks; tagsKnown: boolean } = {
    run: seen('failed'),
    tasks: foundTasks('load'),
    tagsKnown: true,
  };
  const note = <T>(what: string, answer: T): T => {
    asked.push(what);
    return answer;
  };
  const orchestrator: Orchestrator = {
    observe: async () => note('run', answers.run),
    failedTasks: async () => note('tasks', answers.tasks),
    clear: async () => note('clear', { type: 'accepted', run: null }),
    rehearse: () => Promise.reject(new Error('not in shadow mode')),
    describeDag: () => Promise.reject(new Error('tags are asked for elsewhere')),
    auditTrail: () => Promise.reject(new Error('the evidence is handed in')),
    leastClears: () => Promise.reject(new Error('not asked for here')),
    ownClears: () => Promise.reject(new Error('not asked for here')),
    stoppedTasks: () => Promise.reject(new Error('not asked for here')),
    failedRuns: () => Promise.reject(new Error('not asked for here')),
    activeRuns: () => Promise.reject(new Error('not asked for here')),
    annotate: () => Promise.reject(new Error('not asked for here')),
    health: () => Promise.reject(new Error('not asked for here')),
    linkTo: () => null,
    close: async () => {},
  };
  const policies: PolicySource = {
    rulesFor: async () => rulesWith({ delayMs: 0, backoff: 'none', ...policy }),
    refresh: async () => answers.tagsKnown,
    explain: () => Promise.reject(new Error('not asked for here')),
  };
  const unused = () => Promise.reject(new Error('one record needs this for nothing'));
  const whole = {
    ...store,
    takeDue: unused,
    list: unused,
    count: unused,
    readMark: unused,
    advanceMark: unused,
    advanceMarkFrom: unused,
    readJournal: unused,
    journalBegins: unused,
    journalHead: unused,
    readJournalAfter: unused,
    pauses: unused,
    setPause: unused,
    ping: unused,
    warnings: unused,
    close: unused,
  };
  const swapLoop = createSwapLoop({
    store: whole,
    policies,
    clock,
    random: () => 0,
    telemetry: silent,
    onDue: () => {},
  });
  const evidence = { read: async () => AGREES };
  const activeRuns = { find: async () => null };
  const stepper = createStepper({
    store: whole,
    swapLoop,
    orchestrator,
    evidence,
    activeRuns,
    policies,
    pauses: { read: async () => [] },
    clock,
    log,
    telemetry: silent,
  });
  return {
    asked,
    answers,
    log,
    record: () => whole.current?.value ?? null,
    async step() {
      asked.length = 0;
      const { current } = whole;
      if (current === null) throw new Error('there is no record to step');
      await stepper.step(RUN, current);
      return whole.current?.value ?? null;
    },
  };
}

describe('which tasks have failed is asked', () => {
  test('once, when the run has failed and no callback named a task', async () => {
    const { step, asked, answers } = setUp(confirmingRecord({ failures: ONLY_RUN }), FILTER);
    answers.run = seen('running');
    expect(await step()).toMatchObject({ phase: 'confirming' });
    expect(asked).toEqual(['run']);
    answers.run = seen('failed');
    answers.tasks = foundTasks('publish');
    expect(await step()).toMatchObject({ phase: 'waiting', failures: [{ taskId: null }, { taskId: 'publish' }] });
    expect(asked).toEqual(['run', 'tasks']);
    expect(await step()).toMatchObject({ phase: 'watching', attempt: 2 });
    expect(asked).toEqual(['run', 'clear']);
  });

  test('without filters as well, so that people are told the names', async () => {
    const { step, asked } = setUp(confirmingRecord({ failures: ONLY_RUN }));
    expect(await step()).toMatchObject({ phase: 'waiting', failures: [{ taskId: null }, { taskId: 'load' }] });
    expect(asked).toEqual(['run', 'tasks']);
  });

  test('of a watched attempt that failed without a callback', async () => {
    const { step, asked, answers } = setUp(watchingRecord());
    answers.run = seen('running', NEXT_ATTEMPT);
    await step();
    expect(asked).toEqual(['run']);
    answers.run = seen('failed', NEXT_ATTEMPT);
    expect(await step()).toMatchObject({
      phase: 'waiting',
      failures: [{ taskId: 'load', message: 'failed without a callback', failureClass: 'infra' }],
    });
    expect(asked).toEqual(['run', 'tasks']);
  });

  test('of an attempt that a person started while a retry was pending, or after a give-up', async () => {
    for (const record of [waitingRecord(), gaveUpRecord()]) {
      const { step, asked, answers } = setUp(record);
      answers.run = seen('failed', NEXT_ATTEMPT);
      expect(await step()).toMatchObject({ phase: 'waiting', attempt: 2, failures: [{ taskId: 'load' }] });
      expect(asked).toEqual(['run', 'tasks']);
    }
  });

  test.each([
    ['a task that counts was named', confirmingRecord({ failures: [PUBLISH] }), seen('failed')],
    ['the run has succeeded', confirmingRecord({ failures: ONLY_RUN }), seen('success')],
    ['the run is gone', confirmingRecord({ failures: ONLY_RUN }), { type: 'missing' }],
    ['nobody could look', confirmingRecord({ failures: ONLY_RUN }), OUTAGE],
    ['one of the watched attempt was named', watchingRecord({ failures: [PUBLISH] }), seen('failed', NEXT_ATTEMPT)],
    ['the retry is due', waitingRecord(), seen('failed')],
    ['the clear is looked into', clearingRecord(), seen('failed')],
    ['a given-up run is as it was', gaveUpRecord(), seen('failed')],
  ] as const)('not where %s', async (_name, record, run) => {
    const { step, asked, answers } = setUp(record, FILTER);
    answers.run = run;
    await step();
    expect(asked).not.toContain('tasks');
  });

  test('nothing at all where the tags could not be read', async () => {
    const { step, asked, answers } = setUp(confirmingRecord({ failures: ONLY_RUN }), FILTER);
    answers.tagsKnown = false;
    expect(await step()).toMatchObject({ phase: 'confirming' });
    expect(asked).toEqual([]);
  });
});

describe('a question that is not answered', () => {
  test.each([
    ['only_tasks', { onlyTasks: ['publish'] }],
    ['ignore_tasks', { ignoreTasks: ['load'] }],
    ['ignore_operators', { ignoreOperators: ['Branch*'] }],
  ])('decides nothing under %s, and is asked again', async (_name, policy) => {
    const { step, asked, answers, log } = setUp(confirmingRecord({ failures: ONLY_RUN }), policy);
    answers.tasks = OUTAGE;
    for (let look = 1; look <= 3; look += 1) {
      expect(await step()).toMatchObject({ phase: 'confirming', retriesUsed: 0, failures: ONLY_RUN });
      expect(asked).toEqual(['run', 'tasks']);
    }
    expect(log.lines.filter(({ message }) => message === 'failed tasks could not be read')).toHaveLength(3);
    expect(log.lines[0]?.fields).toMatchObject({ reason: 'server_error', detail: 'because' });
    answers.tasks = foundTasks('publish', 'other');
    expect(await step()).toMatchObject({ phase: 'waiting' });
  });

  test('leaves a watched attempt watched under a filter', async () => {
    const { step, answers } = setUp(watchingRecord(), FILTER);
    answers.run = seen('failed', NEXT_ATTEMPT);
    answers.tasks = OUTAGE;
    expect(await step()).toMatchObject({ phase: 'watching', attempt: 2, failures: [] });
  });

  test('leaves a pending retry pending under a filter, where a person has restarted the run', async () => {
    const { step, asked, answers } = setUp(waitingRecord(), FILTER);
    answers.run = seen('failed', NEXT_ATTEMPT);
    answers.tasks = OUTAGE;
    expect(await step()).toMatchObject({ phase: 'waiting', attempt: 1, fingerprint: FINGERPRINT });
    expect(asked).not.toContain('clear');
  });

  test('holds nothing up without filters', async () => {
    const { step, answers } = setUp(confirmingRecord({ failures: ONLY_RUN }));
    answers.tasks = OUTAGE;
    expect(await step()).toMatchObject({ phase: 'waiting', failures: ONLY_RUN });
  });

  test('of a watched attempt leaves one unknown failure without filters', async () => {
    const { step, answers } = setUp(watchingRecord());
    answers.run = seen('failed', NEXT_ATTEMPT);
    answers.tasks = OUTAGE;
    expect(await step()).toMatchObject({ phase: 'waiting', failures: [{ taskId: null, failureClass: 'infra' }] });
  });
});

test('a task that is ignored does not hide one that was killed without a callback', async () => {
  const failures = [FAILURE, ...ONLY_RUN];
  const { step, answers } = setUp(confirmingRecord({ failures }), { ignoreTasks: [FAILURE.taskId ?? ''] });
  answers.tasks = foundTasks(FAILURE.taskId ?? '', 'publish');
  expect(await step()).toMatchObject({ phase: 'waiting' });
});
