import type { AlertAnswered } from '../event.ts';
import type { PendingAlert, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import { isEnd } from './end.ts';
import { withHistory } from './fields.ts';
import { become, type Transition, unchanged } from './result.ts';
import { entomb } from './steps.ts';

/** An alert leaves the outbox when its channel has accepted it, or when trying again has been given up. */
export function onAlertAnswered(record: RunRecord, event: AlertAnswered, rules: Rules, nowMs: number): Transition {
  const isMeant = (alert: PendingAlert) => alert.dedupeKey === event.dedupeKey && alert.channel === event.channel;
  const meant = record.outbox.find(isMeant);
  if (meant === undefined) return unchanged(record, 'stale', 'superseded');
  const { nextTryAtMs } = event;
  if (!event.accepted && nextTryAtMs !== null) {
    const outbox = record.outbox.map((alert) =>
      isMeant(alert) ? { ...alert, tries: alert.tries + 1, nextTryAtMs } : alert,
    );
    return become({ ...record, outbox }, 'giving_up', 'alert_not_accepted');
  }
  const reason = event.accepted ? 'alert_accepted' : 'alert_abandoned';
  const next: RunRecord = {
    ...record,
    outbox: record.outbox.filter((alert) => !isMeant(alert)),
    history: withHistory(record.history, {
      atMs: nowMs,
      type: 'alert',
      attempt: meant.attempt,
      reason,
      detail: `${meant.kind} to ${meant.channel}`,
    }),
  };
  if (next.phase !== 'giving_up' || next.outbox.length > 0) return become(next, 'giving_up', reason);
  return become(isEnd(next.reason) ? null : entomb(next, rules, nowMs), 'giving_up', reason);
}
