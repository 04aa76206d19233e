import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

const START_TIMEOUT_MS = 90_000;
const WAIT_MS = 300_000;
const OPERATOR_TOKEN = 'operator-token';

export interface SidecarOptions {
  readonly port: number;
  readonly airflowUrl: string;
  readonly logFile: string;
  /** Where it keeps its state, and whatever else differs. */
  readonly env: Readonly<Record<string, string>>;
}

/** What tests look at of `GET /v1/runs/{dag_id}/{dag_run_id}`. */
const View = z.object({
  phase: z.string(),
  attempt: z.int(),
  retries_used: z.int(),
  max_retries: z.int(),
  due_at: z.string().nullable(),
  reason: z.string().nullable(),
  history: z.array(z.object({ type: z.string(), reason: z.string() })),
});
export type View = z.infer<typeof View>;

/** What tests look at of `GET /v1/policy?dag_id=`. */
const Policy = z.object({
  policy: z.record(z.string(), z.object({ value: z.unknown(), source: z.string() })),
  tags_known: z.boolean(),
  tag_problems: z.array(z.unknown()),
});
export type Policy = z.infer<typeof Policy>;

/** The built service as a process of its own. */
export interface Sidecar {
  readonly url: string;
  /** Null when the service keeps nothing of the run. */
  view(dagId: string, runId: string): Promise<View | null>;
  /** Resolves once the view is as wanted. @throws Error with what it was at last, and the end of the log */
  waitFor(dagId: string, runId: string, reached: (view: View | null) => boolean): Promise<View | null>;
  /** The policy in force for a Dag. */
  policy(dagId: string): Promise<Policy>;
  /** Resolves once `text` stands in its log. @throws Error with the end of the log */
  waitForLog(text: string): Promise<void>;
  /** SIGHUP: the policy file is read again. */
  reload(): void;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export async function startSidecar({ port, airflowUrl, logFile, env }: SidecarOptions): Promise<Sidecar> {
  const log = openSync(logFile, 'a');
  const child = spawn(process.execPath, ['dist/main.js', 'serve'], {
    stdio: ['ignore', log, log],
    env: {
      PATH: process.env['PATH'],
      DAGAIN_PORT: String(port),
      DAGAIN_AIRFLOW_URL: airflowUrl,
      DAGAIN_AIRFLOW_USERNAME: 'dagain',
      DAGAIN_AIRFLOW_PASSWORD: 'dagain',
      DAGAIN_OPERATOR_TOKEN: OPERATOR_TOKEN,
      DAGAIN_LOG_LEVEL: 'debug',
      ...env,
    },
  });
  const url = `http://127.0.0.1:${port}`;
  await waitUntilReady(url, child, logFile);

  /** Null for a 404. */
  async function read<T>(schema: z.ZodType<T>, path: string): Promise<T | null> {
    const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${OPERATOR_TOKEN}` } });
    if (answer.status === 404) return null;
    if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
    return schema.parse(await answer.json());
  }

  const view = (dagId: string, runId: string) =>
    read(View, `/v1/runs/${encodeURIComponent(dagId)}/${encodeURIComponent(runId)}`);

  async function tooLate(what: string): Promise<Error> {
    const lines = (await readFile(logFile, 'utf8')).trimEnd().split('\n');
    return new Error(`after ${WAIT_MS} ms ${what}; ${logFile} ends with\n${lines.slice(-20).join('\n')}`);
  }

  async function end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    child.kill(signal);
    const [code] = await once(child, 'exit');
    return code;
  }

  return {
    url,
    view,
    async waitFor(dagId, runId, reached) {
      const deadline = Date.now() + WAIT_MS;
      for (;;) {
        const now = await view(dagId, runId);
        if (reached(now)) return now;
        if (Date.now() > deadline) throw await tooLate(`the view is ${JSON.stringify(now)}`);
        await delay(100);
      }
    },
    async policy(dagId) {
      const policy = await read(Policy, `/v1/policy?dag_id=${encodeURIComponent(dagId)}`);
      if (policy === null) throw new Error('the service does not tell its policy');
      return policy;
    },
    async waitForLog(text) {
      const deadline = Date.now() + WAIT_MS;
      while (!(await readFile(logFile, 'utf8')).includes(text)) {
        if (Date.now() > deadline) throw await tooLate(`there is no "${text}" in the log`);
        await delay(100);
      }
    },
    reload() {
      child.kill('SIGHUP');
    },
    stop: () => end('SIGTERM'),
    async kill() {
      await end('SIGKILL');
    },
  };
}

async function waitUntilReady(url: string, child: ChildProcess, logFile: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}: see ${logFile}`);
    const isReady = await fetch(`${url}/readyz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (isReady) return;
    if (Date.now() > deadline)
      throw new Error(`the service was not ready after ${START_TIMEOUT_MS} ms: see ${logFile}`);
    await delay(50);
  }
}
