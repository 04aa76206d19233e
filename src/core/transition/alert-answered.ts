import type { AlertAnswered } from '../event.ts';
import type { PendingAlert, RunRecord } from '../record.ts';
import type { Rules } from '../rules.ts';
import { isEnd } from './end.ts';
import { withHistory } from './fields.ts';
import { nextRecoveryLookMs, withRecoveries, withTold } from './recovery.ts';
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
  const told = event.accepted ? withTold(record.told, meant) : record.told;
  const answered: RunRecord = {
    ...record,
    told,
    outbox: record.outbox.filter((alert) => !isMeant(alert)),
    history: withHistory(record.history, {
      atMs: nowMs,
      type: 'alert',
      attempt: meant.attempt,
      reason,
      detail: `${meant.kind} to ${meant.channel}`,
    }),
  };
  return become(afterAnswer(answered, rules, nowMs), 'giving_up', reason);
}

function afterAnswer(answered: RunRecord, rules: Rules, nowMs: number): RunRecord | null {
  if (answered.phase !== 'giving_up') return answered;
  const next = answered.reason === 'run_succeeded' ? withRecoveries(answered, nowMs) : answered;
  if (next.outbox.length === 0) return isEnd(next.reason) ? null : entomb(next, rules, nowMs);
  if (isEnd(next.reason)) return next;
  // While one channel does not take its alert, those who have been told may already have to hear of a recovery.
  return { ...next, dueAtMs: next.dueAtMs ?? nextRecoveryLookMs(next, rules.timing, nowMs) };
}
