import type { NextFunction, Request, Response } from 'express';
import { Histogram, type Registry } from 'prom-client';

/**
 * Measures every request under its route's pattern and its status, both of which are bounded; whatever matches no route
 * is one series. One listener serves all responses, so that a request costs no closure.
 */
export function createHttpMetrics({ registry }: { registry: Registry }) {
  const durations = new Histogram({
    name: 'dagain_http_request_duration_seconds',
    help: 'From the headers of a request to the end of its answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
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
