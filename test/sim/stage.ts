import type { VirtualTimers } from '../support/timers.ts';

/** Lets virtual time pass, step by step, until something has gone wrong. */
export interface Stage {
  advanceTo(timeMs: number): Promise<void>;
  /** Until `work` has settled. */
  advanceWhile(work: Promise<unknown>): Promise<void>;
  steps(): number;
}

export function createStage(timers: VirtualTimers, isOver: () => boolean): Stage {
  let steps = 0;

  async function step(): Promise<boolean> {
    steps += 1;
    return !isOver() && (await timers.advanceToNext());
  }

  return {
    async advanceTo(timeMs) {
      let isReached = false;
      const cancel = timers.schedule(timeMs - timers.nowMs(), () => {
        isReached = true;
      });
      while (!isReached && (await step()));
      cancel();
    },
    async advanceWhile(work) {
      let isSettled = false;
      void work.finally(() => {
        isSettled = true;
      });
      while (!isSettled && (await step()));
    },
    steps: () => steps,
  };
}
