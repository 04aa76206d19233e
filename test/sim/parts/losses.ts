import type { Dice } from '../dice.ts';
import type { Journal } from '../journal.ts';
import type { MemoryStore } from './memory-store.ts';

export interface Losses {
  /** The store is emptied, or set back to the latest snapshot. */
  strike(): void;
  takeSnapshot(): void;
}

/** What happens to a store without persistence, or to one that somebody restores from a backup. */
export function createLosses(deps: {
  readonly store: MemoryStore;
  readonly dice: Dice;
  readonly journal: Journal;
}): Losses {
  const { store, dice, journal } = deps;
  let restore: (() => void) | null = null;
  return {
    takeSnapshot() {
      restore = store.snapshot();
    },
    strike() {
      const how = restore !== null && dice.chance(0.5) ? 'set back' : 'emptied';
      if (how === 'set back') restore?.();
      else store.empty();
      journal.count(`store: ${how}`);
      journal.tell({ type: 'store_lost', how });
    },
  };
}
