import { expect, test } from 'vitest';
import { bulkFilterOf } from '../../src/console/browser/runs/filter.ts';

test('a bulk action means what the list shows', () => {
  const served = { phase: 'waiting,gave_up', held: 'false', dag_id: 'etl_*' };
  expect(bulkFilterOf(served, 'pause')).toEqual({ phase: ['waiting', 'gave_up'], held: false, dag_id: 'etl_*' });
  expect(bulkFilterOf({}, 'cancel')).toEqual({});
});

test.each([
  [undefined, ['giving_up', 'gave_up']],
  ['gave_up', ['gave_up']],
  ['waiting,gave_up,giving_up', ['giving_up', 'gave_up']],
  ['waiting,watching', ['waiting', 'watching']],
])('retries are granted to given-up runs only: of %s to %j', (phase, expected) => {
  const served = phase === undefined ? {} : { phase };
  expect(bulkFilterOf(served, 'grant')).toEqual({ phase: expected });
});
