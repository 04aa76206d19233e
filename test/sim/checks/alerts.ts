import { formatRunKey } from '../../../src/core/run-key.ts';
import type { SimEventOf } from '../events.ts';
import type { Watcher } from '../journal.ts';
import { type CheckContext, hasEndedWell, isAnotherGiveUp, isGivenUp } from './context.ts';

/** Invariant 7 while things happen; what is still owed at the end is told by `owed`. */
export interface AlertCheck {
  readonly watch: Watcher;
  /** Give-ups that some channel has not heard of. */
  owed(): string[];
  /** Whether every channel has accepted a give-up of the run that came no earlier than this. */
  hasToldSince(name: string, sinceMs: number): boolean;
}

interface GiveUp {
  readonly name: string;
  readonly key: string;
  readonly atMs: number;
  /** The store has forgotten it. */
  isLost: boolean;
  /** Whoever has reset the run does not want to hear of it. */
  isWaived: boolean;
}

export function checkAlerts({ journal, nowMs, scenario }: CheckContext): AlertCheck {
  const giveUps: GiveUp[] = [];
  const accepted = new Set<string>();

  function onGiveUp({ key, after }: SimEventOf<'swapped'>): void {
    const name = formatRunKey(key);
    // Whoever cancels knows.
    if (!isGivenUp(after) || hasEndedWell(after) || after.reason === 'cancelled_by_operator') return;
    // Of this count: a run that was granted more may be given up again, while the first alert is still unsent.
    const isOfThisCount = (incident: string) => incident.endsWith(`/${after.firstFailedAtMs}`);
    const alerts = after.outbox.filter(({ kind, incident }) => kind === 'gave_up' && isOfThisCount(incident));
    // Also whoever sets it to failed, but where somebody has been told of it before.
    if (after.reason === 'stopped_by_person' && alerts.length === 0) return;
    const keys = new Set(alerts.filter(({ attempt }) => attempt === after.attempt).map((alert) => alert.dedupeKey));
    const [dedupeKey = ''] = keys;
    const channels = alerts.filter((alert) => alert.dedupeKey === dedupeKey).map((alert) => alert.channel);
    const unheard = scenario.channels.filter((channel) => !channels.includes(channel));
    if (keys.size !== 1 || unheard.length > 0) {
      journal.violate('a give-up is told', `${name} (${after.reason}): no alert for ${unheard.join(', ')}`);
    }
    // A count that was made anew from the audit log may be one that people have been told of.
    const isRebuilt = after.history.some(({ reason }) => reason === 'count_rebuilt');
    if (!isRebuilt && giveUps.some((one) => one.key === dedupeKey && !one.isLost)) {
      journal.violate('each give-up has a key of its own', `${name}: ${dedupeKey} again`);
    }
    giveUps.push({ name, key: dedupeKey, atMs: nowMs(), isLost: false, isWaived: false });
    journal.count(`gave up: ${after.reason}`);
  }

  function onAccepted({ channel, dedupeKey, kind, key }: SimEventOf<'alerted'>): void {
    journal.count(accepted.has(`${channel} ${dedupeKey}`) ? 'alerts: accepted again' : `alerts: ${kind}`);
    accepted.add(`${channel} ${dedupeKey}`);
    if (kind !== 'gave_up') return;
    if (!giveUps.some((one) => one.key === dedupeKey))
      journal.violate('no alert without a give-up', `${formatRunKey(key)}: ${dedupeKey}`);
  }

  /** What was sent before a loss may have its answer after it, when the same give-up has come again. */
  function isTold({ key, isWaived }: GiveUp): boolean {
    return isWaived || scenario.channels.every((channel) => accepted.has(`${channel} ${key}`));
  }

  function onLoss(): void {
    for (const one of giveUps) one.isLost = true;
  }

  function waive(name: string): void {
    for (const one of giveUps) if (one.name === name) one.isWaived = true;
  }

  return {
    watch(event) {
      if (event.type === 'swapped' && isAnotherGiveUp(event.before, event.after)) onGiveUp(event);
      if (event.type === 'alerted') onAccepted(event);
      if (event.type === 'store_lost') onLoss();
      // Whoever resets a run waives what has not been told of it.
      const isOperation = event.type === 'operating' || event.type === 'answered';
      if (isOperation && event.action === 'reset') waive(formatRunKey(event.key));
    },
    owed: () => giveUps.filter((one) => !isTold(one) && !one.isLost).map(({ name, key }) => `${name}: ${key}`),
    hasToldSince: (name, sinceMs) => giveUps.some((one) => one.name === name && one.atMs >= sinceMs && isTold(one)),
  };
}
