import type { Registry } from 'prom-client';
import type { JournalEntry } from '../../core/journal.ts';
import { REFUSALS } from '../../core/reason.ts';
import type { Telemetry } from '../../engine/telemetry.ts';
import { METRICS } from './catalogue.ts';
import { createCounter, createGauge, createHistogram } from './instruments.ts';

/** Why runs are given up, besides what the policy refuses. */
const OTHER_ENDS = ['settle_timeout', 'clear_refused', 'clear_had_no_effect', 'state_lost'];

export interface TelemetryDeps {
  readonly registry: Registry;
  /** The names of the alert channels. */
  readonly channels?: readonly string[];
}

/** Counts what the engine and its ports do, under names that follow Prometheus's conventions. */
export function createPrometheusTelemetry({ registry, channels = [] }: TelemetryDeps): Telemetry {
  const metrics = createMetrics(registry);
  metrics.policyReloadOk.set(1);
  // An alert on an increase misses the first event of a series that did not exist before.
  for (const reason of [...REFUSALS, ...OTHER_ENDS]) metrics.ended.inc({ how: 'gave_up', reason }, 0);
  metrics.ended.inc({ how: 'recovered', reason: 'run_succeeded' }, 0);
  for (const channel of channels) {
    for (const result of METRICS.alerts.labels.result) metrics.alerts.inc({ channel, result }, 0);
  }
  return {
    reported: (decision, reason) => metrics.callbacks.inc({ decision, reason }),
    stepped: (reason) => metrics.steps.inc({ reason }),
    cleared: (outcome) => metrics.clears.inc({ outcome }),
    happened: (entry) => countEntry(metrics, entry),
    operated: (action, decision) => metrics.operations.inc({ action, decision }),
    observed: (result, reason) => metrics.looks.inc({ result, reason }),
    orchestratorCalled: (operation, result, durationMs) =>
      metrics.orchestratorCalls.observe({ operation, result }, durationMs / 1_000),
    storeCalled: (operation, result, durationMs) =>
      metrics.storeCalls.observe({ operation, result }, durationMs / 1_000),
    alerted: (channel, result) => metrics.alerts.inc({ channel, result }),
    storeLost: (how) => metrics.storeLosses.inc({ how }),
    searched: (result) => metrics.searches.inc({ result }),
    foundFailed: (result) => metrics.found.inc({ result }),
    noted: (result) => metrics.notes.inc({ result }),
    swapConflict: () => metrics.conflicts.inc(),
    workFailed: () => metrics.workFailures.inc(),
    lag: (lagMs) => metrics.lag.observe(lagMs / 1_000),
    policyRead(result) {
      if (result !== 'restored') metrics.policyReloads.inc({ result });
      metrics.policyReloadOk.set(result === 'refused' ? 0 : 1);
    },
  };
}

type Metrics = ReturnType<typeof createMetrics>;

function createMetrics(registry: Registry) {
  return {
    callbacks: createCounter(registry, METRICS.callbacks),
    failures: createCounter(registry, METRICS.failures),
    retries: createCounter(registry, METRICS.retries),
    ended: createCounter(registry, METRICS.ended),
    recoveredAttempts: createHistogram(registry, METRICS.recoveredAttempts),
    restarts: createCounter(registry, METRICS.restarts),
    operations: createCounter(registry, METRICS.operations),
    steps: createCounter(registry, METRICS.steps),
    looks: createCounter(registry, METRICS.looks),
    clears: createCounter(registry, METRICS.clears),
    orchestratorCalls: createHistogram(registry, METRICS.orchestratorCalls),
    notes: createCounter(registry, METRICS.notes),
    searches: createCounter(registry, METRICS.searches),
    found: createCounter(registry, METRICS.found),
    alerts: createCounter(registry, METRICS.alerts),
    storeCalls: createHistogram(registry, METRICS.storeCalls),
    conflicts: createCounter(registry, METRICS.conflicts),
    storeLosses: createCounter(registry, METRICS.storeLosses),
    lag: createHistogram(registry, METRICS.lag),
    workFailures: createCounter(registry, METRICS.workFailures),
    policyReloads: createCounter(registry, METRICS.policyReloads),
    policyReloadOk: createGauge(registry, METRICS.policyReloadOk),
  };
}

/** The journal's own words, so that what is counted and what is listed agree. */
function countEntry(metrics: Metrics, { type, attempt, failureClass, reason }: JournalEntry): void {
  const ofClass = { failure_class: failureClass ?? 'task_error' };
  switch (type) {
    case 'failed':
      metrics.failures.inc(ofClass);
      break;
    case 'retried':
      metrics.retries.inc(ofClass);
      break;
    case 'restarted':
      metrics.restarts.inc();
      break;
    case 'recovered':
      metrics.recoveredAttempts.observe(attempt ?? 0);
      metrics.ended.inc({ how: type, reason });
      break;
    case 'gave_up':
    case 'ended':
      metrics.ended.inc({ how: type, reason });
      break;
    case 'operated':
      // Counted with what became of it, also where it changed nothing.
      break;
  }
}
