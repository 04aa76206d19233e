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

/** Sends events to PagerDuty's Events API v2: a failure triggers an incident, the recovery resolves the same one. */
export function createPagerDutyChannel(settings: PagerDutySettings): AlertChannel {
  return {
    name: 'pagerduty',
    send: (alert) => postJson(settings, JSON.stringify(toEvent(alert, settings.routingKey))),
  };
}

export function toEvent(alert: Alert, routingKey: string): object {
  const event = { routing_key: routingKey, dedup_key: dedupKeyOf(alert) };
  if (alert.kind === 'recovered') return { ...event, event_action: 'resolve' };
  const [dagId, dagRunId] = [alert.key.dagId, alert.key.dagRunId].map((id) => oneLine(id, 250));
  const links = linksOf(alert).map(([text, href]) => ({ href, text }));
  const page = links.find(({ text }) => text === 'dagain');
  return {
    ...event,
    event_action: 'trigger',
    client: 'dagain',
    ...(page === undefined ? {} : { client_url: page.href }),
    links,
    payload: {
      summary: oneLine(summarise(alert), MAX_SUMMARY_LENGTH),
      source: sourceOf(alert),
      severity: alert.kind === 'gave_up' ? 'critical' : 'warning',
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

function dedupKeyOf({ incident }: Alert): string {
  if (incident.length <= MAX_DEDUP_KEY_LENGTH) return incident.toWellFormed();
  return `dagain/${createHash('sha256').update(incident).digest('hex')}`;
}

/** Where it happened: Airflow's host, as far as it is known. */
function sourceOf({ runUrl }: Alert): string {
  return runUrl !== null && URL.canParse(runUrl) ? new URL(runUrl).host : 'airflow';
}
