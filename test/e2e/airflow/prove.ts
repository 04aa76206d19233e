/**
 * Shows by hand that the harness and the callbacks work against a real Airflow, without the sidecar:
 * node test/e2e/airflow/prove.ts [version]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { freePort } from '../../support/free-port.ts';
import { DAG_IDS, makeDagsFolder } from './dags-folder.ts';
import { AIRFLOW_VERSIONS } from './settings.ts';
import { type Airflow, startAirflow } from './start.ts';

const Callback = z.object({ dag_id: z.string(), task_id: z.string().optional(), try_number: z.int().optional() });
const version = z.enum(AIRFLOW_VERSIONS).parse(process.argv[2] ?? AIRFLOW_VERSIONS[0]);
const beganAt = Date.now();

function say(what: string): void {
  process.stdout.write(`${((Date.now() - beganAt) / 1000).toFixed(1).padStart(6)} s  ${what}\n`);
}

const received: string[] = [];
const sidecar = createServer(async (request, response) => {
  const body = await text(request);
  const { dag_id, task_id = '-', try_number = '-' } = Callback.parse(JSON.parse(body));
  received.push(`${request.url?.split('/').at(-1)} ${dag_id} ${task_id} ${try_number}`);
  say(`callback: ${request.url} ${body}`);
  response.writeHead(202, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ decision: 'already_scheduled', reason: 'prove' }));
});
const port = await freePort();
await new Promise<void>((listening) => sidecar.listen(port, '127.0.0.1', listening));

async function attempts(airflow: Airflow): Promise<void> {
  const [dagId] = DAG_IDS;
  for (const [attempt, ends] of ['failed', 'failed', 'success'].entries()) {
    if (attempt === 0) await airflow.api.trigger(dagId, 'by+hand:1');
    else await airflow.api.clear(dagId, 'by+hand:1', { onlyFailed: attempt === 2 });
    const run = await airflow.api.waitForRun(dagId, 'by+hand:1', ({ state }) => state === ends);
    say(`attempt ${attempt + 1} ended: ${JSON.stringify(run)}`);
  }
  say(`tries: ${JSON.stringify((await airflow.api.tries(dagId, 'by+hand:1', 'work')).map((one) => one.state))}`);
  say(`clears: ${JSON.stringify(await airflow.api.clears(dagId, 'by+hand:1'))}`);
}

async function example(airflow: Airflow): Promise<void> {
  await airflow.api.setPaused('dagain_example', false);
  await airflow.api.trigger('dagain_example', 'e');
  for (const ends of ['failed', 'failed', 'success']) {
    const run = await airflow.api.waitForRun('dagain_example', 'e', ({ state }) => state === ends);
    say(`example: ${run.state}`);
    if (run.state === 'failed') await airflow.api.clear('dagain_example', 'e');
  }
}

async function parallel(airflow: Airflow): Promise<void> {
  await airflow.api.trigger('eight_parallel_failures', 'p');
  const run = await airflow.api.waitForRun('eight_parallel_failures', 'p', ({ state }) => state === 'failed');
  say(`eight in parallel: failed at ${run.endedAt?.toISOString()}`);
}

const folder = await mkdtemp(join(tmpdir(), 'dagain-prove-'));
try {
  const dagsFolder = await makeDagsFolder(join(folder, 'dags'));
  const env = { DAGAIN_URL: `http://127.0.0.1:${port}` };
  const dagIds = [...DAG_IDS, 'dagain_example'];
  const airflow = await startAirflow({ version, home: join(folder, 'home'), dagsFolder, dagIds, env });
  say(`Airflow ${version} is ready at ${airflow.url}`);
  try {
    await attempts(airflow);
    await example(airflow);
    await parallel(airflow);
    await airflow.kill();
    say('killed');
    await airflow.restart();
    say(`restarted; the run is still there: ${(await airflow.api.run(DAG_IDS[0], 'by+hand:1'))?.state}`);
    await delay(3_000);
  } finally {
    await airflow.stop();
    say('stopped');
  }
} finally {
  sidecar.close();
  await rm(folder, { recursive: true, force: true });
}
say(`callbacks:\n${received.toSorted().join('\n')}`);
