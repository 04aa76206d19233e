import { createAlertmanagerChannel } from '../alerts/alertmanager.ts';
import { createEmailChannel } from '../alerts/email.ts';
import { createPagerDutyChannel } from '../alerts/pagerduty.ts';
import type { AlertChannel } from '../alerts/port.ts';
import { createSlackChannel } from '../alerts/slack.ts';
import { createTeamsChannel } from '../alerts/teams.ts';
import { createWebhookChannel } from '../alerts/webhook.ts';
import type { Environment } from '../config/environment.ts';
import type { PolicyFile } from '../config/policy-file.ts';
import type { AlertLinks } from '../engine/announcer.ts';
import type { Log } from '../engine/log.ts';

const TIMEOUT_MS = 10_000;
/** A mail takes several round trips, and some servers make strangers wait. */
const MAIL_TIMEOUT_MS = 30_000;

/** One channel for each whose address is set. */
export function createChannels(environment: Environment, nowMs: () => number): AlertChannel[] {
  const common = { timeoutMs: TIMEOUT_MS, nowMs };
  const channels: AlertChannel[] = [];
  const { DAGAIN_ALERT_WEBHOOK_URL: hook, DAGAIN_ALERT_WEBHOOK_SECRET: secret = null } = environment;
  if (hook !== undefined) channels.push(createWebhookChannel({ ...common, url: hook, secret }));
  const { DAGAIN_SLACK_WEBHOOK_URL: slack } = environment;
  if (slack !== undefined) channels.push(createSlackChannel({ ...common, url: slack }));
  const { DAGAIN_PAGERDUTY_ROUTING_KEY: routingKey, DAGAIN_PAGERDUTY_EVENTS_URL: events } = environment;
  if (routingKey !== undefined) channels.push(createPagerDutyChannel({ ...common, url: events, routingKey }));
  const { DAGAIN_ALERTMANAGER_URL: alertmanager, DAGAIN_TOMBSTONE_TTL: firingMs } = environment;
  if (alertmanager !== undefined) channels.push(createAlertmanagerChannel({ ...common, url: alertmanager, firingMs }));
  const { DAGAIN_TEAMS_WEBHOOK_URL: teams } = environment;
  if (teams !== undefined) channels.push(createTeamsChannel({ ...common, url: teams }));
  const { DAGAIN_SMTP_URL: smtp, DAGAIN_EMAIL_FROM: [from] = [], DAGAIN_EMAIL_TO: to } = environment;
  if (smtp !== undefined && from !== undefined && to !== undefined) {
    channels.push(createEmailChannel({ url: smtp, from, to, timeoutMs: MAIL_TIMEOUT_MS }));
  }
  return channels;
}

export function linksFrom(environment: Environment): AlertLinks {
  const { DAGAIN_PUBLIC_URL: base, DAGAIN_RUNBOOK_URL: runbook = null } = environment;
  return {
    // A folder holds the pages of deploy/runbook; anything else is one page for all.
    runbookOf: (reason) => (runbook?.endsWith('/') ? `${runbook}${runbookPageOf(reason)}` : runbook),
    pageOf({ dagId, dagRunId }) {
      if (base === undefined) return null;
      return `${base.replace(/\/+$/, '')}/runs/${encodeURIComponent(dagId)}/${encodeURIComponent(dagRunId)}`;
    },
  };
}

/** The page of deploy/runbook about this reason; one for all that it does not say more about. */
function runbookPageOf(reason: string): string {
  switch (reason) {
    case 'max_retries_reached':
      return 'attempt-cap.md';
    case 'state_lost':
      return 'store-lost.md';
    default:
      return 'given-up.md';
  }
}

/** A policy that sends alerts where nothing can be sent is told of when it comes into force, not when it is too late. */
export function warnOfUnconfigured(file: PolicyFile, channels: readonly AlertChannel[], log: Pick<Log, 'warn'>): void {
  const asked = [file.defaults, ...file.dags].flatMap((layer) => layer.alert_channels ?? []);
  for (const channel of new Set(asked)) {
    if (channels.some(({ name }) => name === channel)) continue;
    log.warn({ channel }, `the policy file sends alerts to ${channel}, which is not configured`);
  }
}
