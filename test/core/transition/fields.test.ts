import { describe, expect, test } from 'vitest';
import type { HistoryEntry } from '../../../src/core/record.ts';
import { describeFailures, withHistory } from '../../../src/core/transition/fields.ts';
import { FAILURE } from '../../support/records.ts';

const entry = (attempt: number): HistoryEntry => ({ atMs: attempt, type: 'failed', attempt, reason: 'settled' });

describe('the timeline', () => {
  test('keeps all of sixty lines; of more, how it began and what was last', () => {
    let history: readonly HistoryEntry[] = [];
    for (let attempt = 1; attempt <= 100; attempt += 1) {
      history = withHistory(history, entry(attempt));
      expect(history).toHaveLength(Math.min(attempt, 60));
    }
    const numbers = history.map(({ attempt }) => attempt);
    const [first, last] = [numbers.slice(0, 10), numbers.slice(10)];
    expect(first).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(last).toEqual(Array.from({ length: 50 }, (_, index) => 51 + index));
  });
});

describe('what failed, in one line', () => {
  test.each([
    [[], 'no failure was reported'],
    [[FAILURE], 'task load: ValueError'],
    [[FAILURE, FAILURE], 'task load: ValueError and 1 more'],
    [[{ ...FAILURE, exceptionType: null }], 'task load: no rows'],
    [[{ ...FAILURE, exceptionType: null, message: null }], 'task load: task_error'],
    [[{ ...FAILURE, taskId: null }], 'the run: ValueError'],
  ])('%j', (failures, line) => {
    expect(describeFailures(failures)).toBe(line);
  });

  test('is cut', () => {
    expect(describeFailures([{ ...FAILURE, exceptionType: 'x'.repeat(1_000) }])).toHaveLength(300);
  });
});
