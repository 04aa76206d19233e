import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { type App, createApp, createLog } from '../../src/app.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import type { Callback } from '../support/airflow/model/callbacks.ts';
import type { DagDefinition } from '../support/airflow/model/dag-definition.ts';
import { type AirflowModel, createAirflowModel } from '../support/airflow/model/model.ts';
import type { RunKey } from '../support/airflow/model/run-state.ts';
import { type AirflowServer, serveAirflow } from '../support/airflow/serve.ts';
import { createRealTimers } from '../support/timers.ts';

/** Quick, so that a whole life of a run takes a second or two. */
const LATENCIES = { schedulerMs: 30, taskStartMs: 10, recordMs: 40, dagCallbackMs: 60, heartbeatMs: 50 };

const Answer = z.looseObject({ decision: z.string().optional(), code: z.string().optional() });
const View = z.looseObject({
  phase: z.string(),
  attempt: z.int(),
  retries_used: z.int(),
  reason: z.string().nullable(),
});
export type View = z.infer<typeof View>;

export interface Answered {
  readonly status: number;
  readonly body: z.infer<typeof Answer>;
}

/** A simulated Airflow and a receiver of alerts, for any number of apps. */
export interface Stack {
  readonly airflow: AirflowServer;
  readonly model: AirflowModel;
  readonly alerts: z.infer<typeof Alert>[];
  /** Starts the whole service in this process, with these settings over quick ones. */
  startApp(settings: Readonly<Record<string, string>>, log?: Logger): Promise<{ app: App; url: string }>;
  /** Where the Dags' callbacks go from now on, with which token; null: they are lost. */
  sendCallbacksTo(url: string | null, token?: string): void;
  /** What the callbacks were answered. */
  readonly answered: Answered[];
  close(): Promise<void>;
}

const Alert = z.looseObject({ type: z.string(), dag_id: z.string(), reason: z.string() });

export async function startStack(dags: readonly DagDefinition[]): Promise<Stack> {
  const timers = createRealTimers();
  const alerts: z.infer<typeof Alert>[] = [];
  const answered: Answered[] = [];
  const apps: App[] = [];
  let target: { readonly url: string; readonly token: string | undefined } | null = null;
  const model = createAirflowModel({
    version: '3.3',
    timers,
    latencies: LATENCIES,
    dags,
    async onCallback(callback) {
      if (target !== null) answered.push(await post(target.url, callback, target.token));
    },
  });
  const airflow = await serveAirflow({ model });
  const receiver = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    alerts.push(Alert.parse(JSON.parse(body)));
    response.writeHead(204).end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  return {
    airflow,
    model,
    alerts,
    answered,
    sendCallbacksTo(url, token) {
      target = url === null ? null : { url, token };
    },
    async startApp(settings, log = createLog('silent')) {
      const app = await createApp({
        log,
        environment: readEnvironment({
          DAGAIN_PORT: '0',
          DAGAIN_AIRFLOW_URL: airflow.url,
          DAGAIN_AIRFLOW_USERNAME: 'admin',
          DAGAIN_AIRFLOW_PASSWORD: 'admin',
          DAGAIN_RETRY_DELAY: '200ms',
          DAGAIN_SWEEP_INTERVAL: '300ms',
          DAGAIN_ALERT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/alerts`,
          ...settings,
        }),
      });
      apps.push(app);
      const { url } = await app.start();
      return { app, url };
    },
    async close() {
      target = null;
      await Promise.all(apps.map((app) => app.stop()));
      await airflow.close();
      timers.stop();
      receiver.closeAllConnections();
      receiver.close();
    },
  };
}

export async function post(
  url: string,
  { type, body }: { type: Callback['type']; body: object },
  token?: string,
): Promise<Answered> {
  const answer = await fetch(`${url}/v1/callbacks/${type}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: Answer.parse(await answer.json()) };
}

/** What the service keeps of a run, or null. */
export async function viewOf(url: string, { dagId, dagRunId }: RunKey): Promise<View | null> {
  const answer = await fetch(`${url}/v1/runs/${dagId}/${encodeURIComponent(dagRunId)}`);
  if (answer.status === 404) return null;
  if (answer.status !== 200) throw new Error(`the view was answered ${answer.status}`);
  return View.parse(await answer.json());
}

/** Asks again and again until `condition` holds; the test's own limit ends it. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(20);
}
