import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import { createMetricsRegistry, createPrometheusTelemetry, registerStoreGauges } from '../../src/http/metrics.ts';
import { type Serving, serve, TASK_FAILED } from './serve.ts';

let http: Serving | null = null;
afterEach(async () => {
  await http?.close();
  http = null;
});

describe('what the engine counts', () => {
  test('is there under names that follow the conventions', async () => {
    const registry = new Registry();
    const telemetry = createPrometheusTelemetry({ registry });
    telemetry.reported('retry_scheduled', 'failure_reported');
    telemetry.stepped('settled');
    telemetry.cleared('accepted');
    telemetry.ended('gave_up', 'max_retries_reached');
    telemetry.observed('unavailable', 'timed_out', 1_500);
    telemetry.alerted('webhook', true);
    telemetry.alerted('webhook', false);
    telemetry.swapConflict();
    telemetry.workFailed();
    telemetry.lag(250);
    const lines = (await registry.metrics()).split('\n');
    for (const line of [
      'dagain_callbacks_total{decision="retry_scheduled",reason="failure_reported"} 1',
      'dagain_steps_total{reason="settled"} 1',
      'dagain_clears_total{outcome="accepted"} 1',
      'dagain_clears_total{outcome="too_late"} 0',
      'dagain_runs_ended_total{how="gave_up",reason="max_retries_reached"} 1',
      'dagain_orchestrator_request_duration_seconds_sum{result="unavailable",reason="timed_out"} 1.5',
      'dagain_alert_sends_total{channel="webhook",result="accepted"} 1',
      'dagain_alert_sends_total{channel="webhook",result="not_accepted"} 1',
      'dagain_swap_conflicts_total 1',
      'dagain_work_failures_total 1',
      'dagain_due_lag_seconds_sum 0.25',
    ]) {
      expect(lines).toContain(line);
    }
  });

  test('before anything has happened, what alerts rest on is zero rather than absent', async () => {
    const registry = new Registry();
    createPrometheusTelemetry({ registry });
    const text = await registry.metrics();
    expect(text).toContain('dagain_swap_conflicts_total 0');
    expect(text).toContain('dagain_clears_total{outcome="accepted"} 0');
    expect(text).toContain('dagain_work_failures_total 0');
  });
});

describe('gauges of the store', () => {
  test('are counted when they are read, once for both', async () => {
    const registry = new Registry();
    let counted = 0;
    registerStoreGauges({
      registry,
      async count() {
        counted += 1;
        return { records: 12, due: 3 };
      },
    });
    const text = await registry.metrics();
    expect(text).toContain('dagain_records 12');
    expect(text).toContain('dagain_due_records 3');
    expect(counted).toBe(1);
  });

  test('have no value while the store cannot be reached; everything else is still told', async () => {
    const registry = new Registry();
    let isUp = true;
    registerStoreGauges({
      registry,
      async count() {
        if (!isUp) throw new Error('out');
        return { records: 12, due: 3 };
      },
    });
    createPrometheusTelemetry({ registry });
    await registry.metrics();
    isUp = false;
    const text = await registry.metrics();
    expect(text).not.toMatch(/^dagain_records /m);
    expect(text).not.toMatch(/^dagain_due_records /m);
    expect(text).toContain('dagain_swap_conflicts_total 0');
    isUp = true;
    expect(await registry.metrics()).toMatch(/^dagain_records 12$/m);
  });
});

describe('/metrics', () => {
  test('tells of the process, of what was built, and of requests by their route', async () => {
    http = await serve({ registry: createMetricsRegistry({ version: '1.2.3' }) });
    await http.post('/v1/callbacks/task-failed', TASK_FAILED);
    await http.post('/v1/callbacks/task-failed', 'garbage');
    for (const id of ['a', 'b']) await http.get(`/v1/runs/etl/${id}`);
    for (const path of ['/x', '/y?z=1', '/v1/runs/a/b/c']) await http.get(path);
    const got = await http.get('/metrics');
    expect(got.status).toBe(200);
    expect(got.headers['content-type']).toMatch(/^text\/plain/);
    const count = 'dagain_http_request_duration_seconds_count';
    for (const line of [
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
