import { type DagDefinition, fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { captureLog, type LogLine } from './log-lines.ts';
import { type Stack, until, viewOf } from './stack.ts';

const TASK_MS = 30;
export const RUN_ID = 'manual__2026-01-01T00:00:00+00:00';
export const DAGS: readonly DagDefinition[] = [
  {
    dagId: 'twice',
    tasks: [
      { taskId: 'load', script: [fail({ durationMs: TASK_MS }), fail({ durationMs: TASK_MS }), succeed(TASK_MS)] },
    ],
  },
  { dagId: 'for_ever', tasks: [{ taskId: 'load', script: [fail({ durationMs: TASK_MS })] }] },
];
const keyOf = (dagId: string) => ({ dagId, dagRunId: RUN_ID });

/** From the first failure to the end of both runs, with everything that people and outages can add. */
export async function tellStory(stack: Stack, folder: string): Promise<{ raw: string[]; lines: LogLine[] }> {
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
