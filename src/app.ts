import { type Logger, pino } from 'pino';
import { createChannels, createOrchestrator, createPolicySource, openState } from './app/parts.ts';
import type { Environment } from './config/environment.ts';
import type { Clock } from './engine/clock.ts';
import { createEngine } from './engine/engine.ts';
import { createHttpApp } from './http/app.ts';
import type { AuthSettings } from './http/auth.ts';
import type { HealthCheck } from './http/health.ts';
import { createMetricsRegistry, createPrometheusTelemetry, registerStoreGauges } from './http/metrics.ts';
import { operationRoutes } from './http/operations.ts';
import { policyRoute } from './http/policy.ts';
import { createHttpServer } from './http/server.ts';
import type { Orchestrator } from './orchestrator/port.ts';
import type { RunStore } from './store/port.ts';
import { VERSION } from './version.ts';

const LOG_BUFFER_BYTES = 4_096;
/** How long a line may wait; the exit of the process writes what is left. */
const LOG_FLUSH_INTERVAL_MS = 250;

export const REAL_CLOCK: Clock = {
  nowMs: () => Date.now(),
  schedule(delayMs, callback) {
    // Timers hold at most 2^31 - 1 ms; whoever waits longer looks again when it fires.
    const timer = setTimeout(callback, Math.min(delayMs, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

export function createLog(level: string): Logger {
  // Lines are written in groups: one write for each line costs a tenth of a callback.
  const destination = pino.destination({ sync: false, minLength: LOG_BUFFER_BYTES });
  setInterval(() => destination.flush(), LOG_FLUSH_INTERVAL_MS).unref();
  return pino(
    {
      level,
      base: { service: 'dagain' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
}

/** What a running service is made of, opened and closed as one. */
export interface App {
  /** Begins to work and to listen. */
  start(): Promise<{ readonly url: string }>;
  /** Takes nothing more, finishes what is in flight, hands back leases, closes everything. */
  stop(): Promise<void>;
  reloadPolicy(): void;
}

export interface AppOptions {
  readonly environment: Environment;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** Puts the parts together. @throws DagainError when the settings or the store do not allow to serve */
export async function createApp({ environment, log, clock = REAL_CLOCK }: AppOptions): Promise<App> {
  const registry = createMetricsRegistry({ version: VERSION });
  const telemetry = createPrometheusTelemetry({ registry });
  const orchestrator = createOrchestrator(environment, clock, log);
  const channels = createChannels(environment, clock);
  const policies = createPolicySource({ environment, orchestrator, channels, clock, log });
  const state = await openState(environment, log);
  const engine = createEngine({
    store: state.store,
    orchestrator,
    channels,
    policies: policies.source,
    clock,
    random: Math.random,
    log,
    telemetry,
  });
  registerStoreGauges({ registry, count: () => state.store.count(clock.nowMs()) });
  const server = createHttpServer({
    app: createHttpApp({
      ...engine,
      auth: authFrom(environment),
      nowMs: () => clock.nowMs(),
      log,
      registry,
      checks: healthChecks(state.store, orchestrator),
      isClosing: () => server.isClosing(),
      version: VERSION,
      seenWebhookIds: state.seenWebhookIds,
      routes: [policyRoute(policies.source), ...operationRoutes(engine.operations)],
    }),
    host: environment.DAGAIN_HOST,
    port: environment.DAGAIN_PORT,
    log,
  });

  return {
    async start() {
      for (const warning of await state.store.warnings()) log.warn({ store: state.name }, warning);
      if (channels.length === 0) log.warn({}, 'no alert channel is configured: give-ups show only in logs and metrics');
      const { port } = await server.listen();
      engine.worker.start();
      const url = `http://${environment.DAGAIN_HOST.includes(':') ? `[${environment.DAGAIN_HOST}]` : environment.DAGAIN_HOST}:${port}`;
      log.info({ url, store: state.name, version: VERSION }, `listening on ${url}`);
      return { url };
    },
    async stop() {
      await server.close();
      await engine.worker.stop();
      policies.close();
      await Promise.all([state.close(), orchestrator.close()]);
    },
    reloadPolicy: () => policies.reload(),
  };
}

function authFrom(environment: Environment): AuthSettings {
  return {
    callbackTokens: environment.DAGAIN_CALLBACK_TOKEN ?? [],
    operatorTokens: environment.DAGAIN_OPERATOR_TOKEN ?? [],
    webhookSecrets: environment.DAGAIN_WEBHOOK_SECRET ?? [],
  };
}

function healthChecks(store: RunStore, orchestrator: Orchestrator): HealthCheck[] {
  return [
    {
      name: 'store',
      required: true,
      async run() {
        await store.ping();
        return { ok: true, detail: 'answers' };
      },
    },
    {
      name: 'orchestrator',
      // Its outages are what the service is made to sit out: callbacks are taken all the same.
      required: false,
      async run() {
        const health = await orchestrator.health();
        if (health.type === 'reachable') return { ok: true, detail: `${health.name} ${health.version}` };
        return { ok: false, detail: health.reason };
      },
    },
  ];
}
