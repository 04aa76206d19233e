import { collectDefaultMetrics, Registry } from 'prom-client';
import { METRICS } from './metrics/catalogue.ts';
import { createGauge } from './metrics/instruments.ts';
import type { Route } from './route.ts';

export interface RegistryDeps {
  readonly version: string;
  /** How the service is set up, by label; bounded, and no secrets. */
  readonly setUp?: Readonly<Record<keyof typeof METRICS.serviceInfo.labels, string>>;
}

/** A registry that holds the process's own metrics, what was built, and how it is set up. */
export function createMetricsRegistry({ version, setUp }: RegistryDeps): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  createGauge(registry, METRICS.buildInfo).set({ version, node: process.version }, 1);
  if (setUp !== undefined) createGauge(registry, METRICS.serviceInfo).set(setUp, 1);
  return registry;
}

/** What Prometheus reads. */
export function metricsRoute(registry: Registry): Route {
  return {
    method: 'get',
    path: '/metrics',
    access: 'open',
    async handle(_request, response) {
      const text = await registry.metrics();
      response.setHeader('Content-Type', registry.contentType);
      response.setHeader('Cache-Control', 'no-store');
      response.setHeader('Content-Length', Buffer.byteLength(text));
      response.end(text);
    },
  };
}
