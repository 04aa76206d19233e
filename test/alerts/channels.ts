import { createAlertmanagerChannel } from '../../src/alerts/alertmanager.ts';
import { createEmailChannel } from '../../src/alerts/email.ts';
import { createPagerDutyChannel } from '../../src/alerts/pagerduty.ts';
import type { AlertChannel } from '../../src/alerts/port.ts';
import { createSlackChannel } from '../../src/alerts/slack.ts';
import { createTeamsChannel } from '../../src/alerts/teams.ts';
import { createWebhookChannel } from '../../src/alerts/webhook.ts';
import { NOW_MS } from './fixtures.ts';

/** Stands wherever a channel has something that nobody else may know. */
export const SECRET = 's3cr3tT0ken0123456789abcdefABCDE';

interface Built {
  readonly protocol: 'http' | 'smtp';
  /** `host`: name and port of the receiver; `isSecure`: speaks TLS from the start. */
  create(host: string, isSecure: boolean, timeoutMs: number): AlertChannel;
}

const http = (isSecure: boolean) => (isSecure ? 'https' : 'http');
const nowMs = () => NOW_MS;

/** Every channel there is; what the tests over all of them ask for, a new one gets by its line here. */
export const CHANNELS: Readonly<Record<string, Built>> = {
  webhook: {
    protocol: 'http',
    create: (host, isSecure, timeoutMs) =>
      createWebhookChannel({ url: `${http(isSecure)}://${host}/hook?key=${SECRET}`, secret: SECRET, timeoutMs, nowMs }),
  },
  slack: {
    protocol: 'http',
    create: (host, isSecure, timeoutMs) =>
      createSlackChannel({ url: `${http(isSecure)}://${host}/services/T0/B0/${SECRET}`, timeoutMs }),
  },
  pagerduty: {
    protocol: 'http',
    create: (host, isSecure, timeoutMs) =>
      createPagerDutyChannel({ url: `${http(isSecure)}://${host}/v2/enqueue`, routingKey: SECRET, timeoutMs }),
  },
  alertmanager: {
    protocol: 'http',
    create: (host, isSecure, timeoutMs) =>
      createAlertmanagerChannel({
        url: `${http(isSecure)}://dagain:${SECRET}@${host}`,
        firingMs: 1_000,
        timeoutMs,
        nowMs,
      }),
  },
  teams: {
    protocol: 'http',
    create: (host, isSecure, timeoutMs) =>
      createTeamsChannel({ url: `${http(isSecure)}://${host}/workflows/1?sig=${SECRET}`, timeoutMs }),
  },
  email: {
    protocol: 'smtp',
    create: (host, isSecure, timeoutMs) =>
      createEmailChannel({
        url: `smtp${isSecure ? 's' : ''}://dagain:${SECRET}@${host}`,
        from: 'dagain@example.com',
        to: ['oncall@example.com'],
        timeoutMs,
      }),
  },
};
