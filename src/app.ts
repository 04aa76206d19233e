import type { Logger } from 'pino';
import type { AlertChannel } from './alerts/port.ts';
import { createChannels, linksFrom } from './app/channels.ts';
import { createMonitoring, type Monitoring, statusOf } from './app/monitoring.ts';
import { createOrchestrator, createPolicySource, openState, type State } from './app/parts.ts';
import { factsFrom, healthChecks, orchestratorStatus } from './app/status.ts';
import { openTracing, type Tracing } from './app/tracing.ts';
import { type Environment, LOOPBACK } from './config/environment.ts';
import { createConsole } from './console/console.ts';
import { DagainError } from './core/errors.ts';
import { createCensus } from './engine/census.ts';
import type { Clock } from './engine/clock.ts';
import { createEngine, type EngineDeps } from './engine/engine.ts';
import { measureOrchestrator, measureStore } from './engine/measured-ports.ts';
import { createHttpApp } from './http/app.ts';
import type { AuthSettings } from './http/auth.ts';
import { registerOrchestratorGauge, registerStoreGauges } from './http/metrics/gauges.ts';
import { operatorRoutes } from './http/operator-routes.ts';
import { underPrefix } from './http/path-prefix.ts';
import { createHttpServer, type HttpServer } from './http/server.ts';
import type { Orchestrator } from './orchestrator/port.ts';
import { VERSION } from './version.ts';

export { createLog } from './app/log.ts';

