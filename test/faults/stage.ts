import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { z } from 'zod';
import { type AlertReceiver, startAlertReceiver } from '../crash/alert-receiver.ts';
import { startProcess } from '../crash/process.ts';
import { createTimersAhead } from '../crash/timers-ahead.ts';
import type { Callback } from '../support/airflow/model/callbacks.ts';
import { type DagDefinition, fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { type AirflowModel, createAirflowModel } from '../support/airflow/model/model.ts';
import { type AirflowServer, serveAirflow } from '../support/airflow/serve.ts';
import { freePort } from '../support/free-port.ts';
import { until } from './until.ts';

const LATENCIES = { schedulerMs: 20, taskStartMs: 10, recordMs: 30, dagCallbackMs: 40, heartbeatMs: 40 };
/** How much time passes at once, while nobody waits: by then every lease is over, and every request. */
const STEP_MS = 3 * 60_000;
/** What was under way when a fault healed is over by then. */
const SETTLE_MS = 1_500;
const TASK_MS = 20;

/** With two retries: one Dag needs one of them, the other uses up both. */
const DAGS: readonly (DagDefinition & { readonly clears: number; readonly alerts: number })[] = [
  {
    dagId: 'once',
    clears: 1,
    alerts: 0,
    tasks: [
      { taskId: 'a', script: [fail({ durationMs: TASK_MS }), succeed(TASK_MS)] },
      { taskId: 'b', script: [fail({ durationMs: TASK_MS }), succeed(TASK_MS)] },
    ],
  },
  { dagId: 'for_ever', clears: 2, alerts: 1, tasks: [{ taskId: 'a', script: [fail({ durationMs: TASK_MS })] }] },
];

const View = z.looseObject({ dag_id: z.string(), phase: z.string(), pending_alerts: z.int() });
const Runs = z.looseObject({ runs: z.array(View) });

/** An answer that a sender of callbacks got; status 0: none. */
export interface Answered {
  readonly status: number;
  readonly retryAfter: string | null;
}

/** A real service process between a simulated Airflow, a store and a receiver of alerts, all on real sockets. */
export interface Stage {
  readonly model: AirflowModel;
  readonly airflow: AirflowServer;
  readonly receiver: AlertReceiver;
  readonly url: string;
  readonly logFile: string;
  /** Everything that the senders of callbacks were answered, repeats included. */
  readonly answered: readonly Answered[];
  start(): Promise<void>;
  kill(): Promise<void>;
  /** One run of each Dag begins. */
  trigger(dagRunId: string): void;
  /** Sends one callback, once, outside of any Dag. */
  send(body: object): Promise<Answered>;
  /** Resolves when so many callbacks, repeats included, have been refused. */
  untilRefused(times?: number): Promise<void>;
  /** Three minutes pass, for the service and for Airflow. */
  passTime(): void;
  /** Lets time pass until every run has ended, and checks that each was cleared exactly as often as its attempts say. */
  endsWell(limitMs?: number): Promise<void>;
  close(): Promise<void>;
}

export interface StageOptions {
  readonly settings?: Readonly<Record<string, string>>;
  /** Where the service finds Airflow, given where it is. */
  readonly wayToAirflow?: (port: number) => Promise<number>;
}

export async function setStage({ settings = {}, wayToAirflow }: StageOptions = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'dagain-faults-'));
  const timers = createTimersAhead();
  const answered: Answered[] = [];
  let isOver = false;
  const model = createAirflowModel({
    version: '3.3',
    timers,
    latencies: LATENCIES,
    dags: DAGS,
    onCallback: (callback) => void deliver(callback),
  });
  const airflow = await serveAirflow({ model });
  const receiver = await startAlertReceiver();
  const port = await freePort();
  const airflowPort = Number(new URL(airflow.url).port);
  const all = {
    DAGAIN_AIRFLOW_URL: `http://127.0.0.1:${(await wayToAirflow?.(airflowPort)) ?? airflowPort}`,
    DAGAIN_AIRFLOW_USERNAME: 'admin',
    DAGAIN_AIRFLOW_PASSWORD: 'admin',
    DAGAIN_RETRY_DELAY: '100ms',
    DAGAIN_SWEEP_INTERVAL: '500ms',
    DAGAIN_ALERT_WEBHOOK_URL: receiver.url,
    DAGAIN_LOG_LEVEL: 'debug',
    DAGAIN_DATA_DIR: folder,
    DAGAIN_NAMESPACE: `faults-${randomUUID()}`,
    ...settings,
  };
  const start = () =>
    startProcess({ port, aheadMs: timers.aheadMs(), logFile: join(folder, 'service.log'), settings: all });
  let service: ReturnType<typeof start> | null = null;
  const url = `http://127.0.0.1:${port}`;

  async function send(type: string, body: object): Promise<Answered> {
    const answer = await post(`${url}/v1/callbacks/${type}`, body);
    answered.push(answer);
    return answer;
  }

  /** Repeats it until it is stored, as who gets a 503 may. */
  async function deliver({ type, body }: Callback): Promise<void> {
    while (!isOver && (await send(type, body)).status !== 202) await pause(200);
  }

  async function isAtRest(): Promise<boolean> {
    const answer = await fetch(`${url}/v1/runs?limit=500`).catch(() => null);
    if (answer?.status !== 200) return false;
    const { runs } = Runs.parse(await answer.json());
    const isKeptRight = runs.every((run) => run.phase === 'gave_up' && run.pending_alerts === 0);
    return isKeptRight && model.runs().every((run) => run.state === expectedState(run.dagId) && isCounted(run));
  }

  function isCounted({ dagId, dagRunId }: { dagId: string; dagRunId: string }): boolean {
    return model.clearsOf({ dagId, dagRunId }).length >= (DAGS.find((dag) => dag.dagId === dagId)?.clears ?? 0);
  }

  function passTime(): void {
    timers.advance(STEP_MS);
    service?.passTime();
  }

  return {
    model,
    airflow,
    receiver,
    url,
    logFile: join(folder, 'service.log'),
    answered,
    async start() {
      service = start();
      await service.listening();
    },
    async kill() {
      await service?.kill();
    },
    trigger(dagRunId) {
      for (const { dagId } of DAGS) model.trigger({ dagId, dagRunId });
    },
    untilRefused: (times = 1) =>
      until(
        () => refusedIn(answered).length,
        (refused) => refused >= times,
      ),
    passTime,
    send: (body) => send('task-failed', body),
    async endsWell(limitMs = 60_000) {
      const giveUpAtMs = Date.now() + limitMs;
      for (let looks = 1; !(await isAtRest()); looks += 1) {
        if (Date.now() > giveUpAtMs)
          throw new Error(`not ended after ${limitMs} ms: ${await whereItStands(url, model)}`);
        await pause(100);
        if (looks % (SETTLE_MS / 100) === 0) passTime();
      }
      for (const run of model.runs()) verify(run, model, receiver);
    },
    async close() {
      isOver = true;
      await service?.kill();
      await Promise.all([airflow.close(), receiver.close()]);
      timers.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function expectedState(dagId: string): string {
  return dagId === 'once' ? 'success' : 'failed';
}

const refusedIn = (answered: readonly Answered[]) => answered.filter(({ status }) => status !== 202);

/** That what was not taken in was refused in such a way that its sender may come back. */
export function expectRefusals({ answered }: Stage): void {
  const refused = refusedIn(answered);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused) expect(answer).toEqual({ status: 503, retryAfter: '1' });
}

/** @throws Error for a clear too many, one of a run that had not failed, or an alert that is missing or has two names */
function verify(key: { dagId: string; dagRunId: string }, model: AirflowModel, { accepted }: AlertReceiver): void {
  const { clears = 0, alerts = 0 } = DAGS.find((dag) => dag.dagId === key.dagId) ?? {};
  const sent = model.clearsOf(key);
  const isBad = sent.some((clear) => clear.stateBefore !== 'failed' || clear.restartedRunning);
  const ours = accepted.filter((alert) => alert.dag_id === key.dagId && alert.dag_run_id === key.dagRunId);
  const names = new Set(ours.map((alert) => alert.dedupe_key));
  if (sent.length === clears && !isBad && names.size === alerts) return;
  throw new Error(`${key.dagId}: ${JSON.stringify({ clears: sent, alerts: [...names] })}`);
}

async function whereItStands(url: string, model: AirflowModel): Promise<string> {
  const states = model.runs().map((run) => `${run.dagId} ${run.state}, ${model.clearsOf(run).length} clears`);
  const kept = await fetch(`${url}/v1/runs`).then((answer) => answer.text(), String);
  return `${states.join('; ')}; kept: ${kept}`;
}

/** Over a connection of its own, as the callbacks inside Airflow send theirs. */
function post(url: string, body: object): Promise<Answered> {
  const nothing: Answered = { status: 0, retryAfter: null };
  return new Promise((resolve) => {
    const sent = request(url, { method: 'POST', agent: false, headers: { 'content-type': 'application/json' } });
    sent.setTimeout(10_000, () => sent.destroy());
    sent.on('error', () => resolve(nothing));
    sent.on('response', (answer) => {
      const { statusCode: status = 0, headers } = answer;
      answer.on('close', () => resolve(nothing));
      answer.resume().on('end', () => resolve({ status, retryAfter: headers['retry-after'] ?? null }));
    });
    sent.end(JSON.stringify(body));
  });
}
