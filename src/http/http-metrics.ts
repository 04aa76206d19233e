import type { NextFunction, Request, Response } from 'express';
import type { Registry } from 'prom-client';
import { METRICS } from './metrics/catalogue.ts';
import { createHistogram } from './metrics/instruments.ts';

/**
 * Measures every request under its route's pattern and its status, both of which are bounded; whatever matches no route
 * is one series. One listener serves all responses, so that a request costs no closure.
 */
export function createHttpMetrics({ registry }: { registry: Registry }) {
  const durations = createHistogram(registry, METRICS.httpRequests);
  const startedAt = new WeakMap<Response, number>();
  function finished(this: Response): void {
    const endedAt = performance.now();
    const seconds = (endedAt - (startedAt.get(this) ?? endedAt)) / 1_000;
    // Express sets this to the route that matched.
    const pattern: unknown = this.req.route?.path;
    const route = typeof pattern === 'string' ? pattern : 'unmatched';
    durations.observe({ method: this.req.method, route, status: this.statusCode }, seconds);
  }
  return function measure(_request: Request, response: Response, next: NextFunction): void {
    startedAt.set(response, performance.now());
    response.on('finish', finished);
    next();
  };
}
