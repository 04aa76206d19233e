import { createHmac } from 'node:crypto';
import { type Dispatcher, request } from 'undici';
import { formatRunKey } from '../core/run-key.ts';
import type { Alert, AlertChannel, SendResult } from './port.ts';

export interface WebhookSettings {
  readonly url: string;
  /** Signs by Standard Webhooks where set. */
  readonly secret: string | null;
  readonly timeoutMs: number;
  readonly nowMs: () => number;
  readonly dispatcher?: Dispatcher;
}

/** Posts alerts as JSON. Any 2xx counts as accepted; redirects are not followed. */
export function createWebhookChannel(settings: WebhookSettings): AlertChannel {
  return {
    name: 'webhook',
    async send(alert) {
      const body = JSON.stringify(toPayload(alert));
      try {
        const {
          statusCode,
          headers,
          body: answer,
        } = await request(settings.url, {
          method: 'POST',
          headers: headersFor(settings, alert, body),
          body,
          signal: AbortSignal.timeout(settings.timeoutMs),
          ...(settings.dispatcher === undefined ? {} : { dispatcher: settings.dispatcher }),
        });
        await answer.dump({ limit: 64 * 1024 });
        return toResult(statusCode, headers['retry-after']);
      } catch (error) {
        return { type: 'retryable', detail: describeFailure(error), retryAfterMs: null };
      }
    },
  };
}

/** What receivers get; times ISO 8601 UTC. */
export function toPayload(alert: Alert): object {
  const { key } = alert;
  return {
    dedupe_key: alert.dedupeKey,
    type: alert.kind,
    summary: summarise(alert),
    dag_id: key.dagId,
    dag_run_id: key.dagRunId,
    reason: alert.reason,
    attempt: alert.attempt,
    retries_used: alert.retriesUsed,
    max_retries: alert.maxRetries,
    first_failed_at: new Date(alert.firstFailedAtMs).toISOString(),
    at: new Date(alert.createdAtMs).toISOString(),
    run_url: alert.runUrl,
    failures: alert.failures.map((failure) => ({
      task_id: failure.taskId,
      map_index: failure.mapIndex,
      try_number: failure.tryNumber,
      exception: failure.exceptionType,
      message: failure.message,
      failure_class: failure.failureClass,
      failed_at: new Date(failure.failedAtMs).toISOString(),
      log_url: failure.logUrl,
    })),
  };
}

/** One line for people. */
export function summarise(alert: Alert): string {
  const run = `Dag run ${formatRunKey(alert.key)}`;
  const used = `${alert.retriesUsed} of ${alert.maxRetries} retries used`;
  switch (alert.kind) {
    case 'gave_up':
      return `${run} failed and will not be retried (${alert.reason}; ${used})`;
    case 'attempt_failed':
    case 'first_failure':
      return `${run} failed on attempt ${alert.attempt} and will be retried (${used})`;
    case 'recovered':
      return `${run} succeeded on attempt ${alert.attempt} (${used})`;
  }
}

/** Headers of https://www.standardwebhooks.com: the signature covers `id.timestamp.body`. */
function headersFor(settings: WebhookSettings, alert: Alert, body: string): Record<string, string> {
  const headers = { 'content-type': 'application/json', 'user-agent': 'dagain' };
  if (settings.secret === null) return headers;
  const id = `msg_${createHmac('sha256', 'dagain').update(alert.dedupeKey).digest('hex').slice(0, 32)}`;
  const timestamp = String(Math.floor(settings.nowMs() / 1_000));
  const { secret } = settings;
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { ...headers, 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

function toResult(status: number, retryAfter: string | string[] | undefined): SendResult {
  if (status >= 200 && status < 300) return { type: 'accepted' };
  const detail = `the receiver answered ${status}`;
  const mayWorkLater = status === 408 || status === 429 || status >= 500;
  if (!mayWorkLater) return { type: 'permanent', detail };
  const seconds = Number(retryAfter);
  return { type: 'retryable', detail, retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : null };
}

/** The URL may hold a secret, and so may an error's text that repeats it: only the error's code is told. */
function describeFailure(error: unknown): string {
  const { name, code } = error as { name?: string; code?: string };
  return `the receiver could not be reached (${code ?? name ?? 'unknown error'})`;
}
