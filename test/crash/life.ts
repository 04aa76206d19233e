import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Callback } from '../support/airflow/model/callbacks.ts';
import { type Behaviour, fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { type AirflowModel, createAirflowModel } from '../support/airflow/model/model.ts';
import { serveAirflow } from '../support/airflow/serve.ts';
import { freePort } from '../support/free-port.ts';
import { type Alert, startAlertReceiver } from './alert-receiver.ts';
import type { Stopper } from './crash-point.ts';
import { startGate } from './gate.ts';
import { startProcess } from './process.ts';
import { startRedisTap } from './redis-tap.ts';
import { createTimersAhead } from './timers-ahead.ts';

export const RUN = { dagId: 'load', dagRunId: 'manual__2026-01-01T00:00:00+00:00' };
const LATENCIES = { schedulerMs: 10, taskStartMs: 5, recordMs: 10, dagCallbackMs: 20, heartbeatMs: 20 };
/** By then every lease is over, and every request that was under way. */
const LATER_MS = 3 * 60_000;
/** How long the process is left with a locked store, to get as far as it can. */
const LOCKED_MS = 200;

const View = z.looseObject({ phase: z.string(), retries_used: z.int(), attempt: z.int() });
const Runs = z.looseObject({ runs: z.array(View) });
export type View = z.infer<typeof View>;

export type StoreName = 'sqlite' | 'redis';
export type Ending = 'gives up' | 'recovers';

/** One run of one Dag, with one retry: it fails on both attempts, or only on the first. */
export interface Life {
  readonly model: AirflowModel;
  readonly alerts: readonly Alert[];
  /** What the sender of callbacks was answered in the end, each one. */
  readonly answers: readonly number[];
  /** Starts the service and the run. */
  begin(): Promise<void>;
  kill(): Promise<void>;
  /** Starts the service again, `laterMs` later by its own clock and by Airflow's; does not wait for it. */
  restart(laterMs?: number): void;
  /** All that the service keeps. */
  kept(): Promise<View[]>;
  /** Resolves when the run has ended and what is kept of it is what may be. */
  ended(limitMs?: number): Promise<void>;
  /** Sends the last failure once more. */
  repeatLastCallback(): Promise<{ status: number; decision: unknown }>;
  close(): Promise<void>;
}

export interface LifeOptions {
  readonly store: StoreName;
  readonly ending: Ending;
  readonly redisPort: number;
  readonly stopper: Stopper;
}

export async function createLife({ store, ending, redisPort, stopper }: LifeOptions): Promise<Life> {
  const folder = mkdtempSync(join(tmpdir(), 'dagain-crash-'));
  const timers = createTimersAhead();
  const answers: number[] = [];
  const sent: Callback[] = [];
  let isOver = false;
  const script: readonly [Behaviour, ...Behaviour[]] =
    ending === 'gives up' ? [fail({ durationMs: 10 })] : [fail({ durationMs: 10 }), succeed(10)];
  const model = createAirflowModel({
    version: '3.3',
    timers,
    latencies: LATENCIES,
    // One task, so that every life takes the same steps.
    dags: [{ dagId: RUN.dagId, callbacks: { runFailed: false }, tasks: [{ taskId: 'load', script }] }],
    onCallback: (callback) => void deliver(callback),
  });
  const airflow = await serveAirflow({ model });
  const receiver = await startAlertReceiver();
  const lock = createLock(join(folder, 'dagain.db'), store);
  const lockStore = () => lock.take();
  const port = await freePort();
  const toAirflow = await startGate({ target: airflow.url, stopper, stepOf: airflowStep, lockStore });
  const toReceiver = await startGate({ target: receiver.url, stopper, stepOf: () => 'alert', lockStore });
  const toService = await startGate({
    target: `http://127.0.0.1:${port}`,
    stopper,
    stepOf: (_method, path) => `callback ${path.split('/').at(-1)}`,
    lockStore,
    isInbound: true,
  });
  const tap = store === 'redis' ? await startRedisTap(redisPort, stopper) : null;
  const settings = {
    DAGAIN_AIRFLOW_URL: toAirflow.url,
    DAGAIN_AIRFLOW_USERNAME: 'admin',
    DAGAIN_AIRFLOW_PASSWORD: 'admin',
    DAGAIN_MAX_RETRIES: '1',
    DAGAIN_RETRY_DELAY: '50ms',
    DAGAIN_ALERT_WEBHOOK_URL: toReceiver.url,
    DAGAIN_LOG_LEVEL: 'debug',
    ...(tap === null
      ? { DAGAIN_DATA_DIR: folder }
      : { DAGAIN_REDIS_URL: tap.url, DAGAIN_NAMESPACE: `crash-${randomUUID()}` }),
  };
  const start = () => startProcess({ port, aheadMs: timers.aheadMs(), logFile: join(folder, 'service.log'), settings });
  let service = start();

  /**
   * Sends it again until it is stored. Not before the run has ended: each life then takes the same steps, since the
   * service never has to look twice.
   */
  async function deliver(callback: Callback): Promise<void> {
    if (callback.type === 'task-failed') sent.push(callback);
    while (model.stateOf(RUN) === 'running') await pause(5);
    while (!isOver) {
      const { status } = await post(toService.url, callback);
      if (status >= 200 && status < 300) {
        answers.push(status);
        return;
      }
      await pause(50);
    }
  }

  async function kept(): Promise<View[]> {
    const answer = await fetch(`${service.url}/v1/runs`);
    return Runs.parse(await answer.json()).runs;
  }

  async function hasEnded(): Promise<boolean> {
    const clears = model.clearsOf(RUN).length;
    const views = await kept().catch(() => null);
    if (views === null || clears === 0) return false;
    if (ending === 'recovers') return model.stateOf(RUN) === 'success' && views.length === 0;
    return model.stateOf(RUN) === 'failed' && views[0]?.phase === 'gave_up';
  }

  return {
    model,
    alerts: receiver.accepted,
    answers,
    async begin() {
      await service.listening();
      model.trigger(RUN);
    },
    async kill() {
      if (lock.isTaken()) await pause(LOCKED_MS);
      await service.kill();
      lock.release();
    },
    restart(laterMs = LATER_MS) {
      timers.advance(laterMs);
      service = start();
    },
    kept,
    async ended(limitMs = 45_000) {
      const giveUpAtMs = Date.now() + limitMs;
      while (!(await hasEnded())) {
        if (Date.now() > giveUpAtMs) {
          const clears = model.clearsOf(RUN).length;
          const seen = { clears, state: model.stateOf(RUN), kept: await kept().catch(String) };
          throw new Error(`not ended after ${limitMs} ms: ${JSON.stringify(seen)}`);
        }
        await pause(20);
      }
    },
    async repeatLastCallback() {
      const last = sent.at(-1);
      if (last === undefined) throw new Error('nothing was sent');
      const { status, body } = await post(service.url, last);
      return { status, decision: body?.decision };
    },
    async close() {
      isOver = true;
      await service.kill();
      lock.release();
      await Promise.all([toAirflow, toReceiver, toService, airflow, receiver, tap].map((part) => part?.close()));
      timers.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const Decided = z.looseObject({ decision: z.unknown() });

async function post(url: string, { type, body }: Callback) {
  try {
    const answer = await fetch(`${url}/v1/callbacks/${type}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(5_000),
    });
    return { status: answer.status, body: Decided.safeParse(await answer.json()).data };
  } catch {
    return { status: 0, body: undefined };
  }
}

function airflowStep(method: string, path: string): string {
  const [bare = ''] = path.split('?');
  const last = bare.split('/').at(-1) ?? '';
  if (/\/dags\/[^/]+$/.test(bare)) return 'Airflow: Dag';
  if (/\/dagRuns\/[^/]+$/.test(bare)) return `Airflow: ${method === 'GET' ? 'run' : 'note'}`;
  return `Airflow: ${last}`;
}

/** The write lock of the embedded store, which only one process can hold. */
function createLock(path: string, store: StoreName) {
  let database: DatabaseSync | null = null;
  return {
    isTaken: () => database !== null,
    take() {
      if (store !== 'sqlite') return;
      database = new DatabaseSync(path, { timeout: 2_000 });
      database.exec('BEGIN IMMEDIATE');
    },
    release() {
      database?.close();
      database = null;
    },
  };
}
