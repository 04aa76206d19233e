import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import type { JournalEntry, JournalType } from '../../src/core/journal.ts';
import type { Pause } from '../../src/core/pause.ts';
import { PHASES } from '../../src/core/record.ts';
import type { Census } from '../../src/engine/census.ts';
import { registerOrchestratorGauge, registerStoreGauges } from '../../src/http/metrics/gauges.ts';
import { createPrometheusTelemetry } from '../../src/http/metrics/telemetry.ts';
import { createMetricsRegistry } from '../../src/http/metrics.ts';
import { type Serving, serve, TASK_FAILED } from './serve.ts';

let http: Serving | null = null;
afterEach(async () => {
  await http?.close();
  http = null;
});

async function linesOf(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split('\n');
}

const entry = (type: JournalType, fields: Partial<JournalEntry> = {}): JournalEntry => ({
  ...{ atMs: 0, type, dagId: 'etl', dagRunId: 'r1', attempt: 1, retriesUsed: 0, reason: 'settled', taskId: null },
  ...{ failureClass: 'infra', action: null, actor: null, comment: null },
  ...fields,
});

describe('what the engine counts', () => {
  test('is there under names that follow the conventions', async () => {
    const registry = new Registry();
    const telemetry = createPrometheusTelemetry({ registry });
    telemetry.reported('retry_scheduled', 'failure_reported');
    telemetry.stepped('settled');
    telemetry.cleared('accepted');
    telemetry.operated('pause', 'held');
    telemetry.observed('unavailable', 'timed_out');
    telemetry.orchestratorCalled('observe', 'timed_out', 1_500);
    telemetry.storeCalled('compare_and_swap', 'conflict', 2);
    telemetry.alerted('webhook', 'accepted');
    telemetry.alerted('webhook', 'not_accepted');
    telemetry.swapConflict();
    telemetry.workFailed();
    telemetry.lag(250);
    telemetry.storeLost('set_back');
    telemetry.searched('read');
    telemetry.foundFailed('taken_up');
    telemetry.noted('accepted');
    const lines = await linesOf(registry);
    for (const line of [
      'dagain_callbacks_total{decision="retry_scheduled",reason="failure_reported"} 1',
      'dagain_steps_total{reason="settled"} 1',
      'dagain_clears_total{outcome="accepted"} 1',
      'dagain_clears_total{outcome="too_late"} 0',
      'dagain_operations_total{action="pause",decision="held"} 1',
      'dagain_looks_total{result="unavailable",reason="timed_out"} 1',
      'dagain_orchestrator_call_duration_seconds_sum{operation="observe",result="timed_out"} 1.5',
      'dagain_store_call_duration_seconds_sum{operation="compare_and_swap",result="conflict"} 0.002',
      'dagain_alert_sends_total{channel="webhook",result="accepted"} 1',
      'dagain_alert_sends_total{channel="webhook",result="not_accepted"} 1',
      'dagain_swap_conflicts_total 1',
      'dagain_work_failures_total 1',
      'dagain_due_lag_seconds_sum 0.25',
      'dagain_store_losses_total{how="set_back"} 1',
      'dagain_watch_searches_total{result="read"} 1',
      'dagain_watch_found_runs_total{result="taken_up"} 1',
      'dagain_notes_total{result="accepted"} 1',
    ]) {
      expect(lines).toContain(line);
    }
  });

  test('follows the journal', async () => {
    const registry = new Registry();
    const telemetry = createPrometheusTelemetry({ registry });
    telemetry.happened(entry('failed'));
    telemetry.happened(entry('failed', { failureClass: null }));
    telemetry.happened(entry('retried', { reason: 'clear_due' }));
    telemetry.happened(entry('restarted', { reason: 'restarted_by_person' }));
    telemetry.happened(entry('recovered', { attempt: 3, reason: 'run_succeeded' }));
    telemetry.happened(entry('gave_up', { reason: 'max_retries_reached' }));
    telemetry.happened(entry('ended', { reason: 'run_missing' }));
    telemetry.happened(entry('operated'));
    const lines = await linesOf(registry);
    for (const line of [
      'dagain_failed_attempts_total{failure_class="infra"} 1',
      'dagain_failed_attempts_total{failure_class="task_error"} 1',
      'dagain_retries_total{failure_class="infra"} 1',
      'dagain_restarts_by_people_total 1',
      'dagain_recovered_run_attempts_bucket{le="2"} 0',
      'dagain_recovered_run_attempts_bucket{le="3"} 1',
      'dagain_runs_ended_total{how="recovered",reason="run_succeeded"} 1',
      'dagain_runs_ended_total{how="gave_up",reason="max_retries_reached"} 1',
      'dagain_runs_ended_total{how="ended",reason="run_missing"} 1',
    ]) {
      expect(lines).toContain(line);
    }
    expect(lines.filter((line) => line.startsWith('dagain_operations_total'))).toEqual([]);
  });

  test('before anything has happened, what alerts rest on is zero rather than absent', async () => {
    const registry = new Registry();
    createPrometheusTelemetry({ registry, channels: ['pagerduty'] });
    const lines = await linesOf(registry);
    for (const line of [
      'dagain_swap_conflicts_total 0',
      'dagain_clears_total{outcome="accepted"} 0',
      'dagain_work_failures_total 0',
      'dagain_retries_total{failure_class="infra"} 0',
      'dagain_runs_ended_total{how="gave_up",reason="max_retries_reached"} 0',
      'dagain_runs_ended_total{how="gave_up",reason="state_lost"} 0',
      'dagain_runs_ended_total{how="recovered",reason="run_succeeded"} 0',
      'dagain_alert_sends_total{channel="pagerduty",result="abandoned"} 0',
      'dagain_policy_reloads_total{result="refused"} 0',
      'dagain_policy_last_reload_successful 1',
    ]) {
      expect(lines).toContain(line);
    }
  });

  test('says whether the policy file, as it is now, is in force', async () => {
    const registry = new Registry();
    const telemetry = createPrometheusTelemetry({ registry });
    telemetry.policyRead('refused');
    expect(await linesOf(registry)).toContain('dagain_policy_last_reload_successful 0');
    // The bad change was taken back: nothing new, but what is in force is what is there.
    telemetry.policyRead('restored');
    const lines = await linesOf(registry);
    expect(lines).toContain('dagain_policy_last_reload_successful 1');
    expect(lines).toContain('dagain_policy_reloads_total{result="refused"} 1');
    expect(lines).toContain('dagain_policy_reloads_total{result="swapped"} 0');
  });
});

