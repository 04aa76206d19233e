import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp, createLog } from '../../../src/app.ts';
import { readEnvironment } from '../../../src/config/environment.ts';
import { createAirflowModel } from '../airflow/model/model.ts';
import { serveAirflow } from '../airflow/serve.ts';
import { createRealTimers } from '../timers.ts';
import { DEMO_DAGS } from './dags.ts';
import { createNarrator } from './narrator.ts';
import { createReporter } from './reporter.ts';

/** The main job, with nothing else installed: a simulated Airflow, the real service, the embedded store. */
const TIME_LIMIT_MS = 60_000;
const RUN_ID = 'manual__2026-11-21T06:00:00+00:00';
const LATENCIES = { schedulerMs: 100, taskStartMs: 50, recordMs: 150, dagCallbackMs: 250, heartbeatMs: 200 };

const narrator = createNarrator((text) => process.stdout.write(`${text}\n`));
const folder = await mkdtemp(join(tmpdir(), 'dagain-demo-'));
const timers = createRealTimers();

// Where people would be told: a receiver of webhook alerts.
const alerts: string[] = [];
const receiver = createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const { dag_id, summary } = JSON.parse(body);
  alerts.push(dag_id);
  narrator.tell('alert', dag_id, summary);
  response.writeHead(204).end();
});
await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));

const reporter = createReporter(narrator);
const model = createAirflowModel({
  version: '3.3',
  timers,
  latencies: LATENCIES,
  dags: DEMO_DAGS,
  onCallback: (callback) => reporter.report(callback),
});
const airflow = await serveAirflow({ model });

const app = await createApp({
  log: createLog('silent'),
  environment: readEnvironment({
    DAGAIN_PORT: '0',
    DAGAIN_AIRFLOW_URL: airflow.url,
    DAGAIN_AIRFLOW_USERNAME: 'admin',
    DAGAIN_AIRFLOW_PASSWORD: 'admin',
    DAGAIN_DATA_DIR: folder,
    DAGAIN_MAX_RETRIES: '2',
    DAGAIN_RETRY_DELAY: '500ms',
    DAGAIN_SWEEP_INTERVAL: '1s',
    DAGAIN_ALERT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/alerts`,
  }),
});
const { url } = await app.start();
reporter.sendTo(url);

const keys = DEMO_DAGS.map(({ dagId }) => ({ dagId, dagRunId: RUN_ID }));
narrator.introduce(DEMO_DAGS, { airflow: airflow.url, dagain: url });
for (const key of keys) model.trigger(key);

const stopAtMs = Date.now() + TIME_LIMIT_MS;
while (!(await isOver()) && Date.now() < stopAtMs) {
  for (const key of keys) narrator.follow(key, model.history(key));
  await new Promise((resolve) => setTimeout(resolve, 50));
}
for (const key of keys) narrator.follow(key, model.history(key));

const outcomes = await Promise.all(
  DEMO_DAGS.map(async ({ dagId, expected }) => {
    const key = { dagId, dagRunId: RUN_ID };
    const seen = {
      state: model.stateOf(key) ?? 'missing',
      clears: model.clearsOf(key).length,
      alerts: alerts.filter((one) => one === dagId).length,
      record: await phaseOf(dagId),
    };
    const isRight = seen.state === expected.state && seen.clears === expected.clears && seen.alerts === expected.alerts;
    return { dagId, ...seen, isRight };
  }),
);
narrator.conclude(outcomes);

await app.stop();
await airflow.close();
timers.stop();
receiver.closeAllConnections();
receiver.close();
await rm(folder, { recursive: true });
process.exitCode = outcomes.every((outcome) => outcome.isRight) ? 0 : 1;

/** Whether nothing is left to do: every record is gone or a tombstone. */
async function isOver(): Promise<boolean> {
  const phases = await Promise.all(DEMO_DAGS.map(({ dagId }) => phaseOf(dagId)));
  const isAtRest = phases.every((phase) => phase === 'none' || phase === 'gave_up');
  return isAtRest && keys.every((key) => ['success', 'failed'].includes(model.stateOf(key) ?? ''));
}

async function phaseOf(dagId: string): Promise<string> {
  const answer = await fetch(`${url}/v1/runs/${dagId}/${encodeURIComponent(RUN_ID)}`);
  return answer.status === 404 ? 'none' : ((await answer.json()) as { phase: string }).phase;
}
