import type { RetryPolicy } from '../policy.ts';
import type { Reason } from '../reason.ts';
import type { AlertKind, PendingAlert, RunRecord } from '../record.ts';
import { formatRunKey } from '../run-key.ts';

/** What goes into the outbox: one entry for each channel, none where the policy does not want this kind. */
export function pendingAlerts(
  kind: 'gave_up' | 'attempt_failed',
  record: RunRecord,
  reason: Reason,
  policy: RetryPolicy,
  nowMs: number,
): PendingAlert[] {
  if (!isWanted(kind, record, policy)) return [];
  const sent: AlertKind = kind === 'attempt_failed' && policy.alerts === 'first_failure' ? 'first_failure' : kind;
  // The time of the first failure tells two counts of one run apart.
  const incident = `dagain/${formatRunKey(record)}/${record.firstFailedAtMs}`;
  const dedupeKey = `${incident}/${sent}/${record.attempt}`;
  const isPending = (channel: string) =>
    record.outbox.some((alert) => alert.dedupeKey === dedupeKey && alert.channel === channel);
  const channels = policy.alertChannels.filter((channel) => !isPending(channel));
  const fields = { kind: sent, reason, attempt: record.attempt, ...unsent(nowMs) };
  return channels.map((channel) => ({ dedupeKey, incident, channel, ...fields }));
}

/** An alert that nobody has tried to send yet. */
export function unsent(nowMs: number): Pick<PendingAlert, 'createdAtMs' | 'tries' | 'nextTryAtMs'> {
  return { createdAtMs: nowMs, tries: 0, nextTryAtMs: nowMs };
}

function isWanted(kind: 'gave_up' | 'attempt_failed', record: RunRecord, policy: RetryPolicy): boolean {
  switch (kind) {
    case 'gave_up':
      return true;
    case 'attempt_failed':
      return policy.alerts === 'every_attempt' || (policy.alerts === 'first_failure' && record.retriesUsed === 0);
  }
}
