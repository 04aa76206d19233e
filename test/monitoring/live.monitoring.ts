import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { METRICS } from '../../src/http/metrics/catalogue.ts';
import { post, type Stack, startStack, until } from '../app/stack.ts';
import { dashboard } from '../docs/dashboard/dashboard.ts';
import { freePort } from '../support/free-port.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { type Prometheus, startPrometheus } from './prometheus.ts';
import { promtool } from './promtool.ts';
import { readRules, shortened } from './rule-files.ts';
import { DAGS, POLICY, playEverything } from './story.ts';

let folder: string;
let stack: Stack;
let redis: RedisServer;
let prometheus: Prometheus;
/** Of a replica where everything happens. */
let url: string;

/** A service where everything happens, one whose Airflow is gone, and one with a wrong password. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-monitoring-'));
  redis = await startRedis({ appendonly: true, args: ['--appendfsync', 'always'] });
  stack = await startStack(DAGS);
  const policyPath = join(folder, 'policy.yaml');
  writeFileSync(policyPath, POLICY);
  const dead = `http://127.0.0.1:${await freePort()}`;
  const busy = {
    DAGAIN_REDIS_URL: redis.url,
    DAGAIN_POLICY_FILE: policyPath,
    DAGAIN_MAX_RETRIES: '1',
    DAGAIN_WATCH: 'on',
    DAGAIN_WATCH_INTERVAL: '5s',
    DAGAIN_SLACK_WEBHOOK_URL: `${dead}/slack`,
  };
  const replicas = [await stack.startApp(busy), await stack.startApp(busy)] as const;
  const urls = [replicas[0].url, replicas[1].url] as const;
  url = urls[0];
  const cutOff = await stack.startApp({ DAGAIN_DATA_DIR: join(folder, 'cut-off'), DAGAIN_AIRFLOW_URL: dead });
  const refused = await stack.startApp({ DAGAIN_DATA_DIR: join(folder, 'refused'), DAGAIN_AIRFLOW_PASSWORD: 'wrong' });
  const targets = [
    ...urls.map((one) => ({ url: one, labels: { namespace: 'busy' } })),
    { url: cutOff.url, labels: { namespace: 'cut-off' } },
    { url: refused.url, labels: { namespace: 'refused' } },
  ];
  const rules = (['recording', 'alerts'] as const).map((name) => shortened(readRules(name).text));
  prometheus = await startPrometheus(targets, rules);
  await until(async () => (await prometheus.query('sum(up)')).some(({ values: [up] }) => up === targets.length));
  for (const one of [cutOff, refused]) {
    await post(one.url, { type: 'task-failed', body: { dag_id: 'etl', dag_run_id: 'r1', task_id: 'load' } });
  }
  stack.sendCallbacksTo(urls[0]);
  await playEverything({ stack, redis, urls, policyPath });
  // The last of it has to be scraped, over windows that hold some samples.
  await pause(5_000);
});
afterAll(async () => {
  await prometheus?.stop();
  await stack?.close();
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Resolves when Prometheus itself says that the alert fires; no longer than the test's own limit. */
async function firing(alertname: string, namespace: string) {
  for (;;) {
    const found = (await prometheus.alerts()).find(
      ({ labels, state }) =>
        labels['alertname'] === alertname && labels['namespace'] === namespace && state === 'firing',
    );
    if (found !== undefined) return found;
    await pause(200);
  }
}

/** Whether it fired at any time. */
async function hasFired(alertname: string, namespace: string): Promise<boolean> {
  const selector = `ALERTS{alertname="${alertname}",namespace="${namespace}",alertstate="firing"}`;
  return (await prometheus.queryRange(selector)).length > 0;
}

