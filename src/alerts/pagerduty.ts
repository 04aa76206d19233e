import { createHash } from 'node:crypto';
import { postJson, type Receiver } from './http-post.ts';
import type { Alert, AlertChannel } from './port.ts';
import { oneLine } from './text.ts';
import { causesOf, linksOf, summarise } from './wording.ts';

// Limits of https://developer.pagerduty.com/docs/send-alert-event.
const MAX_SUMMARY_LENGTH = 1_024;
const MAX_DEDUP_KEY_LENGTH = 255;

export interface PagerDutySettings extends Receiver {
  readonly routingKey: string;
}

/**
 * Sends events to PagerDuty's Events API v2. A run has at most two incidents there, one while it is retried and one once
 * it is given up: an open incident takes in what has the same key without a word, so that they cannot share one.
 */
export function createPagerDutyChannel(settings: PagerDutySettings): AlertChannel {
  return {
    name: 'pagerduty',
    async send(alert) {
      for (const event of toEvents(alert, settings.routingKey)) {
        const result = await postJson(settings, JSON.stringify(event));
        // Sent anew all together: to PagerDuty the second time is none.
        if (result.type !== 'accepted') return result;
      }
      return { type: 'accepted' };
    },
  };
}

/** What to send, in order: what people must hear of first. */
export function toEvents(alert: Alert, routingKey: string): object[] {
  const resolve = (key: string) => ({ routing_key: routingKey, dedup_key: key, event_action: 'resolve' });
  const [failing, failed] = [dedupKeyOf(alert, 'failing'), dedupKeyOf(alert, 'failed')];
  switch (alert.kind) {
    case 'attempt_failed':
    case 'first_failure':
      return [alert.isOutdated ? resolve(failing) : triggerOf(alert, routingKey, failing, 'warning')];
    case 'gave_up':
      return [triggerOf(alert, routingKey, failed, 'critical'), resolve(failing)];
    case 'recovered':
      return [resolve(failed), resolve(failing)];
  }
}

function triggerOf(alert: Alert, routingKey: string, key: string, severity: 'critical' | 'warning'): object {
  const [dagId, dagRunId] = [alert.key.dagId, alert.key.dagRunId].map((id) => oneLine(id, 250));
  const links = linksOf(alert).map(([text, href]) => ({ href, text }));
  const page = links.find(({ text }) => text === 'dagain');
  return {
    routing_key: routingKey,
    dedup_key: key,
    event_action: 'trigger',
    client: 'dagain',
    ...(page === undefined ? {} : { client_url: page.href }),
    links,
    payload: {
      summary: oneLine(summarise(alert), MAX_SUMMARY_LENGTH),
      source: sourceOf(alert),
      // Nothing has to be done about what only would have been.
      severity: alert.isShadow ? 'info' : severity,
      timestamp: new Date(alert.createdAtMs).toISOString(),
      component: dagId,
      class: alert.reason,
      custom_details: {
        dag_id: dagId,
        dag_run_id: dagRunId,
        attempt: alert.attempt,
        retries_used: alert.retriesUsed,
        max_retries: alert.maxRetries,
        first_failed_at: new Date(alert.firstFailedAtMs).toISOString(),
        causes: causesOf(alert),
        dedupe_key: alert.dedupeKey.toWellFormed(),
      },
    },
  };
}

function dedupKeyOf({ incident }: Alert, what: 'failing' | 'failed'): string {
  const key = `${incident}/${what}`.toWellFormed();
  if (key.length <= MAX_DEDUP_KEY_LENGTH) return key;
  return `dagain/${createHash('sha256').update(key).digest('hex')}`;
}

/** Where it happened: Airflow's host, as far as it is known. */
function sourceOf({ runUrl }: Alert): string {
  return runUrl !== null && URL.canParse(runUrl) ? new URL(runUrl).host : 'airflow';
}
