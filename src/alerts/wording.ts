import type { Reason } from '../core/reason.ts';
import type { Failure } from '../core/record.ts';
import { formatRunKey } from '../core/run-key.ts';
import type { Alert } from './port.ts';
import { oneLine } from './text.ts';

const MAX_MESSAGE_LENGTH = 300;
const MAX_CAUSES = 5;
/** Nothing is done in shadow mode, and nobody should take it for done. */
const SHADOW = '[shadow] ';
/** Longer links are left out: some receivers refuse the whole message for one. */
const MAX_LINK_LENGTH = 900;

/** The give-up of a run that nobody has seen failed. */
const NOT_ENDED: Reason = 'settle_timeout';

/** A few words without anything that comes from outside. */
export function titleOf(alert: Alert): string {
  return `${alert.isShadow ? SHADOW : ''}${titleOfKind(alert)}`;
}

function titleOfKind({ kind, reason, isShadow }: Alert): string {
  const will = isShadow ? 'would' : 'will';
  switch (kind) {
    case 'gave_up':
      return reason === NOT_ENDED ? `Dag run did not end, ${will} not be retried` : 'Dag run failed for good';
    case 'attempt_failed':
    case 'first_failure':
      return `Dag run failed, ${will} be retried`;
    case 'recovered':
      return 'Dag run recovered';
  }
}

/** One line for people. */
export function summarise(alert: Alert): string {
  const will = alert.isShadow ? 'would' : 'will';
  const run = `${alert.isShadow ? SHADOW : ''}Dag run ${oneLine(formatRunKey(alert.key), 501)}`;
  const used = `${alert.retriesUsed} of ${alert.maxRetries} retries used`;
  switch (alert.kind) {
    case 'gave_up':
      return `${run} ${alert.reason === NOT_ENDED ? '' : 'failed and '}${will} not be retried (${alert.reason}; ${used})`;
    case 'attempt_failed':
    case 'first_failure':
      return `${run} failed on attempt ${alert.attempt} and ${will} be retried (${used})`;
    case 'recovered':
      return `${run} succeeded on attempt ${alert.attempt} (${used})`;
  }
}

/** What there is to know, as label and value, each on one line; values come from outside and are not escaped. */
export function factsOf(alert: Alert): readonly (readonly [label: string, value: string])[] {
  const { key, reason, attempt, retriesUsed, maxRetries } = alert;
  return [
    ['Dag', oneLine(key.dagId, 250)],
    ['Run', oneLine(key.dagRunId, 250)],
    ['Reason', oneLine(reason, 100)],
    ['Attempts', `${attempt} (${retriesUsed} of ${maxRetries} retries used)`],
    ['First failed', new Date(alert.firstFailedAtMs).toISOString()],
    ['Dedupe key', oneLine(alert.dedupeKey, 600)],
  ];
}

/** What failed and why, a line each, the first few; not escaped. A recovered run has none. */
export function causesOf({ kind, failures }: Alert): readonly string[] {
  if (kind === 'recovered') return [];
  const more = failures.length - MAX_CAUSES;
  const lines = failures.slice(0, MAX_CAUSES).map(describeCause);
  return more > 0 ? [...lines, `and ${more} more`] : lines;
}

function describeCause(failure: Failure): string {
  const { taskId, mapIndex, exceptionType, message, failureClass } = failure;
  const index = mapIndex === null || mapIndex < 0 ? '' : `[${mapIndex}]`;
  const what = taskId === null ? 'the run' : `task ${taskId}${index}`;
  const why = [exceptionType, message].filter((part) => part !== null && part !== '').join(': ') || failureClass;
  return `${oneLine(what, 280)}: ${oneLine(why, MAX_MESSAGE_LENGTH)}`;
}

/** Where to look further, none of it written by a task: label and URL. */
export function linksOf({ runUrl, pageUrl, runbookUrl }: Alert): readonly (readonly [label: string, url: string])[] {
  const links = [
    ['Airflow', runUrl],
    ['dagain', pageUrl],
    ['Runbook', runbookUrl],
  ] as const;
  return links.flatMap(([label, url]) => (isUsable(url) ? [[label, url] as const] : []));
}

function isUsable(url: string | null): url is string {
  return url !== null && url.length <= MAX_LINK_LENGTH && /^https?:\/\/[\x21-\x7e]+$/.test(url) && !/[<>|"]/.test(url);
}
