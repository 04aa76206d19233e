import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { Registry } from 'prom-client';
import type { FailureReported, SuccessReported } from '../../src/core/event.ts';
import type { RunRecord } from '../../src/core/record.ts';
import type { RunKey } from '../../src/core/run-key.ts';
import type { Intake, IntakeAnswer } from '../../src/engine/intake.ts';
import type { Log } from '../../src/engine/log.ts';
import { createRuns, type Runs } from '../../src/engine/runs.ts';
import { createHttpApp, type HttpAppDeps } from '../../src/http/app.ts';
import { createHttpServer, type HttpLimits, type HttpServer } from '../../src/http/server.ts';
import type { RunStore } from '../../src/store/port.ts';
import { createMemoryStore } from '../engine/memory-store.ts';

/** 2026-01-01T12:00:00Z: what the service under test takes for now. */
export const NOW_MS = Date.UTC(2026, 0, 1, 12);

export const ANSWER: IntakeAnswer = {
  decision: 'retry_scheduled',
  reason: 'failure_reported',
  nextAttempt: 2,
  retriesUsed: 0,
  maxRetries: 2,
  retryAtMs: NOW_MS + 60_000,
};

export const TASK_FAILED = { dag_id: 'etl', dag_run_id: 'manual__2026-01-01T00:00:00+00:00', task_id: 'load' };

export interface Report {
  readonly key: RunKey;
  readonly event: FailureReported | SuccessReported;
}

/** Remembers what it was told; `answer` decides what it says, or rejects. */
export interface FakeIntake extends Intake {
  readonly reports: Report[];
  answer: (report: Report) => Promise<IntakeAnswer>;
}

export function createFakeIntake(): FakeIntake {
  return {
    reports: [],
    answer: async () => ANSWER,
    report(key, event) {
      this.reports.push({ key, event });
      return this.answer({ key, event });
    },
  };
}

/** The real reads over records that are held in memory. */
export function runsOf(records: readonly RunRecord[]): Runs {
  const store = createMemoryStore();
  for (const record of records) store.put(record);
  return runsIn(store);
}

export function runsIn(store: Pick<RunStore, 'load' | 'list'>): Runs {
  return createRuns({
    store,
    orchestrator: { linkTo: ({ dagId, dagRunId }) => `https://airflow.example/${dagId}/${dagRunId}` },
    pauses: { ofDag: async () => () => null },
    clock: { nowMs: () => NOW_MS },
  });
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: object;
  readonly message: string;
}

export function createFakeLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: LogLine['level']) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

export interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Serving {
  readonly port: number;
  readonly server: HttpServer;
  readonly intake: FakeIntake;
  readonly log: { readonly lines: LogLine[] };
  readonly registry: Registry;
  send(sent: Sent): Promise<Got>;
  /** Posts JSON; anything but a string or bytes is serialised. */
  post(path: string, body: unknown, headers?: Sent['headers']): Promise<Got>;
  get(path: string, headers?: Sent['headers']): Promise<Got>;
  close(): Promise<void>;
}

export type ServingOptions = Partial<HttpAppDeps> & { limits?: Partial<HttpLimits>; graceMs?: number };

/** A real server on a free loopback port, with fakes behind it. */
export async function serve(options: ServingOptions = {}): Promise<Serving> {
  const intake = createFakeIntake();
  const log = createFakeLog();
  const registry = new Registry();
  const { limits = {}, graceMs = 5_000, ...deps } = options;
  const app = createHttpApp({
    intake,
    runs: runsOf([]),
    auth: { callbackTokens: [], operatorTokens: [], webhookSecrets: [] },
    knownHosts: null,
    nowMs: () => NOW_MS,
    log,
    registry,
    checks: [],
    isClosing: () => server.isClosing(),
    version: '0.0.0-test',
    ...deps,
  });
  const server = createHttpServer({ app, host: '127.0.0.1', port: 0, log, limits, graceMs });
  const { port } = await server.listen();
  const agent = new Agent({ keepAlive: true });
  const send = (sent: Sent) => exchange(port, agent, sent);
  return {
    port,
    server,
    intake,
    log,
    registry: options.registry ?? registry,
    send,
    post: (path, body, headers) =>
      send({ method: 'POST', path, body: asBody(body), headers: { 'content-type': 'application/json', ...headers } }),
    get: (path, headers = {}) => send({ path, headers }),
    async close() {
      agent.destroy();
      await server.close();
    },
  };
}

function asBody(body: unknown): string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
}

/** The path goes out exactly as it is, which `fetch` does not do. */
function exchange(port: number, agent: Agent, { method = 'GET', path, headers = {}, body }: Sent): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sending = request({ port, agent, method, path, headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        });
      });
    });
    sending.on('error', reject);
    sending.end(body);
  });
}
