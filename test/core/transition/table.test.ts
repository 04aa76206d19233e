import { describe, expect, test } from 'vitest';
import { DECISIONS, REASONS } from '../../../src/core/reason.ts';
import { RunRecord } from '../../../src/core/record.ts';
import { transition } from '../../../src/core/transition.ts';
import { RUN } from '../../support/records.ts';
import { rulesWith } from '../policies.ts';
import { ANSWER_CELLS } from './answer-cells.ts';
import { EVENTS, NOW_MS, RECORDS, summarise } from './cells.ts';
import { FAILURE_CELLS } from './failure-cells.ts';
import { OBSERVED_CELLS } from './observed-cells.ts';
import { OPERATION_CELLS } from './operation-cells.ts';

const CELLS = { ...FAILURE_CELLS, ...OBSERVED_CELLS, ...ANSWER_CELLS, ...OPERATION_CELLS };

test('the tables name every event once', () => {
  expect(Object.keys(CELLS).toSorted()).toEqual(Object.keys(EVENTS).toSorted());
});

describe.each(Object.entries(EVENTS))('%s', (name, event) => {
  test.each(Object.entries(RECORDS))('on %s', (phase, record) => {
    const after = transition(RUN, record, event, rulesWith(), NOW_MS);
    expect(summarise(record, after)).toBe(CELLS[name]?.[phase as keyof typeof RECORDS]);
    if (after.next !== null) expect(RunRecord.parse(after.next)).toEqual(after.next);
    expect(DECISIONS).toContain(after.decision);
    expect(REASONS).toContain(after.reason);
  });
});

/** What still happens to a run that a person holds: answers to what was sent already, and what is learned from callbacks. */
const MOVES_WHILE_HELD: Readonly<Record<string, readonly string[]>> = {
  'another failure, without evidence': ['confirming', 'waiting', 'clearing', 'watching', 'giving_up', 'gave_up'],
  'another failure of the attempt that the record is about': ['confirming', 'waiting', 'clearing'],
  'another failure, of an attempt that started later': [
    'confirming',
    'waiting',
    'clearing',
    'watching',
    'giving_up',
    'gave_up',
  ],
  'a failure that is never retried': ['confirming', 'waiting', 'clearing', 'watching', 'giving_up', 'gave_up'],
  'clear accepted': ['clearing'],
  'clear accepted, the run is queued': ['clearing'],
  'clear accepted, the run failed as before': ['clearing'],
  'clear: no such run': ['clearing'],
  'clear refused': ['clearing'],
  'clear not applied': ['clearing'],
  'alert accepted': ['confirming', 'waiting', 'clearing', 'watching', 'giving_up'],
  'alert to be sent again': ['confirming', 'waiting', 'clearing', 'watching', 'giving_up'],
  'alert abandoned': ['confirming', 'waiting', 'clearing', 'watching', 'giving_up'],
};

/** Of a person's operations a hold allows all but starting a retry; see operated.test.ts. */
const WITHOUT_OPERATIONS = Object.entries(EVENTS).filter(([, event]) => event.type !== 'operated');

describe.each(WITHOUT_OPERATIONS)('while a person holds the run: %s', (name, event) => {
  test.each(Object.entries(RECORDS))('on %s', (phase, record) => {
    if (record === null) return;
    const held = { ...record, held: { actor: 'anna', comment: 'wait', atMs: NOW_MS } };
    const { next, command } = transition(RUN, held, event, rulesWith(), NOW_MS);
    expect(command).toBeNull();
    expect(next === held).toBe(!(MOVES_WHILE_HELD[name] ?? []).includes(phase));
    if (next !== null) expect(next.held).toEqual(held.held);
  });
});
