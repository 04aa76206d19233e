import type { Operated, Operation } from '../../../src/core/event.ts';
import { EVERYTHING, type Pause } from '../../../src/core/pause.ts';
import type { RunRecord } from '../../../src/core/record.ts';
import type { RunKey } from '../../../src/core/run-key.ts';
import type { Timers } from '../../support/timers.ts';
import type { Dice } from '../dice.ts';
import type { Journal } from '../journal.ts';
import type { Fleet } from './fleet.ts';

export interface OperatorsDeps {
  readonly fleet: Fleet;
  readonly timers: Timers;
  readonly dice: Dice;
  readonly journal: Journal;
  readonly keys: readonly RunKey[];
  readonly stored: (key: RunKey) => RunRecord | null;
  readonly pauses: () => readonly Pause[];
}

/** People in front of the service's own page. */
export interface Operators {
  /** Does something to some run. */
  meddle(): void;
  /** Nobody holds a run for ever. */
  resumeAll(): void;
}

const ACTIONS: readonly Operation[] = [
  'pause',
  'pause',
  'resume',
  'cancel',
  'retry_now',
  'retry_now',
  'grant',
  'grant',
  'reset',
];

export function createOperators({ fleet, timers, dice, journal, keys, stored, pauses }: OperatorsDeps): Operators {
  function act(key: RunKey, action: Operation): void {
    const retries = action === 'grant' ? dice.whole(1, 3) : 0;
    const event: Operated = { type: 'operated', action, actor: 'olga', comment: '', retries };
    const replica = fleet.anyone();
    if (replica === null) return;
    journal.count(`operator: ${action}`);
    void replica.act(key, event);
    if (action === 'pause') timers.schedule(dice.whole(10, 1_200) * 1_000, () => act(key, 'resume'));
  }

  function pause(scope: string): void {
    journal.count(`operator: pause of ${scope === EVERYTHING ? 'everything' : 'a Dag'}`);
    void fleet.anyone()?.pause(scope, 'pause');
    timers.schedule(dice.whole(10, 1_200) * 1_000, () => void fleet.anyone()?.pause(scope, 'resume'));
  }

  return {
    meddle() {
      if (dice.chance(0.1)) return pause(dice.chance(0.3) ? EVERYTHING : dice.pick(keys).dagId);
      const known = keys.filter((key) => stored(key) !== null);
      if (known.length > 0) act(dice.pick(known), dice.pick(ACTIONS));
    },
    resumeAll() {
      for (const key of keys) if (stored(key)?.held != null) act(key, 'resume');
      for (const { scope } of pauses()) void fleet.anyone()?.pause(scope, 'resume');
    },
  };
}
