import { describe, expect, test } from 'vitest';
import { createAlertmanagerChannel, toAlerts } from '../../src/alerts/alertmanager.ts';
import { AlertmanagerAlerts, answering } from './apis.ts';
import { ALERT, NOW_MS, RECOVERED } from './fixtures.ts';
import { startReceiver } from './receiver.ts';

const DAY_MS = 86_400_000;
const settings = { firingMs: 7 * DAY_MS, nowMs: () => NOW_MS, timeoutMs: 5_000 };
const alertmanager = answering(AlertmanagerAlerts, { status: 200 }, { status: 400 });
const alertsOf = (alert: Parameters<typeof toAlerts>[0], nowMs = NOW_MS) =>
  AlertmanagerAlerts.parse(toAlerts(alert, { ...settings, nowMs: () => nowMs }));
/** The alerts that fire at `nowMs`, by name. */
const firing = (alerts: ReturnType<typeof alertsOf>, nowMs = NOW_MS) =>
  alerts.filter(({ endsAt }) => Date.parse(endsAt) > nowMs).map(({ labels }) => labels['alertname']);

describe('the Alertmanager channel', () => {
  test.each(['', '/', '/alertmanager', '/alertmanager/'])('posts below the base URL: "%s"', async (prefix) => {
    const { url, seen } = await startReceiver(alertmanager);
    const channel = createAlertmanagerChannel({ ...settings, url: `${url.replace('//', '//user:p%40ss@')}${prefix}` });
    expect(await channel.send(ALERT)).toEqual({ type: 'accepted' });
    expect(seen[0]?.path).toBe(`${prefix.replace(/\/$/, '')}/api/v2/alerts`);
    expect(seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`);
  });

  test('a run that is retried is failing, one that is given up has failed and fails no more', () => {
    expect(firing(alertsOf({ ...ALERT, kind: 'first_failure' }))).toEqual(['DagainRunFailing']);
    expect(firing(alertsOf({ ...ALERT, kind: 'attempt_failed' }))).toEqual(['DagainRunFailing']);
    expect(firing(alertsOf(ALERT))).toEqual(['DagainRunFailed']);
    expect(alertsOf(ALERT)).toHaveLength(2);
  });

  test('an attempt that is told of late fires nothing, and leaves alone what fires', () => {
    const late = alertsOf({ ...ALERT, kind: 'attempt_failed', isOutdated: true });
    expect(firing(late)).toEqual([]);
    expect(late.map(({ labels }) => labels['alertname'])).toEqual(['DagainRunFailing']);
  });

  test('a recovery resolves both, by the labels that they had', () => {
    const resolved = alertsOf(RECOVERED);
    expect(firing(resolved)).toEqual([]);
    const [failing, failed] = resolved.map(({ labels }) => labels);
    expect(alertsOf({ ...ALERT, kind: 'attempt_failed', attempt: 1 })[0]?.labels).toEqual(failing);
    expect(alertsOf(ALERT)[1]?.labels).toEqual(failed);
    expect(failed).toEqual({
      alertname: 'DagainRunFailed',
      severity: 'critical',
      service: 'dagain',
      dag_id: 'etl',
      dag_run_id: 'run+1',
      incident: '1000',
    });
  });

  test('a resolved alert is over also by a clock that is minutes behind', () => {
    expect(firing(alertsOf(RECOVERED), NOW_MS - 4 * 60_000)).toEqual([]);
  });

  test('fires as long as the run is remembered, from when it is delivered', () => {
    const late = alertsOf(ALERT, NOW_MS + 6 * DAY_MS)[1];
    expect(late).toMatchObject({
      startsAt: new Date(NOW_MS).toISOString(),
      endsAt: new Date(NOW_MS + 13 * DAY_MS).toISOString(),
    });
    // A clock that was ahead when the alert came about must not make its start later than its end.
    expect(alertsOf({ ...ALERT, createdAtMs: NOW_MS + 30 * DAY_MS })[1]?.startsAt).toBe(new Date(NOW_MS).toISOString());
  });

  test('annotations tell what people need', () => {
    expect(alertsOf(ALERT)[1]).toMatchObject({
      generatorURL: 'http://airflow/dags/etl/runs/run%2B1',
      annotations: {
        summary: 'Dag run etl/run+1 failed and will not be retried (max_retries_reached; 2 of 2 retries used)',
        description: 'task load: ConnectionError: refused',
        attempts: '3 (2 of 2 retries used)',
        dedupe_key: ALERT.dedupeKey,
        airflow_url: ALERT.runUrl,
        dagain_url: ALERT.pageUrl,
        runbook_url: ALERT.runbookUrl,
      },
    });
  });

  test('answers of 400 are permanent, 503 is retryable', async () => {
    for (const [status, type] of [
      [400, 'permanent'],
      [503, 'retryable'],
    ] as const) {
      const { url } = await startReceiver(() => ({ status }));
      expect((await createAlertmanagerChannel({ ...settings, url }).send(ALERT)).type).toBe(type);
    }
  });
});
