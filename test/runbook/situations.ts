import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../app/stack.ts';
import { type Operated, startOperated } from '../cli/operated.ts';
import type { Settings } from '../cli/run.ts';
import { type DagDefinition, fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { serveAirflow } from '../support/airflow/serve.ts';
import { startRedis } from '../support/redis-server.ts';

/** What a page describes, set up for real. */
export interface Situation {
  /** Of the service, and of whoever is on call. */
  settings: Settings;
  /** What happens meanwhile, by name; the steps of a page say when. */
  readonly events: Readonly<Record<string, () => Promise<void>>>;
  close(): Promise<void>;
}

const QUICK_MS = 30;
const QUICK_RETRY = { delay: 0.4, max_retries: 1 };
const failing = { taskId: 'load', script: [fail({ durationMs: QUICK_MS })] } as const;
const STUCK: DagDefinition = { dagId: 'etl_daily', tasks: [failing] };
const GIVEN_UP: DagDefinition = { dagId: 'given_up', retry: QUICK_RETRY, tasks: [failing] };

const metrics = async (operated: Operated) => await (await fetch(`${operated.url}/metrics`)).text();

/** Two runs at their cap, whose cause is mended later. */
export async function attemptCap(): Promise<Situation> {
  let isMended = false;
  const script = () => (isMended ? succeed(QUICK_MS) : fail({ durationMs: QUICK_MS }));
  const operated = await startOperated({}, [
    { dagId: 'etl_daily', retry: QUICK_RETRY, tasks: [{ taskId: 'load', script }] },
  ]);
  for (const dagRunId of ['r1', 'r2']) await operated.failRun('etl_daily', dagRunId, 'gave_up');
  return {
    settings: { ...operated.settings, DAG: 'etl_daily', RUN: 'r1' },
    events: {
      async mended() {
        isMended = true;
      },
      async 'all are granted, and recover'() {
        const which = '--phase gave_up --reason max_retries_reached --newer-than 24h';
        await operated.run(`runs grant ${which} --retries 1 --comment mended --yes`);
        await until(async () => (await operated.run('runs list')).out.startsWith('No run'));
      },
    },
    close: () => operated.close(),
  };
}

/** A task that forbids its retry, and is mended later. */
export async function givenUp(): Promise<Situation> {
  let isMended = false;
  const script = () =>
    isMended ? succeed(QUICK_MS) : fail({ durationMs: QUICK_MS, type: 'airflow.exceptions.AirflowFailException' });
  const operated = await startOperated({}, [
    { dagId: 'etl_daily', retry: QUICK_RETRY, tasks: [{ taskId: 'load', script }] },
  ]);
  await operated.failRun('etl_daily', 'r1', 'gave_up');
  return {
    settings: { ...operated.settings, ...airflowSettings(operated), DAG: 'etl_daily', RUN: 'r1' },
    events: {
      async mended() {
        isMended = true;
      },
    },
    close: () => operated.close(),
  };
}

/** A Redis that is stopped, comes back with its data, and later loses it. */
export async function storeLost(): Promise<Situation> {
  const redis = await startRedis({
    appendonly: true,
    args: ['--appendfsync', 'always', '--maxmemory-policy', 'noeviction'],
  });
  const operated = await startOperated({ DAGAIN_REDIS_URL: redis.url }, [STUCK, GIVEN_UP]);
  await operated.failRun('etl_daily', 'r1');
  const readiness = async () => (await fetch(`${operated.url}/readyz`)).status;
  await redis.kill();
  await until(async () => (await readiness()) === 503);
  return {
    settings: { ...operated.settings, DAGAIN_REDIS_URL: redis.url },
    events: {
      async 'Redis is back'() {
        await redis.restart();
        await until(async () => (await readiness()) === 200);
      },
      async 'Redis has lost everything'() {
        const { createClient } = await import('@keyv/redis');
        const client = createClient({ url: redis.url });
        client.on('error', () => {});
        await client.connect();
        await client.sendCommand(['FLUSHALL']);
        client.destroy();
        // Before a retry it is looked whether the store is as it is known.
        operated.stack.model.trigger({ dagId: 'given_up', dagRunId: 'after' });
        await until(async () => /^dagain_store_losses_total\{how="emptied"\} [1-9]/m.test(await metrics(operated)));
      },
    },
    async close() {
      await operated.close();
      await redis.stop();
    },
  };
}

/** An Airflow that is gone, and comes back. */
export async function airflowUnreachable(): Promise<Situation> {
  const operated = await startOperated({}, [STUCK]);
  const { stack } = operated;
  await operated.failRun('etl_daily', 'r1');
  await stack.airflow.close();
  const port = Number(new URL(stack.airflow.url).port);
  let again: { close(): Promise<void> } | null = null;
  const reached = async (wanted: boolean) => until(async () => ((await operated.run('status')).code === 0) === wanted);
  await reached(false);
  return {
    settings: { ...operated.settings, ...airflowSettings(operated), DAG: 'etl_daily' },
    events: {
      async 'Airflow is back'() {
        again = await serveAirflow({ model: stack.model, port });
        await reached(true);
      },
    },
    async close() {
      await operated.close();
      await again?.close();
    },
  };
}

function airflowSettings({ stack }: Operated): Settings {
  return { DAGAIN_AIRFLOW_URL: stack.airflow.url, DAGAIN_AIRFLOW_USERNAME: 'admin', DAGAIN_AIRFLOW_PASSWORD: 'admin' };
}

/** A wrong password, and a restart with the right one. */
export async function credentialsRefused(): Promise<Situation> {
  const redis = await startRedis();
  const store = { DAGAIN_REDIS_URL: redis.url };
  const operated = await startOperated({ ...store, DAGAIN_AIRFLOW_PASSWORD: 'changed' }, [STUCK]);
  await operated.failRun('etl_daily', 'r1', 'confirming');
  await until(async () => /^dagain_orchestrator_status\{status="unauthorized"\} 1$/m.test(await metrics(operated)));
  const right = { ...operated.settings, ...airflowSettings(operated), ...store };
  const situation: Situation = {
    settings: { ...right, DAGAIN_AIRFLOW_PASSWORD: 'changed' },
    events: {
      async 'the password is put right'() {
        situation.settings = right;
      },
      async 'the service is started with it'() {
        const { DAGAIN_OPERATOR_TOKEN = '' } = operated.settings;
        const { url } = await operated.stack.startApp({ ...store, DAGAIN_OPERATOR_TOKEN, DAGAIN_RETRY_DELAY: '1h' });
        situation.settings = { ...right, DAGAIN_URL: url };
        await until(async () =>
          (await operated.run('runs show etl_daily r1', situation.settings)).out.includes('waiting'),
        );
      },
    },
    async close() {
      await operated.close();
      await redis.stop();
    },
  };
  return situation;
}

/** A receiver of alerts that answers 500, and is mended. */
export async function alertsUndeliverable(): Promise<Situation> {
  let status = 500;
  const receiver = createServer((request, response) => {
    request.resume();
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const channel = { DAGAIN_ALERT_WEBHOOK_URL: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/alerts` };
  const operated = await startOperated(channel, [GIVEN_UP]);
  await operated.failRun('given_up', 'r1', 'giving_up');
  await until(async () => /^dagain_pending_alerts\{channel="webhook"\} 1$/m.test(await metrics(operated)));
  return {
    settings: { ...operated.settings, ...channel },
    events: {
      async 'the receiver is mended'() {
        status = 204;
        await until(async () => !/^dagain_pending_alerts\{/m.test(await metrics(operated)));
      },
    },
    async close() {
      await operated.close();
      receiver.closeAllConnections();
      receiver.close();
    },
  };
}

const MANY = 200;

/** Hundreds of runs of one Dag fail together. */
export async function retryStorm(): Promise<Situation> {
  const operated = await startOperated({}, [STUCK, { dagId: 'other', tasks: [failing] }]);
  for (let n = 0; n < MANY; n += 1) operated.stack.model.trigger({ dagId: 'etl_daily', dagRunId: `r${n}` });
  await operated.failRun('other', 'r1');
  const isWaiting = new RegExp(`^dagain_records\\{phase="waiting"\\} ${MANY + 1}$`, 'm');
  await until(async () => isWaiting.test(await metrics(operated)));
  return { settings: { ...operated.settings, DAG: 'etl_daily' }, events: {}, close: () => operated.close() };
}

/** A policy file that is not valid, a callback that was refused, and pauses that are forgotten. */
export async function serviceTrouble(): Promise<Situation> {
  const folder = mkdtempSync(join(tmpdir(), 'dagain-trouble-'));
  const file = join(folder, 'policy.yaml');
  writeFileSync(file, 'defaults: { max_retries: 2 }\n');
  const operated = await startOperated({ DAGAIN_POLICY_FILE: file }, [STUCK]);
  const reads = async (isValid: 0 | 1) =>
    until(async () => (await metrics(operated)).includes(`dagain_policy_last_reload_successful ${isValid}\n`));
  await operated.failRun('etl_daily', 'r1');
  await operated.run('dags pause etl_daily --comment forgotten');
  await operated.run('dags pause --all --comment forgotten');
  await fetch(`${operated.url}/v1/callbacks/run-failed`, { method: 'POST' });
  writeFileSync(file, 'defaults: { max_retrys: 2 }\n');
  await reads(0);
  const { settings } = operated;
  return {
    settings: { ...settings, ...airflowSettings(operated), DAGAIN_POLICY_FILE: file, DAG: 'etl_daily' },
    events: {
      async 'the policy file is mended'() {
        writeFileSync(file, 'defaults: { max_retries: 3 }\n');
        await reads(1);
      },
    },
    async close() {
      await operated.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Nothing is wrong. */
export async function calm(): Promise<Situation> {
  const operated = await startOperated();
  return { settings: operated.settings, events: {}, close: () => operated.close() };
}
