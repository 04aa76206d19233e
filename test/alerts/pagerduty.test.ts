import { describe, expect, test } from 'vitest';
import { createPagerDutyChannel, toEvents } from '../../src/alerts/pagerduty.ts';
import type { Alert } from '../../src/alerts/port.ts';
import { answering, PagerDutyEvent } from './apis.ts';
import { ALERT, NOW_MS, RECOVERED } from './fixtures.ts';
import { startReceiver } from './receiver.ts';

const ROUTING_KEY = '0123456789abcdef0123456789abcdef';
const pagerduty = answering(
  PagerDutyEvent,
  { status: 202, body: '{"status":"success","message":"Event processed","dedup_key":"x"}' },
  { status: 400, body: '{"status":"invalid event"}' },
);
const channelAt = (url: string, routingKey = ROUTING_KEY) =>
  createPagerDutyChannel({ url: `${url}/v2/enqueue`, routingKey, timeoutMs: 5_000 });

describe('the PagerDuty channel', () => {
  test('opens an incident while the run is retried, another one at the cap, and resolves both', async () => {
    const { url, seen } = await startReceiver(pagerduty);
    const attempt: Alert = { ...ALERT, kind: 'attempt_failed', attempt: 1 };
    for (const alert of [attempt, ALERT, RECOVERED]) {
      expect(await channelAt(url).send(alert)).toEqual({ type: 'accepted' });
    }
    expect(new Set(seen.map(({ path }) => path))).toEqual(new Set(['/v2/enqueue']));
    const events = seen.map(({ body }) => PagerDutyEvent.parse(JSON.parse(body)));
    expect(events.map(({ event_action, dedup_key }) => `${event_action} ${dedup_key}`)).toEqual([
      'trigger dagain/etl/run+1/1000/failing',
      'trigger dagain/etl/run+1/1000/failed',
      'resolve dagain/etl/run+1/1000/failing',
      'resolve dagain/etl/run+1/1000/failed',
      'resolve dagain/etl/run+1/1000/failing',
    ]);
  });

  test('an attempt that is told of late opens nothing', () => {
    const late: Alert = { ...ALERT, kind: 'attempt_failed', isOutdated: true };
    expect(toEvents(late, ROUTING_KEY)).toMatchObject([
      { event_action: 'resolve', dedup_key: 'dagain/etl/run+1/1000/failing' },
    ]);
  });

  test('is accepted only with all of its events', async () => {
    const answers = [202, 503];
    const { url, seen } = await startReceiver(() => ({ status: answers.shift() ?? 202 }));
    expect(await channelAt(url).send(ALERT)).toMatchObject({ type: 'retryable' });
    expect(await channelAt(url).send(ALERT)).toEqual({ type: 'accepted' });
    expect(seen.map(({ body }) => JSON.parse(body).event_action)).toEqual(['trigger', 'resolve', 'trigger', 'resolve']);
  });

  test('tells what people need', () => {
    expect(toEvents(ALERT, ROUTING_KEY)[0]).toMatchObject({
      client: 'dagain',
      client_url: 'https://dagain.example/runs/etl/run%2B1',
      links: [{ text: 'Airflow' }, { text: 'dagain' }, { text: 'Runbook' }],
      payload: {
        summary: 'Dag run etl/run+1 failed and will not be retried (max_retries_reached; 2 of 2 retries used)',
        source: 'airflow',
        severity: 'critical',
        timestamp: new Date(NOW_MS).toISOString(),
        class: 'max_retries_reached',
        custom_details: { attempt: 3, causes: ['task load: ConnectionError: refused'] },
      },
    });
    expect(toEvents({ ...ALERT, kind: 'first_failure' }, ROUTING_KEY)).toMatchObject([
      { event_action: 'trigger', payload: { severity: 'warning' } },
    ]);
  });

  test('ids of any length make a key of at most 255 characters, each its own', () => {
    const long = (end: string) => {
      const incident = `dagain/${'d'.repeat(250)}/${'r'.repeat(249)}${end}/1`;
      return PagerDutyEvent.parse(toEvents({ ...ALERT, incident }, ROUTING_KEY)[0]).dedup_key;
    };
    expect(long('a')).toHaveLength('dagain/'.length + 64);
    expect(long('a')).not.toBe(long('b'));
  });

  test.each([
    [400, 'permanent'],
    [404, 'permanent'],
    [429, 'retryable'],
    [500, 'retryable'],
    [503, 'retryable'],
  ])('answers of %i are %s', async (status, type) => {
    const { url } = await startReceiver(() => ({ status }));
    expect((await channelAt(url).send(ALERT)).type).toBe(type);
  });

  test('a routing key that is none is permanent', async () => {
    const { url } = await startReceiver(pagerduty);
    expect(await channelAt(url, 'too-short').send(ALERT)).toMatchObject({ type: 'permanent' });
  });
});
