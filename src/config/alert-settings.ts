import { z } from 'zod';
import { setting } from './setting.ts';
import { Addresses, Url, WebhookSecret } from './setting-values.ts';

const WebUrl = (example: string) => Url(/^https?$/, example);
const optional = <T extends z.ZodType>(schema: T) => schema.optional();

/** Where alerts go and what they link to; a channel is configured where its address is set. */
export const ALERT_SETTINGS = {
  DAGAIN_ALERT_WEBHOOK_URL: setting(
    Url(/^https?$/, 'https://alerts.example/hook').optional(),
    null,
    'Where alerts are posted as JSON.',
    true,
  ),
  DAGAIN_ALERT_WEBHOOK_SECRET: setting(
    WebhookSecret.optional(),
    null,
    'Signs alerts by Standard Webhooks (`whsec_...` or any text).',
    true,
  ),
  DAGAIN_SLACK_WEBHOOK_URL: setting(
    optional(WebUrl('https://hooks.slack.com/services/T0/B0/key')),
    null,
    'Incoming webhook of Slack.',
    true,
  ),
  DAGAIN_PAGERDUTY_ROUTING_KEY: setting(
    z
      .string()
      .regex(/^[A-Za-z0-9]{32}$/, 'must have 32 letters and digits')
      .optional(),
    null,
    'Integration key of a PagerDuty service (Events API v2).',
    true,
  ),
  DAGAIN_PAGERDUTY_EVENTS_URL: setting(
    WebUrl('https://events.eu.pagerduty.com/v2/enqueue'),
    'https://events.pagerduty.com/v2/enqueue',
    'Where PagerDuty takes events; in the EU it has another host.',
  ),
  DAGAIN_ALERTMANAGER_URL: setting(
    optional(WebUrl('http://alertmanager:9093')),
    null,
    'Base URL of Alertmanager; a user and password in it are sent as Basic.',
    true,
  ),
  DAGAIN_TEAMS_WEBHOOK_URL: setting(
    optional(WebUrl('https://example.logic.azure.com/workflows/...')),
    null,
    'Webhook of a Microsoft Teams workflow that posts to a channel.',
    true,
  ),
  DAGAIN_SMTP_URL: setting(
    optional(Url(/^smtps?$/, 'smtp://user:password@mail.example:587')),
    null,
    'Mail server for alerts: `smtp://` (STARTTLS where it is offered) or `smtps://`.',
    true,
  ),
  DAGAIN_EMAIL_FROM: setting(optional(Addresses(1)), null, 'Sender of alerts by mail.'),
  DAGAIN_EMAIL_TO: setting(optional(Addresses(50)), null, 'Recipients of alerts by mail, comma-separated.'),
  DAGAIN_PUBLIC_URL: setting(
    optional(WebUrl('https://dagain.example')),
    null,
    "Base URL by which people reach this service, for links to a run's page.",
  ),
  DAGAIN_RUNBOOK_URL: setting(
    optional(WebUrl('https://wiki.example/dagain')),
    null,
    'What to do about an alert, for a link in each: one page, or, ending in /, a copy of deploy/runbook.',
  ),
} as const;
