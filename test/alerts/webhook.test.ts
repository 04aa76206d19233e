import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createWebhookChannel, toPayload } from '../../src/alerts/webhook.ts';
import { summarise } from '../../src/alerts/wording.ts';
import { ALERT, NOW_MS } from './fixtures.ts';
import { startReceiver } from './receiver.ts';

async function receiver(status: number, headers: Record<string, string> = {}) {
  const { url, seen } = await startReceiver(() => ({ status, headers, body: 'ok' }));
  return { url: `${url}/hook?secret=s3cr3t`, seen };
}

function channelTo(url: string, secret: string | null = null) {
  return createWebhookChannel({ url, secret, timeoutMs: 5_000, nowMs: () => NOW_MS });
}

describe('the webhook channel', () => {
  test('posts what people and machines need', async () => {
    const { url, seen } = await receiver(200);
    expect(await channelTo(url).send(ALERT)).toEqual({ type: 'accepted' });
    expect(seen).toHaveLength(1);
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      dedupe_key: 'dagain/etl/run+1/1000/gave_up/3',
      mode: 'active',
      incident_key: 'dagain/etl/run+1/1000',
      type: 'gave_up',
      summary: 'Dag run etl/run+1 failed and will not be retried (max_retries_reached; 2 of 2 retries used)',
      dag_id: 'etl',
      dag_run_id: 'run+1',
      reason: 'max_retries_reached',
      attempt: 3,
      retries_used: 2,
      max_retries: 2,
      first_failed_at: '2026-11-21T11:59:00.000Z',
      at: '2026-11-21T12:00:00.000Z',
      run_url: 'http://airflow/dags/etl/runs/run%2B1',
      page_url: 'https://dagain.example/runs/etl/run%2B1',
      runbook_url: 'https://wiki.example/dagain',
      failures: [
        {
          task_id: 'load',
          map_index: -1,
          try_number: 3,
          exception: 'ConnectionError',
          message: 'refused',
          failure_class: 'task_error',
          failed_at: '2026-11-21T12:00:00.000Z',
          log_url: 'http://airflow/log',
        },
      ],
    });
  });

  test.each([
    [200, 'accepted'],
    [202, 'accepted'],
    [204, 'accepted'],
    [302, 'permanent'],
    [400, 'permanent'],
    [404, 'permanent'],
    [408, 'retryable'],
    [429, 'retryable'],
    [500, 'retryable'],
    [503, 'retryable'],
  ])('answers of %i are %s', async (status, type) => {
    const { url, seen } = await receiver(status, { location: 'http://127.0.0.1:1/elsewhere' });
    expect((await channelTo(url).send(ALERT)).type).toBe(type);
    expect(seen).toHaveLength(1);
  });

  test('honours Retry-After', async () => {
    const { url } = await receiver(429, { 'retry-after': '7' });
    expect(await channelTo(url).send(ALERT)).toMatchObject({ type: 'retryable', retryAfterMs: 7_000 });
  });

  test('signs by Standard Webhooks, with an id that stays the same over retries', async () => {
    const { url, seen } = await receiver(200);
    const key = Buffer.from('a key of some bytes');
    const channel = channelTo(url, `whsec_${key.toString('base64')}`);
    await channel.send(ALERT);
    await channel.send(ALERT);
    const [first, second] = seen;
    const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature } = first?.headers ?? {};
    expect(Number(timestamp)).toBe(NOW_MS / 1_000);
    const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${first?.body}`).digest('base64');
    expect(signature).toBe(`v1,${expected}`);
    expect(second?.headers['webhook-id']).toBe(id);
  });
});

test('every kind of alert has its summary and its payload', () => {
  for (const kind of ['gave_up', 'attempt_failed', 'first_failure', 'recovered'] as const) {
    expect(summarise({ ...ALERT, kind })).toContain('etl/run+1');
    expect(toPayload({ ...ALERT, kind })).toMatchObject({ type: kind });
  }
});
