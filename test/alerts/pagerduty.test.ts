import { describe, expect, test } from 'vitest';
import { createPagerDutyChannel, toEvent } from '../../src/alerts/pagerduty.ts';
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
  test('triggers at the cap, and resolves the same incident when the run recovers', async () => {
    const { url, seen } = await startReceiver(pagerduty);
    expect(await channelAt(url).send(ALERT)).toEqual({ type: 'accepted' });
    expect(await channelAt(url).send(RECOVERED)).toEqual({ type: 'accepted' });
    expect(seen.map(({ path }) => path)).toEqual(['/v2/enqueue', '/v2/enqueue']);
    const [trigger, resolve] = seen.map(({ body }) => JSON.parse(body));
    expect(trigger).toMatchObject({ event_action: 'trigger', dedup_key: 'dagain/etl/run+1/1000' });
    expect(resolve).toEqual({ event_action: 'resolve', dedup_key: trigger.dedup_key, routing_key: ROUTING_KEY });
  });

  test('tells what people need', () => {
    expect(toEvent(ALERT, ROUTING_KEY)).toMatchObject({
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
    expect(toEvent({ ...ALERT, kind: 'attempt_failed' }, ROUTING_KEY)).toMatchObject({
      event_action: 'trigger',
      payload: { severity: 'warning' },
    });
  });

  test('ids of any length make a key of at most 255 characters, each its own', () => {
    const long = (end: string) => {
      const incident = `dagain/${'d'.repeat(250)}/${'r'.repeat(249)}${end}/1`;
      return PagerDutyEvent.parse(toEvent({ ...ALERT, incident }, ROUTING_KEY)).dedup_key;
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
