import type { PendingAlert, RunRecord, Told } from '../record.ts';
import type { Timing } from '../rules.ts';
import { unsent } from './outbox.ts';

/** Beyond this the oldest are forgotten: every give-up that a person restarts adds one for each channel. */
const MAX_TOLD = 40;
/** A given-up run is looked at less and less often, but never seldomer than this. */
const MAX_LOOK_MS = 30 * 60_000;

/** Remembers that a channel has accepted an alert, so that it hears of the recovery. */
export function withTold(told: readonly Told[], { kind, channel, incident }: PendingAlert): Told[] {
  const isKnown = told.some((one) => isSame(one, { channel, incident }));
  if (kind === 'recovered' || isKnown) return [...told];
  return [...told, { channel, incident }].slice(-MAX_TOLD);
}

/**
 * The run has succeeded: whoever was told of its failure is told of that. A channel that has yet to accept another alert
 * of the same incident comes later, since a recovery that overtakes its alert would leave the incident open.
 */
export function withRecoveries<R extends RunRecord>(record: R, nowMs: number): R {
  const owed = record.told.filter((one) => !record.outbox.some((alert) => isSame(one, alert)));
  if (owed.length === 0) return record;
  const recovered = { kind: 'recovered', reason: 'run_succeeded', attempt: record.attempt, ...unsent(nowMs) } as const;
  const alerts = owed.map(({ channel, incident }) => ({
    ...recovered,
    dedupeKey: `${incident}/recovered/${record.attempt}`,
    incident,
    channel,
  }));
  return {
    ...record,
    told: record.told.filter((one) => !owed.includes(one)),
    outbox: [...record.outbox, ...alerts],
  };
}

/**
 * When to look again whether a given-up run has recovered after all: no callback need tell of it. Null where nobody
 * would have to be told.
 */
export function nextRecoveryLookMs(
  record: Pick<RunRecord, 'told'> & { readonly gaveUpAtMs: number },
  { sweepIntervalMs }: Timing,
  nowMs: number,
): number | null {
  if (record.told.length === 0) return null;
  const tenthOfAgeMs = Math.round((nowMs - record.gaveUpAtMs) / 10);
  return nowMs + Math.max(sweepIntervalMs, Math.min(tenthOfAgeMs, MAX_LOOK_MS));
}

function isSame(a: Told, b: Told): boolean {
  return a.channel === b.channel && a.incident === b.incident;
}
