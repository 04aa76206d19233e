import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Telemetry } from '../engine/telemetry.ts';
import { within } from './health.ts';
import type { Route } from './route.ts';

const COUNT_TIMEOUT_MS = 2_000;

/** A registry that holds the process's own metrics and what was built. */
export function createMetricsRegistry({ version }: { version: string }): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'dagain_build_info',
    help: 'Always 1; the labels say what runs here.',
    labelNames: ['version', 'node'],
    registers: [registry],
  }).set({ version, node: process.version }, 1);
  return registry;
}

/** Counts what the engine does, under names that follow Prometheus's conventions. */
export function createPrometheusTelemetry({ registry }: { registry: Registry }): Telemetry {
  const metrics = createMetrics([registry]);
  // Series that exist from the start, so that an alert on their rate does not miss the first event.
  for (const outcome of ['accepted', 'missing', 'refused', 'not_applied', 'unknown', 'too_late']) {
    metrics.clears.inc({ outcome }, 0);
  }
  for (const how of ['emptied', 'set_back']) metrics.storeLosses.inc({ how }, 0);
  for (const result of ['taken_up', 'stopped_by_person', 'audit_log_untold']) metrics.found.inc({ result }, 0);
  for (const result of ['read', 'unavailable']) metrics.searches.inc({ result }, 0);
  return {
    reported: (decision, reason) => metrics.callbacks.inc({ decision, reason }),
    stepped: (reason) => metrics.steps.inc({ reason }),
    cleared: (outcome) => metrics.clears.inc({ outcome }),
    ended: (how, reason) => metrics.ended.inc({ how, reason }),
    observed: (result, reason, durationMs) => metrics.requests.observe({ result, reason }, durationMs / 1_000),
    alerted: (channel, accepted) => metrics.alerts.inc({ channel, result: accepted ? 'accepted' : 'not_accepted' }),
    storeLost: (how) => metrics.storeLosses.inc({ how }),
    searched: (result) => metrics.searches.inc({ result }),
    foundFailed: (result) => metrics.found.inc({ result }),
    noted: (result) => metrics.notes.inc({ result }),
    swapConflict: () => metrics.conflicts.inc(),
    workFailed: () => metrics.workFailures.inc(),
    lag: (lagMs) => metrics.lag.observe(lagMs / 1_000),
  };
}

function createMetrics(registers: Registry[]) {
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets: number[]) =>
    new Histogram({ name, help, labelNames, buckets, registers });
  return {
    callbacks: counter('dagain_callbacks_total', 'Callbacks answered.', ['decision', 'reason']),
    steps: counter('dagain_steps_total', 'Times that a record was worked on.', ['reason']),
    clears: counter('dagain_clears_total', 'Clear requests, by what became of them.', ['outcome']),
    ended: counter('dagain_runs_ended_total', 'Runs whose retries ended.', ['how', 'reason']),
    alerts: counter('dagain_alert_sends_total', 'Alerts sent to a channel.', ['channel', 'result']),
    storeLosses: counter('dagain_store_losses_total', 'Times that the store was found to have lost data.', ['how']),
    searches: counter('dagain_searches_total', 'Times that failed runs were searched for (watch mode).', ['result']),
    found: counter('dagain_found_runs_total', 'Failed runs that watch mode found, by what became of them.', ['result']),
    notes: counter('dagain_notes_total', 'Lines written on runs for people, or not.', ['result']),
    conflicts: counter('dagain_swap_conflicts_total', 'Swaps that somebody else won.', []),
    workFailures: counter('dagain_work_failures_total', 'Work on a run that ended in an error.', []),
    requests: histogram(
      'dagain_orchestrator_request_duration_seconds',
      'How long looks at a run took.',
      ['result', 'reason'],
      [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    ),
    lag: histogram(
      'dagain_due_lag_seconds',
      'How long after its due time work on a run began.',
      [],
      [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1_800],
    ),
  };
}

export interface StoreGaugeDeps {
  readonly registry: Registry;
  /** How many records there are, and how many are due now. */
  readonly count: () => Promise<{ records: number; due: number }>;
}

/** Gauges that are counted when they are read; without a value while the store cannot be reached. */
export function registerStoreGauges({ registry, count }: StoreGaugeDeps): void {
  let counting: Promise<{ records: number; due: number } | null> | null = null;

  /** Both gauges, and readers that come together, share one count. */
  function counted(): Promise<{ records: number; due: number } | null> {
    counting ??= count()
      .catch(() => null)
      .finally(() => {
        counting = null;
      });
    return within(COUNT_TIMEOUT_MS, counting, null);
  }

  function gauge(name: string, help: string, pick: (counts: { records: number; due: number }) => number): void {
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const counts = await counted();
        if (counts === null) this.remove();
        else this.set(pick(counts));
      },
    });
  }

  gauge('dagain_records', 'Records in the store.', ({ records }) => records);
  gauge('dagain_due_records', 'Records whose work is due.', ({ due }) => due);
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
      response.setHeader('Content-Length', Buffer.byteLength(text));
      response.end(text);
    },
  };
}
