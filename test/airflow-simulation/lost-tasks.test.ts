import { expect, test } from 'vitest';
import { type Behaviour, killed, lost } from '../support/airflow/model/dag-definition.ts';
import { createScenario, KEY } from './scenario.ts';

test.each<[string, '2.11' | '3.3', Behaviour, boolean]>([
  ['a lost worker of Airflow 3', '3.3', lost(), true],
  ['a lost worker of Airflow 2', '2.11', lost(), true],
  ['a killed task of Airflow 2', '2.11', killed(), true],
  // Its supervisor lives, sees the process end, and reports a failure.
  ['a killed task of Airflow 3', '3.3', killed(), false],
])('%s: whether the scheduler notes it in the audit log', async (_name, version, behaviour, isNoted) => {
  const dags = [{ dagId: 'etl', tasks: [{ taskId: 'load', script: [behaviour] as const }] }];
  const { model, timers } = createScenario({ version, dags });
  model.trigger(KEY);
  await timers.advanceUntilIdle();
  expect(model.stateOf(KEY)).toBe('failed');
  const notes = model.audit.entries().filter(({ event }) => event === 'heartbeat timeout');
  const note = { ...KEY, taskId: 'load', tryNumber: 1, owner: null };
  expect(notes).toEqual(isNoted ? [expect.objectContaining(note)] : []);
});
