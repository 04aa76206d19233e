import type { AlertChannel, SendResult } from '../../../src/alerts/port.ts';
import type { Timers } from '../../support/timers.ts';
import type { Dice } from '../dice.ts';
import type { Journal } from '../journal.ts';
import type { Weather } from '../scenario/weather.ts';
import type { Life } from './life.ts';
import { sleep } from './outages.ts';

export interface AlertReceiverDeps {
  readonly timers: Timers;
  readonly dice: Dice;
  readonly journal: Journal;
  readonly weather: () => Weather['alerts'];
}

/** A channel as one replica has it: the receiver refuses, hangs, or takes an alert whose answer then gets lost. */
export function createAlertChannel(name: string, life: Life, deps: AlertReceiverDeps): AlertChannel {
  const { timers, dice, journal, weather } = deps;
  const retryable = (detail: string): SendResult => ({ type: 'retryable', detail, retryAfterMs: null });
  return {
    name,
    send: (alert) =>
      life.through('alerts.send', async () => {
        const { fails, answerLost, hangs } = weather();
        if (dice.chance(hangs)) {
          await sleep(timers, 10_000);
          journal.count('alerts: hung');
          return retryable('no answer within the time limit');
        }
        if (dice.chance(0.3)) await sleep(timers, dice.whole(1, 500));
        if (dice.chance(fails)) {
          journal.count('alerts: refused');
          return dice.chance(0.3) ? { type: 'permanent', detail: '403' } : retryable('503');
        }
        const { key, dedupeKey, kind, reason } = alert;
        journal.tell({ type: 'alerted', channel: name, key, dedupeKey, kind, reason });
        return dice.chance(answerLost) ? retryable('the answer was lost') : { type: 'accepted' };
      }),
  };
}
