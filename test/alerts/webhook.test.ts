import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Alert } from '../../src/alerts/port.ts';
import { createWebhookChannel, summarise, toPayload } from '../../src/alerts/webhook.ts';

const NOW_MS = Date.UTC(2026, 10, 21, 12);
const ALERT: Alert = {
  dedupeKey: 'dagain/etl/run+1/1000/gave_up/3',
  kind: 'gave_up',
  key: { dagId: 'etl', dagRunId: 'run+1' },
  reason: 'max_retries_reached',
  attempt: 3,
  retriesUsed: 2,
  maxRetries: 2,
  firstFailedAtMs: NOW_MS - 60_000,
  createdAtMs: NOW_MS,
  failures: [
    {
      id: 'ti:1',
      taskId: 'load',
      mapIndex: -1,
      tryNumber: 3,
      operator: 'PythonOperator',
      exceptionType: 'ConnectionError',
      message: 'refused',
      failureClass: 'task_error',
      failedAtMs: NOW_MS,
      logUrl: 'http://airflow/log',
      refused: false,
    },
  ],
  runUrl: 'http://airflow/dags/etl/runs/run%2B1',
};

interface Seen {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const servers: Server[] = [];

async function receiver(status: number, headers: Record<string, string> = {}): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ headers: request.headers, body });
    response.writeHead(status, headers).end('ok');
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?secret=s3cr3t`, seen };
}

function channelTo(url: string, secret: string | null = null, timeoutMs = 5_000) {
  return createWebhookChannel({ url, secret, timeoutMs, nowMs: () => NOW_MS });
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

describe('the webhook channel', () => {
  test('posts what people and machines need', async () => {
    const { url, seen } = await receiver(200);
    expect(await channelTo(url).send(ALERT)).toEqual({ type: 'accepted' });
    expect(seen).toHaveLength(1);
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      dedupe_key: 'dagain/etl/run+1/1000/gave_up/3',
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

  test('a receiver that is not there, or hangs, is retryable and its secret is not told', async () => {
    const { url } = await receiver(200);
    const server = createServer(() => {});
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const hanging = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?secret=s3cr3t`;
    for (const target of [url.replace(/:\d+/, ':1'), hanging]) {
      const result = await channelTo(target, null, 200).send(ALERT);
      expect(result.type).toBe('retryable');
      expect(JSON.stringify(result)).not.toContain('s3cr3t');
    }
  });
});

test('every kind of alert has its summary and its payload', () => {
  for (const kind of ['gave_up', 'attempt_failed', 'first_failure', 'recovered'] as const) {
    expect(summarise({ ...ALERT, kind })).toContain('etl/run+1');
    expect(toPayload({ ...ALERT, kind })).toMatchObject({ type: kind });
  }
});