const PAUSES: readonly Pause[] = ['*', 'etl', 'sales'].map((scope) => ({ scope, actor: 'ann', comment: '', atMs: 1 }));
const CENSUS: Census = {
  phases: { confirming: 1, waiting: 2, clearing: 0, watching: 3, giving_up: 1, gave_up: 5 },
  held: 1,
  pendingAlerts: { slack: 2 },
  oldestAlertAtMs: 1_700_000_000_000,
  dags: new Map(),
};

describe('gauges of the store', () => {
  test('are counted when they are read, once for all of them', async () => {
    const registry = new Registry();
    const asked = { count: 0, census: 0 };
    registerStoreGauges({
      registry,
      async count() {
        asked.count += 1;
        return { records: 12, due: 3 };
      },
      async census() {
        asked.census += 1;
        return CENSUS;
      },
      pauses: async () => PAUSES,
    });
    const lines = await linesOf(registry);
    for (const phase of PHASES) expect(lines).toContain(`dagain_records{phase="${phase}"} ${CENSUS.phases[phase]}`);
    for (const line of [
      'dagain_store_up 1',
      'dagain_due_records 3',
      'dagain_held_records 1',
      'dagain_pauses{scope="everything"} 1',
      'dagain_pauses{scope="dag"} 2',
      'dagain_pending_alerts{channel="slack"} 2',
      'dagain_oldest_pending_alert_timestamp_seconds 1700000000',
    ]) {
      expect(lines).toContain(line);
    }
    expect(asked).toEqual({ count: 1, census: 1 });
  });

  test('have no value while the store cannot be reached; everything else is still told', async () => {
    const registry = new Registry();
    let isUp = true;
    const whileUp = async <T>(value: T): Promise<T> => {
      if (!isUp) throw new Error('out');
      return value;
    };
    registerStoreGauges({
      registry,
      count: () => whileUp({ records: 12, due: 3 }),
      census: () => whileUp(CENSUS),
      pauses: () => whileUp(PAUSES),
    });
    createPrometheusTelemetry({ registry });
    await registry.metrics();
    isUp = false;
    const text = await registry.metrics();
    expect(text).not.toMatch(/^dagain_(records|due_records|held_records|pauses|pending_alerts|oldest_pending\w*)[ {]/m);
    expect(text).toMatch(/^dagain_store_up 0$/m);
    expect(text).toContain('dagain_swap_conflicts_total 0');
    isUp = true;
    expect(await registry.metrics()).toMatch(/^dagain_due_records 3$/m);
  });

  test('a channel whose alerts are all accepted, and the oldest of none, have no value any more', async () => {
    const registry = new Registry();
    let census = CENSUS;
    const count = async () => ({ records: 0, due: 0 });
    registerStoreGauges({ registry, count, census: async () => census, pauses: async () => [] });
    await registry.metrics();
    census = { ...CENSUS, pendingAlerts: {}, oldestAlertAtMs: null };
    const text = await registry.metrics();
    expect(text).not.toMatch(/^dagain_(pending_alerts|oldest_pending\w*)[ {]/m);
    expect(text).toContain('dagain_pauses{scope="dag"} 0');
  });
});

describe('the gauge of the orchestrator', () => {
  test('is one for what holds, and asks no more than every 15 seconds', async () => {
    const registry = new Registry();
    let [status, nowMs, looks] = ['reachable', 0, 0];
    registerOrchestratorGauge({
      registry,
      async look() {
        looks += 1;
        return status;
      },
      nowMs: () => nowMs,
    });
    const isOne = async (wanted: string) => {
      const lines = (await linesOf(registry)).filter((line) => line.startsWith('dagain_orchestrator_status{'));
      expect(lines).toHaveLength(8);
      expect(lines.filter((line) => line.endsWith(' 1'))).toEqual([`dagain_orchestrator_status{status="${wanted}"} 1`]);
    };
    await isOne('reachable');
    status = 'unauthorized';
    nowMs = 14_999;
    await isOne('reachable');
    expect(looks).toBe(1);
    nowMs = 15_000;
    await isOne('unauthorized');
    expect(looks).toBe(2);
  });

  test('says timed out while there is no answer', async () => {
    const registry = new Registry();
    registerOrchestratorGauge({ registry, look: () => new Promise(() => {}), nowMs: () => 0 });
    expect(await linesOf(registry)).toContain('dagain_orchestrator_status{status="timed_out"} 1');
  });
});

describe('/metrics', () => {
  test('tells of the process, of what was built, and of requests by their route', async () => {
    http = await serve({
      registry: createMetricsRegistry({ version: '1.2.3', setUp: { mode: 'shadow', store: 'redis', watch: 'on' } }),
    });
    await http.post('/v1/callbacks/task-failed', TASK_FAILED);
    await http.post('/v1/callbacks/task-failed', 'garbage');
    for (const id of ['a', 'b']) await http.get(`/v1/runs/etl/${id}`);
    for (const path of ['/x', '/y?z=1', '/v1/runs/a/b/c']) await http.get(path);
    const got = await http.get('/metrics');
    expect(got.status).toBe(200);
    expect(got.headers['content-type']).toMatch(/^text\/plain/);
    const count = 'dagain_http_request_duration_seconds_count';
    for (const line of [
      'dagain_service_info{mode="shadow",store="redis",watch="on"} 1',
      `dagain_build_info{version="1.2.3",node="${process.version}"} 1`,
      `${count}{method="POST",route="/v1/callbacks/task-failed",status="202"} 1`,
      `${count}{method="POST",route="/v1/callbacks/task-failed",status="400"} 1`,
      `${count}{method="GET",route="/v1/runs/:dag_id/:dag_run_id",status="404"} 2`,
      `${count}{method="GET",route="unmatched",status="404"} 3`,
    ]) {
      expect(got.text.split('\n')).toContain(line);
    }
    expect(got.text).toContain('process_resident_memory_bytes');
    expect(got.text).not.toContain('etl');
  });
});
