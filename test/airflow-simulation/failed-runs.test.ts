import { expect, test } from 'vitest';
import { createAirflow } from '../../src/orchestrator/airflow/airflow.ts';
import type { FailedRunsCursor } from '../../src/orchestrator/port.ts';
import { createAirflowDispatcher } from '../support/airflow/dispatcher.ts';
import { fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { createApiScenario } from './api-scenario.ts';

const FAILS = 130;
const DAGS = [
  { dagId: 'etl', tasks: [{ taskId: 'load', script: [fail({ durationMs: 1_000 })] as const }] },
  { dagId: 'well', tasks: [{ taskId: 'load', script: [succeed(1_000)] as const }] },
];

/** An Airflow of this version in which many runs have failed, and the real client of it. */
async function setUp(version: '2.11' | '3.0' | '3.3') {
  const scenario = createApiScenario({ version, dags: DAGS });
  const { model, timers } = scenario;
  const dispatcher = createAirflowDispatcher(scenario.api);
  const credentials = { type: 'password', username: 'admin', password: 'admin' } as const;
  const airflow = createAirflow({ url: 'http://airflow.test', credentials, clock: timers, dispatcher });
  for (let number = 0; number < FAILS; number += 1) {
    model.trigger({ dagId: 'etl', dagRunId: `r${number}` });
    if (number % 10 === 0) model.trigger({ dagId: 'well', dagRunId: `w${number}` });
  }
  await timers.advanceUntilIdle();
  return { ...scenario, airflow };
}

test.each(['2.11', '3.0', '3.3'] as const)('the pages of Airflow %s hold every failed run', async (version) => {
  const { airflow, model } = await setUp(version);
  const found = new Set<string>();
  let from: FailedRunsCursor | null = { endedAtMs: 0, skip: 0 };
  let pages = 0;
  while (from !== null) {
    const page = await airflow.failedRuns(from);
    if (page.type === 'unavailable') throw new Error(page.detail);
    expect(page.unreadable).toBe(0);
    for (const { key, run } of page.runs) {
      expect(run).toMatchObject({ state: 'failed', fingerprint: { endedAtMs: model.run(key)?.endedAtMs } });
      found.add(`${key.dagId}/${key.dagRunId}`);
    }
    pages += 1;
    // The first of the page is restarted while the next one is read, and leaves the list.
    const [first] = page.runs;
    if (first !== undefined) model.person('anna').clear(first.key);
    from = page.next;
  }
  expect(found.size).toBe(FAILS);
  expect(pages).toBeLessThanOrEqual(3);
});

test.each(['2.11', '3.3'] as const)('Airflow %s is not asked for what ended before', async (version) => {
  const { airflow, timers, model } = await setUp(version);
  await timers.advanceBy(60_000);
  const sinceMs = timers.nowMs();
  model.trigger({ dagId: 'etl', dagRunId: 'late' });
  await timers.advanceUntilIdle();
  const page = await airflow.failedRuns({ endedAtMs: sinceMs, skip: 0 });
  expect(page).toMatchObject({ type: 'found', runs: [{ key: { dagRunId: 'late' } }], next: null });
});
