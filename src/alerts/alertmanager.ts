import { postJson, type Receiver } from './http-post.ts';
import type { Alert, AlertChannel } from './port.ts';
import { oneLine } from './text.ts';
import { causesOf, linksOf, summarise } from './wording.ts';

/**
 * How far back the end of a resolved alert lies. Alertmanager keeps an alert firing whose end its own clock has not
 * reached, and then prefers the later end that it was told first.
 */
const CLOCK_MARGIN_MS = 5 * 60_000;

export interface AlertmanagerSettings extends Receiver {
  /** How long an alert fires unless it is resolved: as long as its run is remembered. */
  readonly firingMs: number;
  readonly nowMs: () => number;
}

/**
 * Posts to Alertmanager's API v2 (`url` is its base). A run is at most one of two alerts there: `DagainRunFailing`
 * while it is retried, `DagainRunFailed` once it is given up; each message says of both whether they fire.
 */
export function createAlertmanagerChannel(settings: AlertmanagerSettings): AlertChannel {
  const url = apiUrl(settings.url);
  return {
    name: 'alertmanager',
    send: (alert) => postJson({ ...settings, url }, JSON.stringify(toAlerts(alert, settings))),
  };
}

/** Keeps a path prefix, and the credentials that the URL may hold. */
function apiUrl(base: string): string {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/v2/alerts`;
  return url.href;
}

const SEVERITIES = { DagainRunFailing: 'warning', DagainRunFailed: 'critical' } as const;
type AlertName = keyof typeof SEVERITIES;

export function toAlerts(alert: Alert, settings: Pick<AlertmanagerSettings, 'firingMs' | 'nowMs'>): object[] {
  const firing = firingName(alert);
  const isOfAttempt = alert.kind !== 'gave_up' && alert.kind !== 'recovered';
  // Of an attempt nothing is known about the other one, which may be firing.
  const names: readonly AlertName[] = isOfAttempt ? ['DagainRunFailing'] : ['DagainRunFailing', 'DagainRunFailed'];
  return names.map((name) => ({
    labels: labelsOf(alert, name),
    annotations: annotationsOf(alert),
    ...generatorOf(alert),
    ...(name === firing ? firingTimes(alert, settings) : resolvedTimes(settings)),
  }));
}

function firingName({ kind, isOutdated }: Alert): AlertName | null {
  if (kind === 'recovered' || isOutdated) return null;
  return kind === 'gave_up' ? 'DagainRunFailed' : 'DagainRunFailing';
}

/** The same for every message on one incident: to Alertmanager they are the alert's identity. */
function labelsOf({ key, incident, isShadow }: Alert, name: AlertName): object {
  return {
    alertname: name,
    // Nothing has to be done about what only would have been.
    severity: isShadow ? 'info' : SEVERITIES[name],
    service: 'dagain',
    dag_id: oneLine(key.dagId, 250),
    dag_run_id: oneLine(key.dagRunId, 250),
    // The last part of it tells two counts of one run apart.
    incident: incident.slice(incident.lastIndexOf('/') + 1),
  };
}

function generatorOf(alert: Alert): object {
  const [airflow] = linksOf(alert).filter(([label]) => label === 'Airflow');
  return airflow === undefined ? {} : { generatorURL: airflow[1] };
}

function annotationsOf(alert: Alert): object {
  const links = linksOf(alert).map(([label, url]) => [`${label.toLowerCase()}_url`, url]);
  return {
    summary: oneLine(summarise(alert), 1_000),
    description: causesOf(alert).join('\n'),
    reason: oneLine(alert.reason, 100),
    attempts: `${alert.attempt} (${alert.retriesUsed} of ${alert.maxRetries} retries used)`,
    dedupe_key: alert.dedupeKey.toWellFormed(),
    ...Object.fromEntries(links),
  };
}

function firingTimes(alert: Alert, { firingMs, nowMs }: Pick<AlertmanagerSettings, 'firingMs' | 'nowMs'>): object {
  // From now: an alert that could not be delivered for long must not come with its end already past.
  const endsAt = new Date(nowMs() + firingMs).toISOString();
  return { startsAt: new Date(Math.min(alert.createdAtMs, nowMs())).toISOString(), endsAt };
}

function resolvedTimes({ nowMs }: Pick<AlertmanagerSettings, 'nowMs'>): object {
  const at = new Date(nowMs() - CLOCK_MARGIN_MS).toISOString();
  return { startsAt: at, endsAt: at };
}
