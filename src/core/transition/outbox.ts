import type { RetryPolicy } from '../policy.ts';
import type { Reason } from '../reason.ts';
import type { AlertKind, PendingAlert, RunRecord } from '../record.ts';
import { formatRunKey } from '../run-key.ts';

/** What goes into the outbox: one entry for each channel, none where the policy does not want this kind. */
export function pendingAlerts(
  kind: AlertKind,
  record: RunRecord,
  reason: Reason,
  policy: RetryPolicy,
  nowMs: number,
): PendingAlert[] {
  if (!isWanted(kind, record, policy)) return [];
  const sent = kind === 'attempt_failed' && policy.alerts === 'first_failure' ? 'first_failure' : kind;
  // The time of the first failure tells two counts of one run apart.
  const dedupeKey = `dagain/${formatRunKey(record)}/${record.firstFailedAtMs}/${sent}/${record.attempt}`;
  const isPending = (channel: string) =>
    record.outbox.some((alert) => alert.dedupeKey === dedupeKey && alert.channel === channel);
  const channels = policy.alertChannels.filter((channel) => !isPending(channel));
  return channels.map((channel) => ({
    dedupeKey,
    channel,
    kind: sent,
    reason,
    attempt: record.attempt,
    createdAtMs: nowMs,
    tries: 0,
    nextTryAtMs: nowMs,
  }));
}

function isWanted(kind: AlertKind, record: RunRecord, policy: RetryPolicy): boolean {
  switch (kind) {
    case 'gave_up':
    case 'recovered':
      return true;
    case 'attempt_failed':
    case 'first_failure':
      return policy.alerts === 'every_attempt' || (policy.alerts === 'first_failure' && record.retriesUsed === 0);
  }
}
