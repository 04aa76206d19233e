import { createHmac } from 'node:crypto';
import { postJson, type Receiver } from './http-post.ts';
import type { Alert, AlertChannel } from './port.ts';
import { summarise } from './wording.ts';

export interface WebhookSettings extends Receiver {
  /** Signs by Standard Webhooks where set. */
  readonly secret: string | null;
  readonly nowMs: () => number;
}

/** Posts alerts as JSON to anybody. */
export function createWebhookChannel(settings: WebhookSettings): AlertChannel {
  return {
    name: 'webhook',
    async send(alert) {
      const body = JSON.stringify(toPayload(alert));
      return await postJson(settings, body, signatureOf(settings, alert, body));
    },
  };
}

/** What receivers get; times ISO 8601 UTC. */
export function toPayload(alert: Alert): object {
  const { key } = alert;
  return {
    dedupe_key: alert.dedupeKey,
    incident_key: alert.incident,
    type: alert.kind,
    mode: alert.isShadow ? 'shadow' : 'active',
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
    page_url: alert.pageUrl,
    runbook_url: alert.runbookUrl,
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

/** Headers of https://www.standardwebhooks.com: the signature covers `id.timestamp.body`. */
function signatureOf({ secret, nowMs }: WebhookSettings, alert: Alert, body: string): Record<string, string> {
  if (secret === null) return {};
  const id = `msg_${createHmac('sha256', 'dagain').update(alert.dedupeKey).digest('hex').slice(0, 32)}`;
  const timestamp = String(Math.floor(nowMs() / 1_000));
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