export const REAL_CLOCK: Clock = {
  nowMs: () => Date.now(),
  schedule(delayMs, callback) {
    // Timers hold at most 2^31 - 1 ms; whoever waits longer looks again when it fires.
    const timer = setTimeout(callback, Math.min(delayMs, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

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
  const channels = createChannels(environment, clock.nowMs);
  const monitoring = createMonitoring({ environment, channels, version: VERSION });
  const { telemetry } = monitoring;
  const orchestrator = measureOrchestrator(createOrchestrator(environment, clock, log), monitoring);
  const onReload = telemetry.policyRead;
  const policies = createPolicySource({ environment, orchestrator, channels, clock, log, onReload });
  const open: { close(): void | Promise<void> }[] = [policies, orchestrator];
  const release = async () => {
    await Promise.all(open.map((part) => part.close()));
  };
  try {
    const state = await openState(environment, clock, log);
    open.push(state);
    const tracing = await openTracing({ environment, log, version: VERSION });
    if (tracing !== null) open.push(tracing);
    return assemble({ environment, log, clock, monitoring, tracing, orchestrator, channels, policies, state, release });
  } catch (error) {
    // What stays open would keep a process alive that has nothing to do.
    await release();
    throw error;
  }
}

interface Parts extends Required<AppOptions> {
  readonly monitoring: Monitoring;
  readonly tracing: Tracing | null;
  readonly orchestrator: Orchestrator;
  readonly channels: readonly AlertChannel[];
  readonly policies: ReturnType<typeof createPolicySource>;
  readonly state: State;
  readonly release: () => Promise<void>;
}

function assemble({
  environment,
  log,
  clock,
  monitoring,
  tracing,
  orchestrator,
  channels,
  policies,
  state,
  release,
}: Parts): App {
  const { DAGAIN_HOST: host, DAGAIN_PORT: port } = environment;
  const { registry, telemetry } = monitoring;
  const traced = tracing === null ? {} : { tracer: tracing.tracer };
  const store = measureStore(state.store, monitoring);
  const random = Math.random;
  const engine = createEngine({
    store,
    orchestrator,
    channels,
    links: linksFrom(environment),
    policies: policies.source,
    clock,
    random,
    log,
    telemetry,
    ...traced,
    writesNotes: environment.DAGAIN_NOTES === 'on',
    isShadow: environment.DAGAIN_MODE === 'shadow',
    ...searchFrom(environment),
  });
  const { known: pauses } = engine.desk.pauses;
  const count = () => store.count(clock.nowMs());
  registerStoreGauges({ registry, count, census: createCensus({ store, clock }), pauses });
  registerOrchestratorGauge({ registry, look: () => statusOf(orchestrator), nowMs: clock.nowMs });
  const page = createConsole();
  const app = createHttpApp({
    intake: engine.intake,
    runs: engine.desk.runs,
    auth: authFrom(environment),
    knownHosts: knownHostsFrom(environment),
    nowMs: () => clock.nowMs(),
    log,
    registry,
    ...traced,
    checks: healthChecks(store, orchestrator),
    isClosing: () => server.isClosing(),
    version: VERSION,
    seenWebhookIds: state.seenWebhookIds,
    routes: [
      ...operatorRoutes({
        desk: engine.desk,
        clock,
        facts: factsFrom(environment, { version: VERSION, storeName: state.name, startedAtMs: clock.nowMs() }),
        health: () => orchestratorStatus(orchestrator),
      }),
      ...page.routes,
    ],
    missingPage: page.missing,
  });
  const served = underPrefix(app, environment.DAGAIN_PUBLIC_URL ?? null);
  const server = createHttpServer({ app: served, host, port, log });

  async function stop(): Promise<void> {
    await Promise.all([server.close(), engine.stop()]);
    await release();
  }

  async function start(): Promise<{ url: string }> {
    for (const warning of await store.warnings()) log.warn({ store: state.name }, warning);
    if (environment.DAGAIN_MODE === 'shadow') log.warn({ mode: 'shadow' }, 'shadow mode: nothing is cleared');
    if (channels.length === 0) log.warn({}, 'no alert channel is configured: give-ups show only in logs and metrics');
    const url = await listen(server, host, port);
    engine.start();
    log.info({ url, store: state.name, version: VERSION }, `listening on ${url}`);
    return { url };
  }

  return {
    async start() {
      try {
        return await start();
      } catch (error) {
        await stop();
        throw error;
      }
    },
    stop,
    reloadPolicy: () => policies.reload(),
  };
}

/** @throws DagainError `configuration_invalid` when the address cannot be had */
async function listen(server: HttpServer, host: string, wantedPort: number): Promise<string> {
  const shownHost = host.includes(':') ? `[${host}]` : host;
  try {
    const { port } = await server.listen();
    return `http://${shownHost}:${port}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? 'it is taken' : 'it cannot be had';
    const problem = `cannot listen on ${shownHost}:${wantedPort} (DAGAIN_HOST, DAGAIN_PORT): ${why} (${code})`;
    throw new DagainError('configuration_invalid', problem, { cause: error });
  }
}

/** What a tombstone does not remember any more must not be found again. */
function searchFrom(environment: Environment): Pick<EngineDeps, 'search'> {
  const { DAGAIN_WATCH: watch, DAGAIN_WATCH_INTERVAL: intervalMs, DAGAIN_WATCH_LOOK_BACK: lookBackMs } = environment;
  if (watch === 'off') return {};
  return { search: { intervalMs, lookBackMs: Math.min(lookBackMs, environment.DAGAIN_TOMBSTONE_TTL) } };
}

/** Whoever listens on another address without tokens has chosen to take anybody, by whatever name. */
function knownHostsFrom({ DAGAIN_HOST: host, DAGAIN_PUBLIC_URL: publicUrl }: Environment): readonly string[] | null {
  if (!LOOPBACK.has(host)) return null;
  return publicUrl === undefined ? [] : [new URL(publicUrl).hostname];
}

function authFrom(environment: Environment): AuthSettings {
  return {
    callbackTokens: environment.DAGAIN_CALLBACK_TOKEN ?? [],
    operatorTokens: environment.DAGAIN_OPERATOR_TOKEN ?? [],
    webhookSecrets: environment.DAGAIN_WEBHOOK_SECRET ?? [],
  };
}
