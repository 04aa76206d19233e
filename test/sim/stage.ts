import type { VirtualTimers } from '../support/timers.ts';

/** Lets virtual time pass, step by step, until something has gone wrong. */
export interface Stage {
  advanceTo(timeMs: number): Promise<void>;
  /** Until `work` has settled. */
  advanceWhile(work: Promise<unknown>): Promise<void>;
  steps(): number;
}

/**
 * Node lets promises settle after each immediate, so one immediate is one step; a round of its loop, which costs as much
 * as most steps do, runs all that were set before it.
 */
const TURNS = 64;

export function createStage(timers: VirtualTimers, isOver: () => boolean): Stage {
  let steps = 0;

  function advanceUntil(isReached: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let isDone = false;
    function turn(): void {
      if (isDone) return;
      steps += 1;
      isDone = isReached() || isOver() || !timers.fireNext();
      if (isDone) resolve();
    }
    function round(): void {
      for (let turns = 0; turns < TURNS; turns += 1) setImmediate(turn);
      if (!isDone) setImmediate(round);
    }
    round();
    return promise;
  }

  return {
    async advanceTo(timeMs) {
      let isReached = false;
      const cancel = timers.schedule(timeMs - timers.nowMs(), () => {
        isReached = true;
      });
      await advanceUntil(() => isReached);
      cancel();
    },
    async advanceWhile(work) {
      let isSettled = false;
      void work.finally(() => {
        isSettled = true;
      });
      await advanceUntil(() => isSettled);
    },
    steps: () => steps,
  };
}
