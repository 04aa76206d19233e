import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, createApp, createLog, REAL_CLOCK } from '../../src/app.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import type { RunRecord } from '../../src/core/record.ts';
import { createSqliteStore } from '../../src/store/sqlite.ts';
import { type DagDefinition, fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { type AirflowModel, createAirflowModel } from '../support/airflow/model/model.ts';
import { serveAirflow } from '../support/airflow/serve.ts';
import { createVirtualTimers, type VirtualTimers } from '../support/timers.ts';
import { type SeedOptions, seed } from './seed.ts';

export const TOKEN = 'operator-token-of-the-page-tests';

/** A Dag of which the simulated Airflow really has a failed run. */
export const KNOWN = { dagId: 'etl_orders', dagRunId: 'manual__2026-11-20T06:00:00+00:00' };
const MESSAGE = 'ORA-12541: TNS: no listener on db-orders.example:1521';

const DAG: DagDefinition = {
  dagId: KNOWN.dagId,
  tasks: [
    { taskId: 'extract', script: [succeed(60_000)] },
    {
      taskId: 'load_warehouse',
      upstream: ['extract'],
      script: [fail({ durationMs: 120_000, type: 'oracledb.OperationalError', message: MESSAGE })],
    },
  ],
};

export interface Stage {
  readonly url: string;
  readonly model: AirflowModel;
  readonly timers: VirtualTimers;
  readonly records: readonly RunRecord[];
  /** Sets the clock of a service whose clock stands. */
  standAt(nowMs: number): void;
  /** Stops the service and starts it again on the same data and the same port. */
  stopService(): Promise<void>;
  startService(): Promise<void>;
  /** Reports a failure as a Dag's callback does. */
  report(
    run: { readonly dagId: string; readonly dagRunId: string },
    fields?: Readonly<Record<string, unknown>>,
  ): Promise<void>;
  close(): Promise<void>;
}

export interface StageOptions extends Partial<SeedOptions> {
  /** The service's clock stands there. */
  readonly frozenAtMs?: number;
  readonly settings?: Readonly<Record<string, string>>;
}

/** The real service on the embedded store, with runs in all phases, and a simulated Airflow. */
export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const { runs = 300, recovered = 160, frozenAtMs, settings = {} } = options;
  const nowMs = frozenAtMs ?? Date.now();
  const folder = await mkdtemp(join(tmpdir(), 'dagain-page-'));
  const store = await createSqliteStore({ directory: folder });
  const records = await seed(store, { runs, recovered, nowMs });
  await store.close();

  const timers = createVirtualTimers({ startMs: nowMs - 40 * 60_000 });
  const model = createAirflowModel({ version: '3.3', timers, dags: [DAG] });
  model.trigger(KNOWN);
  await timers.advanceTo(nowMs);
  const airflow = await serveAirflow({ model });

  let standsAtMs = frozenAtMs;
  let app: App | null = null;
  let url = '';
  async function startService(): Promise<void> {
    app = await createApp({
      log: createLog('silent'),
      clock: frozenAtMs === undefined ? REAL_CLOCK : { ...REAL_CLOCK, nowMs: () => standsAtMs ?? frozenAtMs },
      environment: readEnvironment({
        DAGAIN_PORT: url === '' ? '0' : new URL(url).port,
        DAGAIN_AIRFLOW_URL: airflow.url,
        DAGAIN_AIRFLOW_USERNAME: 'admin',
        DAGAIN_AIRFLOW_PASSWORD: 'admin',
        DAGAIN_DATA_DIR: folder,
        DAGAIN_MAX_RETRIES: '3',
        DAGAIN_RETRY_DELAY: '30m',
        DAGAIN_OPERATOR_TOKEN: TOKEN,
        DAGAIN_CALLBACK_TOKEN: 'callback-token-of-the-page-tests',
        DAGAIN_WATCH: 'off',
        ...settings,
      }),
    });
    ({ url } = await app.start());
  }
  await startService();

  return {
    get url() {
      return url;
    },
    model,
    timers,
    records,
    startService,
    standAt(atMs) {
      standsAtMs = atMs;
    },
    async stopService() {
      await app?.stop();
      app = null;
    },
    async report({ dagId, dagRunId }, fields = {}) {
      const exception = { type: 'oracledb.OperationalError', message: MESSAGE };
      const body = { dag_id: dagId, dag_run_id: dagRunId, task_id: 'load_warehouse', exception, ...fields };
      const answer = await fetch(`${url}/v1/callbacks/task-failed`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer callback-token-of-the-page-tests' },
        body: JSON.stringify(body),
      });
      if (answer.status !== 202) throw new Error(`the callback was answered ${answer.status}: ${await answer.text()}`);
    },
    async close() {
      await app?.stop();
      await airflow.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** A reverse proxy that serves `target` under `prefix`, which it passes on or strips. */
export async function startProxy(target: string, prefix: string, strips: boolean) {
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? '/';
    if (!path.startsWith(`${prefix}/`)) {
      outgoing.writeHead(404).end('not under the prefix');
      return;
    }
    const { hostname, port } = new URL(target);
    const options = { hostname, port, method: incoming.method, headers: incoming.headers };
    const onward = request({ ...options, path: strips ? path.slice(prefix.length) : path }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
