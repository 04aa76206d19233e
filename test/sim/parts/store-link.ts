import { DagainError } from '../../../src/core/errors.ts';
import type { RunStore } from '../../../src/store/port.ts';
import type { Timers } from '../../support/timers.ts';
import type { Dice } from '../dice.ts';
import type { Journal } from '../journal.ts';
import type { Weather } from '../scenario/weather.ts';
import type { Life } from './life.ts';
import { type Outages, sleep } from './outages.ts';

export interface StoreLinkDeps {
  readonly store: RunStore;
  readonly life: Life;
  readonly timers: Timers;
  readonly dice: Dice;
  readonly journal: Journal;
  /** Of the moment: calm once the trouble is over. */
  readonly weather: () => Weather['store'];
  readonly outages: Outages;
}

type Fate = 'works' | 'fails' | 'answer lost';

/** One replica's way to the store: calls fail, take long, or take effect while their answers get lost. */
export function createStoreLink({ store, life, timers, dice, journal, weather, outages }: StoreLinkDeps): RunStore {
  function fateOf(): Fate {
    const { fails, answerLost } = weather();
    const drawn = dice.random();
    if (outages.isOut()) return drawn < 0.1 ? 'answer lost' : 'fails';
    if (drawn < fails) return 'fails';
    return drawn < fails + answerLost ? 'answer lost' : 'works';
  }

  async function travel(): Promise<void> {
    if (dice.chance(weather().slow)) await sleep(timers, dice.whole(100, dice.pick([2_000, 9_000])));
    else if (dice.chance(0.3)) await sleep(timers, dice.whole(1, 30));
  }

  function call<T>(operation: string, run: () => Promise<T>): Promise<T> {
    return life.through(`store.${operation}`, async () => {
      const fate = fateOf();
      await travel();
      if (fate === 'fails') throw outage(operation);
      const result = await run();
      await travel();
      if (fate === 'works') return result;
      journal.count(`store: answer to ${operation} lost`);
      throw outage(operation);
    });
  }

  function outage(operation: string): DagainError {
    journal.count('store: calls failed');
    return new DagainError('store_unavailable', `${operation}: the store did not answer`);
  }

  return {
    load: (key) => call('load', () => store.load(key)),
    compareAndSwap: (key, expected, next, entries) =>
      call('compareAndSwap', () => store.compareAndSwap(key, expected, next, entries)),
    takeDue: (nowMs, limit, leaseMs) => call('takeDue', () => store.takeDue(nowMs, limit, leaseMs)),
    list: (after, limit) => call('list', () => store.list(after, limit)),
    count: (nowMs) => call('count', () => store.count(nowMs)),
    readMark: (name) => call('readMark', () => store.readMark(name)),
    advanceMark: (name, toMs) => call('advanceMark', () => store.advanceMark(name, toMs)),
    advanceMarkFrom: (name, fromMs, toMs) => call('advanceMarkFrom', () => store.advanceMarkFrom(name, fromMs, toMs)),
    readJournal: (query) => call('readJournal', () => store.readJournal(query)),
    journalBegins: () => call('journalBegins', () => store.journalBegins()),
    journalHead: () => call('journalHead', () => store.journalHead()),
    readJournalAfter: (head, limit) => call('readJournalAfter', () => store.readJournalAfter(head, limit)),
    pauses: () => call('pauses', () => store.pauses()),
    setPause: (scope, pause, entry) => call('setPause', () => store.setPause(scope, pause, entry)),
    ping: () => call('ping', () => store.ping()),
    warnings: () => call('warnings', () => store.warnings()),
    close: async () => {},
  };
}
