import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Rules } from '../../../src/core/rules.ts';
import { rulesWith } from '../policies.ts';
import { type ClearFate, createHistory, type History, type Loss } from './history.ts';
import type { RunSettings } from './simulated-run.ts';

/** One thing that happens; `pick` chooses among what there is to choose from. */
type Happening = (history: History, pick: number) => void;

const FATES: readonly ClearFate[] = [
  'accepted',
  'accepted',
  'applied, answer lost',
  'applied late, answer lost',
  'lost',
  'refused for now',
];
const LOSSES: readonly Loss[] = ['unreadable', 'missing', 'emptied', 'emptied, and the log cleaned', 'set back'];
const choose = <T>(from: readonly T[], pick: number): T | undefined => from[pick % from.length];

const HAPPENINGS: Readonly<Record<string, Happening>> = {
  'a task fails': ({ run, callbacks, nowMs }, pick) => {
    if (run.state === 'running') callbacks.push(run.callback(`task${pick % 3}`, nowMs));
  },
  'the run starts': ({ run, nowMs }) => {
    if (run.state === 'queued') run.start(nowMs);
  },
  'the run fails': ({ run, callbacks, nowMs }, pick) => {
    if (run.state !== 'running') return;
    run.finish('failed', nowMs);
    if (pick % 2 === 0) callbacks.push(run.callback(null, nowMs));
  },
  'the run succeeds': ({ run, nowMs }, pick) => {
    if (run.state === 'running' && pick % 3 === 0) run.finish('success', nowMs);
  },
  'its end moves': ({ run, nowMs }) => run.moveEnd(nowMs),
  'a callback arrives': (history, pick) => {
    const callback = choose(history.callbacks, pick);
    if (callback !== undefined) history.deliver(callback);
  },
  'the latest callback arrives': (history) => {
    const callback = history.callbacks.at(-1);
    if (callback !== undefined) history.deliver(callback);
  },
  'success is reported': (history) => history.success(),
  'the record is looked at': (history, pick) => history.look(pick % 7 === 0, choose(FATES, pick) ?? 'accepted'),
  'time passes': (history, pick) => history.pass([1_000, 7_000, 20_000, 46_000, 61_000][pick % 5] ?? 0),
  'alerts are answered': (history, pick) => history.answerAlerts(pick % 3 !== 0),
  'a person restarts the run': (history, pick) => {
    if (pick % 3 === 0) history.restartByPerson();
  },
  'the run is deleted': ({ run }, pick) => {
    if (pick % 40 === 0) run.delete();
  },
  'a person holds the run': (history, pick) => {
    if (pick % 4 === 0) history.hold();
  },
  'a person resumes it': (history) => history.resume(),
  'a snapshot of the store is taken': (history) => history.keep(),
  'state is lost': (history, pick) => {
    if (pick % 10 === 0) history.lose(choose(LOSSES, pick / 10) ?? 'missing');
  },
};

const happenings = fc.array(
  fc.tuple(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...Object.keys(HAPPENINGS)) },
      // The way things usually go, so that histories get past the first attempt.
      fc.constantFrom('a task fails', 'the run fails', 'the latest callback arrives', 'the run starts'),
      { weight: 2, arbitrary: fc.constantFrom('the record is looked at', 'time passes') },
    ),
    fc.nat(1_000),
  ),
  { minLength: 1, maxLength: 120, size: 'max' },
);

const settings: fc.Arbitrary<RunSettings> = fc.record({
  version: fc.constantFrom(2, 3),
  evidence: fc.constantFrom('all', 'all', 'start', 'number', 'try number only', 'none'),
  hasAuditLog: fc.constantFrom(true, true, true, false),
});
const rules: fc.Arbitrary<Rules> = fc
  .record({
    maxRetries: fc.integer({ min: 1, max: 3 }),
    delayMs: fc.constantFrom(0, 30_000),
    alerts: fc.constantFrom('final', 'every_attempt', 'first_failure'),
  })
  .map((policy) => rulesWith({ ...policy, backoff: 'none', maxDurationMs: 10 ** 9 }));

/** Lets everything come to its end: every attempt fails and says so, every look and alert works, nobody interferes. */
function settleDown(history: History): void {
  history.resume();
  if (history.run.state === 'failed') history.deliver(history.run.callback(null, history.nowMs));
  for (let round = 0; round < 150; round += 1) {
    const { run } = history;
    if (run.state === 'queued') run.start(history.nowMs);
    history.pass(1);
    if (run.state === 'running') {
      run.finish('failed', history.nowMs);
      history.deliver(run.callback(null, history.nowMs));
    }
    history.look(false, 'accepted');
    history.answerAlerts(true);
    history.pass(30_000);
  }
}

/** A person restarts what has failed, it succeeds, and no callback tells of it. */
function recoverUnreported(history: History): void {
  const { run } = history;
  if (run.state === 'deleted') return;
  history.restartByPerson();
  history.pass(1);
  run.start(history.nowMs);
  run.finish('success', history.nowMs + 1);
  for (let round = 0; round < 5; round += 1) {
    history.pass(31 * 60_000);
    history.look(false, 'accepted');
    history.answerAlerts(true);
  }
}

describe('any history of one run', () => {
  test('keeps the invariants, and ends with the run retried, succeeded or given up', () => {
    const reached = new Map<string, number>();
    fc.assert(
      fc.property(settings, rules, happenings, (how, policy, steps) => {
        const history = createHistory(how, policy);
        for (const [name, pick] of steps) {
          HAPPENINGS[name]?.(history, pick);
          // Two attempts never start in the same millisecond.
          history.pass(1);
        }
        settleDown(history);
        const { record, run } = history;
        if (run.state === 'failed') expect(record).not.toBeNull();
        if (record !== null) expect(record).toMatchObject({ phase: 'gave_up', outbox: [] });
        for (const { type, reason } of record?.history ?? []) reached.set(`${type} ${reason}`, 1);
        if (record === null && run.state !== 'deleted') expect(history.openIncidents()).toEqual([]);
        if (history.openIncidents().length > 0) reached.set('somebody was told', 1);
        recoverUnreported(history);
        if (run.state !== 'deleted') expect([history.record, history.openIncidents()]).toEqual([null, []]);
      }),
      { numRuns: 600 },
    );
    // The histories are not all short ones that go nowhere.
    expect([...reached.keys()]).toEqual(
      expect.arrayContaining([
        'attempt_started clear_accepted',
        'attempt_started clear_confirmed_by_read',
        'attempt_started restarted_by_person',
        'gave_up max_retries_reached',
        'gave_up state_lost',
        'somebody was told',
      ]),
    );
  });
});
