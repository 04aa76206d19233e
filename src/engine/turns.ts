/** Work of which there must never be two pieces at a time. */
export interface Turns {
  /** Begins when all that was asked for before has ended, well or not. */
  take<T>(work: () => Promise<T>): Promise<T>;
  /** How many are at work or wait. */
  taken(): number;
}

export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve();
  let taken = 0;
  return {
    async take(work) {
      taken += 1;
      const turn = last.then(work);
      last = turn.catch(() => {});
      try {
        return await turn;
      } finally {
        taken -= 1;
      }
    },
    taken: () => taken,
  };
}
