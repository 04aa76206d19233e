import { createSeededRandom, type Random } from '../support/airflow/model/seeded-random.ts';

/** Everything that is left to chance, drawn from one seed. */
export interface Dice {
  /** In [0, 1). */
  readonly random: Random;
  chance(probability: number): boolean;
  /** A whole number; both ends are possible. */
  whole(min: number, max: number): number;
  pick<T>(items: readonly T[]): T;
}

/** Each part of a simulation has dice of its own, so that one more draw in one leaves the others as they were. */
export function createDice(seed: number, part: string): Dice {
  const random = createSeededRandom(hash(`${seed}/${part}`));
  return {
    random,
    chance: (probability) => random() < probability,
    whole: (min, max) => min + Math.floor(random() * (max - min + 1)),
    pick(items) {
      const item = items[Math.floor(random() * items.length)];
      if (item === undefined) throw new RangeError('there is nothing to pick from');
      return item;
    },
  };
}

/** FNV-1a. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    state = Math.imul(state ^ text.charCodeAt(index), 0x01000193);
  }
  return state >>> 0;
}