describe('a scrape shows every metric moving', () => {
  const busy = '{namespace="busy"}';
  const moving = Object.values(METRICS).filter(({ type }) => type !== 'gauge');
  test.each(moving.map(({ name, type }) => [name, type === 'histogram' ? `${name}_count` : name]))(
    '%s',
    async (_name, series) => {
      const values = (await prometheus.queryRange(`sum(${series}${busy})`)).flatMap((one) => one.values);
      // Every process begins at zero.
      expect(Math.max(...values)).toBeGreaterThan(0);
    },
  );

  // What a gauge must have been, at some time, and must not have been, at another.
  test.each([
    ['dagain_records{phase="waiting"}', 1, 0],
    ['dagain_held_records', 1, 0],
    ['dagain_store_up', 1, 0],
    ['dagain_pauses{scope="dag"}', 1, 0],
    ['dagain_pauses{scope="everything"}', 0, null],
    ['dagain_policy_last_reload_successful', 1, 0],
    ['dagain_orchestrator_status{status="reachable"}', 1, null],
    ['dagain_service_info{mode="active",store="redis",watch="on"}', 1, null],
    ['dagain_build_info', 1, null],
    ['dagain_pending_alerts{channel="slack"}', 1, null],
    ['dagain_due_records', 0, null],
  ])('%s', async (series, one, another) => {
    const values = (await prometheus.queryRange(series)).flatMap((found) => found.values);
    expect(values).toContain(one);
    if (another !== null) expect(values).toContain(another);
  });

  test('dagain_oldest_pending_alert_timestamp_seconds', async () => {
    const [age] = await prometheus.queryRange(
      'time() - dagain_oldest_pending_alert_timestamp_seconds{namespace="busy"}',
    );
    expect(Math.min(...(age?.values ?? []))).toBeLessThan(60);
  });
});

test('promtool has nothing to say about the names and texts of a scrape, but of those of Node', async () => {
  const scrape = await (await fetch(`${url}/metrics`)).text();
  const { output } = promtool(['check', 'metrics'], scrape);
  expect(scrape).toContain('dagain_retries_total');
  expect(output.split('\n').filter((line) => line !== '' && !line.startsWith('nodejs_'))).toEqual([]);
});

describe('the dashboard: every query returns data', () => {
  const panels = dashboard().panels.flatMap((panel) => {
    const { title, targets = [] } = Object(panel);
    return (targets as { expr: string; refId: string }[]).map(({ expr, refId }) => [title, refId, expr] as const);
  });
  test.each(panels)('%s (%s)', async (_title, _refId, expr) => {
    const written = expr
      .replaceAll('$__rate_interval', '10s')
      .replaceAll('$__range', '2m')
      .replaceAll(/\$(namespace|job|instance)/g, '.*');
    expect(written).not.toContain('$');
    const values = (await prometheus.queryRange(written)).flatMap((one) => one.values);
    expect(values.filter(Number.isFinite).length).toBeGreaterThan(0);
  });

  test('its variables and annotations too', async () => {
    for (const label of ['namespace', 'job', 'instance']) {
      const found = await prometheus.query(`count by (${label}) (dagain_build_info)`);
      expect(found.map(({ labels }) => labels[label])).not.toContain(undefined);
    }
    expect(await prometheus.queryRange('ALERTS{alertname=~"Dagain.*",alertstate="firing"}')).not.toEqual([]);
  });
});

describe('what is broken fires', () => {
  test('Airflow is gone while a run waits', async () => {
    const { labels, annotations } = await firing('DagainAirflowUnreachable', 'cut-off');
    expect(labels['severity']).toBe('critical');
    expect(annotations['description']).toContain('and 1 runs wait');
    expect(await hasFired('DagainCredentialsRefused', 'cut-off')).toBe(false);
  });

  test('the credentials are wrong', async () => {
    const { annotations } = await firing('DagainCredentialsRefused', 'refused');
    expect(annotations['description']).toContain('unauthorized');
    expect(await hasFired('DagainAirflowUnreachable', 'refused')).toBe(false);
  });

  test.each(['DagainAttemptCapReached', 'DagainStoreUnavailable', 'DagainStoreLostData', 'DagainPolicyRefused'])(
    '%s',
    async (alertname) => {
      expect(await hasFired(alertname, 'busy')).toBe(true);
      expect(await hasFired(alertname, 'cut-off')).toBe(false);
    },
  );

  test('a replica and in the end all of them are down', async () => {
    await stack.close();
    await firing('DagainReplicaDown', 'busy');
    const isDown = async () => (await prometheus.alerts()).some(({ labels }) => labels['alertname'] === 'DagainDown');
    await until(isDown);
  });
});
