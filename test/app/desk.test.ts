import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { BulkView } from '../../src/http/bulk.ts';
import { DagPage, PauseList } from '../../src/http/dags.ts';
import { EventPage } from '../../src/http/events.ts';
import { ExplainView } from '../../src/http/explain-view.ts';
import { RunSummaryPage } from '../../src/http/runs.ts';
import { StatsView } from '../../src/http/stats.ts';
import { StatusView } from '../../src/http/status.ts';
import { fail } from '../support/airflow/model/dag-definition.ts';
import { type Stack, startStack, until, viewOf } from './stack.ts';

const FOR_EVER = { dagId: 'for_ever', tasks: [{ taskId: 'load', script: [fail({ durationMs: 30 })] }] } as const;
const key = (dagRunId: string) => ({ dagId: FOR_EVER.dagId, dagRunId });
const WHO = { actor: 'ann', comment: 'night shift' };

let stack: Stack;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-desk-'));
  stack = await startStack([FOR_EVER]);
});
afterEach(async () => {
  await stack.close();
  rmSync(folder, { recursive: true, force: true });
});

/** How often a retry that was due has waited for a resume. */
async function pausedSteps(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^dagain_steps_total\{reason="paused_by_operator"\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
}

/** What a person can do and see from here. */
function deskAt(url: string) {
  const get = async (path: string): Promise<unknown> => {
    const answer = await fetch(`${url}${path}`);
    expect([path, answer.status]).toEqual([path, 200]);
    return await answer.json();
  };
  const act = async (path: string, body: object): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify({ ...WHO, ...body }) });
    expect([path, answer.status]).toEqual([path, 200]);
    return await answer.json();
  };
  return { get, act };
}

describe.each(['sqlite', 'redis'] as const)('operators on %s', (store) => {
  const start = () =>
    stack.startApp(
      store === 'sqlite'
        ? { DAGAIN_DATA_DIR: folder }
        : { DAGAIN_REDIS_URL: inject('redisUrl'), DAGAIN_NAMESPACE: `test-${randomUUID()}` },
    );

  test('see what happened to a run, why, and who did what', async () => {
    const { url } = await start();
    const { get } = deskAt(url);
    stack.sendCallbacksTo(url);
    stack.model.trigger(key('r1'));
    await until(async () => (await viewOf(url, key('r1')))?.phase === 'gave_up');
    const explained = ExplainView.parse(await get('/v1/runs/for_ever/r1/explain'));
    expect(explained).toMatchObject({ verdict: 'gave_up', orchestrator: { state: 'failed' } });
    expect(explained.because).toContain('The policy allows 2 retries (built-in); 2 are used.');
    expect(explained.events.map(({ type }) => type)).toEqual(['gave_up', 'retried', 'failed', 'retried', 'failed']);
    const { events, next_cursor } = EventPage.parse(await get('/v1/events?dag_id=for_*&type=retried,gave_up&limit=2'));
    const rest = EventPage.parse(await get(`/v1/events?dag_id=for_*&type=retried,gave_up&cursor=${next_cursor}`));
    expect([...events, ...rest.events].map(({ type }) => type)).toEqual(['gave_up', 'retried', 'retried']);
    expect(StatsView.parse(await get('/v1/stats?window=1h'))).toMatchObject({
      totals: { failed: 2, retried: 2, gave_up: 1 },
      top_dags: [{ dag_id: 'for_ever', retried: 2, gave_up: 1 }],
      is_complete: true,
    });
    expect(StatusView.parse(await get('/v1/status'))).toMatchObject({ store, orchestrator: { status: 'reachable' } });
    // Nobody has told of this one.
    stack.sendCallbacksTo(null);
    stack.model.trigger(key('silent'));
    await until(() => stack.model.stateOf(key('silent')) === 'failed');
    expect(await get('/v1/runs/for_ever/silent/explain')).toMatchObject({ verdict: 'never_reported', run: null });
    expect(await get('/v1/runs/for_ever/nobody/explain')).toMatchObject({ verdict: 'unknown_run' });
  });

  test('pause a Dag and resume it, and hold many runs at once', async () => {
    const { url } = await start();
    const { get, act } = deskAt(url);
    stack.sendCallbacksTo(url);
    await act('/v1/dags/for_ever/pause', {});
    for (const run of ['r1', 'r2']) stack.model.trigger(key(run));
    for (const run of ['r1', 'r2']) await until(async () => (await viewOf(url, key(run)))?.phase === 'waiting');
    expect(await get('/v1/runs/for_ever/r1/explain')).toMatchObject({ verdict: 'paused' });
    // Both were due, and were put off again.
    await until(async () => (await pausedSteps(url)) >= 4);
    expect(stack.model.clearsOf(key('r1'))).toHaveLength(0);
    expect(PauseList.parse(await get('/v1/pauses')).pauses).toMatchObject([{ scope: 'for_ever', actor: 'ann' }]);
    expect(DagPage.parse(await get('/v1/dags')).dags).toMatchObject([{ phases: { waiting: 2 }, paused: WHO_PAUSED }]);
    const filter = { dag_id: 'for_*', phase: ['waiting'] };
    const preview = BulkView.parse(await act('/v1/runs/bulk', { action: 'pause', filter, dry_run: true }));
    expect(preview).toMatchObject({ matched: 2, changed: 2 });
    const done = BulkView.parse(await act('/v1/runs/bulk', { action: 'pause', filter, dry_run: false, max_runs: 2 }));
    expect(done).toMatchObject({ matched: 2, changed: 2 });
    await act('/v1/dags/for_ever/resume', {});
    await act('/v1/runs/for_ever/r1/resume', {});
    await until(() => stack.model.clearsOf(key('r1')).length > 0);
    expect(stack.model.clearsOf(key('r2'))).toHaveLength(0);
    const held = RunSummaryPage.parse(await get('/v1/runs?view=summary&held=true&dag_id=for_ever'));
    expect(held.runs.map((run) => run.dag_run_id)).toEqual(['r2']);
    const audit = EventPage.parse(await get('/v1/events?type=operated&actor=ann'));
    expect(audit.events.map(({ action }) => action).toSorted()).toEqual([
      'pause',
      'pause',
      'pause',
      'resume',
      'resume',
    ]);
  });
});

const WHO_PAUSED = { scope: 'for_ever', actor: 'ann', comment: 'night shift' };
