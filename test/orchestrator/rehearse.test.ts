import { HttpResponse } from 'msw';
import { expect, test } from 'vitest';
import type { ClearRequest } from '../../src/orchestrator/port.ts';
import { useNetwork } from '../support/network.ts';
import { htmlPage, KEY, NO_RUN, OLDER_NO_RUN_TO_CLEAR, on, open, type Sent, versionHandlers } from './fixtures.ts';

const network = useNetwork();
const WHOLE: ClearRequest = { mode: 'all_tasks', runOnLatestVersion: false };
const FAILED: ClearRequest = { mode: 'from_failure', runOnLatestVersion: false };

async function rehearse(version: string, request: ClearRequest, reply: () => Response) {
  const sent: Sent[] = [];
  const dag = `/api/${version.startsWith('2.') ? 'v1' : 'v2'}/dags/:dag`;
  network.use(
    ...versionHandlers(version),
    on('POST', `${dag}/dagRuns/:run/clear`, sent, reply),
    on('POST', `${dag}/clearTaskInstances`, sent, reply),
  );
  const airflow = open();
  const outcome = await airflow.rehearse(KEY, request);
  await airflow.close();
  return { outcome, sent };
}

const tasks = (fields: object) => () => HttpResponse.json({ task_instances: [{ task_id: 'a' }], ...fields });

test.each([
  ['3.3.2', WHOLE, { dry_run: true }],
  ['3.3.2', FAILED, { dry_run: true, only_failed: true }],
  ['2.11.2', WHOLE, { dry_run: true }],
  ['2.11.2', FAILED, { dry_run: true, dag_run_id: KEY.dagRunId, only_failed: true, reset_dag_runs: true }],
])('on %s %o is sent as a dry run', async (version, request, body) => {
  const { outcome, sent } = await rehearse(version, request, tasks({}));
  expect(sent.map((one) => one.body)).toEqual([body]);
  expect(outcome).toEqual({ type: 'rehearsed', tasks: 1 });
});

test('all tasks are counted, also those on other pages', async () => {
  const { outcome } = await rehearse('3.3.2', WHOLE, tasks({ total_entries: 250 }));
  expect(outcome).toEqual({ type: 'rehearsed', tasks: 250 });
});

test.each([
  ['3.3.2', () => HttpResponse.json(NO_RUN, { status: 404 }), { type: 'missing' }],
  ['2.11.2', () => HttpResponse.json(OLDER_NO_RUN_TO_CLEAR, { status: 404 }), { type: 'missing' }],
  ['3.3.2', () => HttpResponse.json({ detail: 'no' }, { status: 422 }), { type: 'refused' }],
  ['3.3.2', () => HttpResponse.json({ detail: 'no' }, { status: 403 }), { type: 'not_applied', reason: 'forbidden' }],
  ['3.3.2', () => htmlPage(502), { type: 'not_applied', reason: 'server_error' }],
  ['3.3.2', () => htmlPage(200), { type: 'not_applied', reason: 'unexpected_answer' }],
  ['3.3.2', () => HttpResponse.error(), { type: 'not_applied', reason: 'unreachable' }],
])('on %s nothing is ever in doubt, since nothing is done', async (version, reply, expected) => {
  expect((await rehearse(version, WHOLE, reply)).outcome).toMatchObject(expected);
});
