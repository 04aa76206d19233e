import type { Registry } from 'prom-client';
import type { AlertChannel } from '../alerts/port.ts';
import type { Environment } from '../config/environment.ts';
import type { Telemetry } from '../engine/telemetry.ts';
import { createPrometheusTelemetry } from '../http/metrics/telemetry.ts';
import { createMetricsRegistry } from '../http/metrics.ts';
import type { Orchestrator } from '../orchestrator/port.ts';

/** Where everything is counted. */
export interface Monitoring {
  readonly registry: Registry;
  readonly telemetry: Telemetry;
  /** For durations: unlike the clock of day, never set back. */
  readonly nowMs: () => number;
}

export interface MonitoringDeps {
  readonly environment: Environment;
  readonly channels: readonly AlertChannel[];
  readonly version: string;
}

export function createMonitoring({ environment, channels, version }: MonitoringDeps): Monitoring {
  const { DAGAIN_MODE: mode, DAGAIN_REDIS_URL: redisUrl, DAGAIN_WATCH: watch } = environment;
  const store = redisUrl === undefined ? 'sqlite' : 'redis';
  const registry = createMetricsRegistry({ version, setUp: { mode, store, watch } });
  const names = channels.map(({ name }) => name);
  const telemetry = createPrometheusTelemetry({ registry, channels: names });
  return { registry, telemetry, nowMs: () => performance.now() };
}

/** `reachable`, or why there was no usable answer. */
export async function statusOf(orchestrator: Pick<Orchestrator, 'health'>): Promise<string> {
  const health = await orchestrator.health();
  return health.type === 'reachable' ? health.type : health.reason;
}
