import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { DECISIONS } from '../../src/core/reason.ts';
import { type DagDefinition, fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { captureLog, type LogLine } from './log-lines.ts';
import { type Stack, startStack, until, viewOf } from './stack.ts';

const TASK_MS = 30;
const RUN_ID = 'manual__2026-01-01T00:00:00+00:00';
const DAGS: readonly DagDefinition[] = [
  {
    dagId: 'twice',
    tasks: [
      { taskId: 'load', script: [fail({ durationMs: TASK_MS }), fail({ durationMs: TASK_MS }), succeed(TASK_MS)] },
    ],
  },
  { dagId: 'for_ever', tasks: [{ taskId: 'load', script: [fail({ durationMs: TASK_MS })] }] },
];
const keyOf = (dagId: string) => ({ dagId, dagRunId: RUN_ID });

const AboutRun = z.looseObject({
  run: z.string(),
  dag_id: z.string(),
  attempt: z.int().positive().nullable(),
  decision: z.enum([...DECISIONS, 'undecided']),
  reason: z.string().regex(/^[a-z_]+$/),
});

let stack: Stack;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-log-story-'));
  stack = await startStack(DAGS);
});
afterEach(async () => {
  await stack.close();
  rmSync(folder, { recursive: true, force: true });
});

/** From the first failure to the end of both runs, with everything that people and outages can add. */
async function tellStory(): Promise<{ raw: string[]; lines: LogLine[] }> {
  const { log, raw, lines } = captureLog();
  const { url } = await stack.startApp({ DAGAIN_DATA_DIR: folder, DAGAIN_MAX_RETRIES: '2', DAGAIN_WATCH: 'on' }, log);
  stack.sendCallbacksTo(url);
  // The first look gets no answer, and the first clear is put off.
  stack.airflow.faults.add({ route: 'run', action: { type: 'status', status: 503 } });
  stack.airflow.faults.add({ route: 'clear', action: { type: 'status', status: 429, retryAfter: '1' } });
  for (const { dagId } of DAGS) stack.model.trigger(keyOf(dagId));
  await until(async () => (await viewOf(url, keyOf('for_ever'))) !== null);
  for (const action of ['pause', 'resume']) {
    await fetch(`${url}/v1/runs/for_ever/${encodeURIComponent(RUN_ID)}/${action}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ actor: 'ann', comment: 'a look at it' }),
    });
  }
  await until(async () => (await viewOf(url, keyOf('for_ever')))?.phase === 'gave_up');
  await until(
    async () => stack.model.stateOf(keyOf('twice')) === 'success' && (await viewOf(url, keyOf('twice'))) === null,
  );
  await until(() => stack.alerts.length > 0 && lines().some(({ msg }) => msg === 'alert accepted'));
  return { raw, lines: lines() };
}

describe('the log of a whole story', () => {
  test('is one line of JSON each, and every line about a run says which, which attempt, what and why', async () => {
    const { raw, lines } = await tellStory();
    for (const line of raw) expect(line).toMatch(/^\{.*\}\n$/);
    const about = lines.filter((line) => JSON.stringify(line).includes(RUN_ID));
    expect(about.length).toBeGreaterThan(15);
    const incomplete = about.filter((line) => !AboutRun.safeParse(line).success);
    expect(incomplete).toEqual([]);
    for (const line of about.map((one) => AboutRun.parse(one))) expect(line.run).toBe(`${line.dag_id}/${RUN_ID}`);
    const names = lines.flatMap((line) => Object.keys(line));
    expect([...new Set(names)].filter((name) => !/^[a-z]+(_[a-z]+)*$/.test(name))).toEqual([]);

    const story = (dagId: string) =>
      about.filter((line) => line['dag_id'] === dagId).map(({ level, msg }) => `${level} ${msg}`);
    expect(story('twice')).toEqual(
      expect.arrayContaining([
        'info failure_reported: retry_scheduled',
        'info settled',
        'info clear_due',
        'info clear sent',
        'info run_succeeded',
      ]),
    );
    expect(story('for_ever')).toEqual(
      expect.arrayContaining(['info operator: pause', 'info operator: resume', 'error gave up', 'info alert accepted']),
    );
    const said = about.map(({ level, msg }) => `${level} ${msg}`);
    expect(said).toContain('warn the orchestrator gave no usable answer');
    expect(said).toContain('warn clear sent');
    // What heals by itself wakes nobody: the only error is the give-up.
    expect(new Set(lines.filter(({ level }) => level === 'error').map(({ msg }) => msg))).toEqual(new Set(['gave up']));
    const attempts = about.filter((line) => line['dag_id'] === 'twice').map((line) => line['attempt']);
    expect(attempts).toEqual(attempts.toSorted());
    expect(attempts.at(-1)).toBe(3);
  });
});
