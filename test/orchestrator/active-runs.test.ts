import { HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import { useNetwork } from '../support/network.ts';
import { htmlPage, olderRunJson, on, open, runJson, type Sent, versionHandlers } from './fixtures.ts';

const network = useNetwork();

async function ask(version: string, reply: () => Response, dagIds: readonly string[] = ['etl'], skip = 0) {
  const sent: Sent[] = [];
  const api = version.startsWith('2.') ? 'v1' : 'v2';
  network.use(...versionHandlers(version), on('POST', `/api/${api}/dags/~/dagRuns/list`, sent, reply));
  const airflow = open();
  const answer = await airflow.activeRuns(dagIds, skip);
  await airflow.close();
  return { answer, sent };
}

test.each([
  ['3.3.2', 'v2', runJson],
  ['2.11.2', 'v1', olderRunJson],
])('queued and running runs are read from Airflow %s', async (version, api, json) => {
  const dag_runs = [json({ state: 'running' }), json({ dag_run_id: 'b', state: 'queued', start_date: null })];
  const { answer, sent } = await ask(version, () => HttpResponse.json({ dag_runs, total_entries: 207 }), ['etl'], 200);
  expect(answer).toMatchObject({ type: 'found', rows: 2, total: 207 });
  expect(answer).toHaveProperty('runs.1', expect.objectContaining({ key: { dagId: 'etl', dagRunId: 'b' } }));
  expect(sent).toMatchObject([
    {
      path: `/api/${api}/dags/~/dagRuns/list`,
      body: { dag_ids: ['etl'], states: ['queued', 'running'], page_limit: 100, page_offset: 200 },
    },
  ]);
});

test('what was not asked for counts as not there, whatever filters went unheard', async () => {
  const dag_runs = [
    runJson({ state: 'failed' }),
    runJson({ state: 'success' }),
    runJson({ state: 'restarting' }),
    runJson({ state: 'running', dag_id: 'other' }),
    { state: 'running' },
  ];
  const { answer } = await ask('3.3.2', () => HttpResponse.json({ dag_runs, total_entries: 5 }));
  expect(answer).toEqual({ type: 'found', runs: [], rows: 5, total: 5 });
});

test('without Dags nothing is asked: to Airflow that would mean all', async () => {
  const { answer, sent } = await ask('3.3.2', () => htmlPage(500), []);
  expect([answer, sent]).toEqual([{ type: 'found', runs: [], rows: 0, total: 0 }, []]);
});

test.each([
  ['a page', () => htmlPage(200), 'unexpected_answer'],
  ['no total', () => HttpResponse.json({ dag_runs: [] }), 'unexpected_answer'],
  ['a refusal', () => HttpResponse.json({ detail: 'Forbidden' }, { status: 403 }), 'forbidden'],
  ['a failure', () => htmlPage(503), 'server_error'],
])('%s is no list', async (_name, reply, reason) => {
  expect((await ask('3.3.2', reply)).answer).toMatchObject({ type: 'unavailable', reason });
});
