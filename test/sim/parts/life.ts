import { AsyncLocalStorage } from 'node:async_hooks';
import type { Cancel, Timers } from '../../support/timers.ts';

/** What may happen to a process at one of its calls. */
export type Blow = { readonly type: 'crash' } | { readonly type: 'freeze'; readonly durationMs: number } | null;

/**
 * A process as the outside sees it. Everything that its code waits for comes back through here: after a crash it never
 * comes back, and while the process is suspended it comes back only when that is over.
 */
export interface Life {
  readonly name: string;
  isAlive(): boolean;
  /** Ends it as a crash does. */
  end(): void;
  /** It has stopped by itself: whatever it still does is reported to `onGhost`. */
  retire(): void;
  freeze(durationMs: number): void;
  /** Runs `step` as code of this process: now, after it has thawed, or never. */
  enter(step: () => void, isIntake?: boolean): void;
  /** A timer of this process. */
  schedule(delayMs: number, run: () => void): Cancel;
  /** A call out of this process. What was begun outside goes on whatever becomes of the process. */
  through<T>(operation: string, call: () => Promise<T>): Promise<T>;
}

export interface LifeOptions {
  readonly name: string;
  readonly timers: Timers;
  /** Asked before and after each call. */
  readonly blowAt: (operation: string, when: 'before' | 'after') => Blow;
  readonly onEnd: () => void;
  readonly onGhost: (operation: string) => void;
}

/** Whose code is running, and whether it takes in a report. */
const running = new AsyncLocalStorage<{ readonly life: Life; readonly isIntake: boolean }>();

export function currentLife(): Life | null {
  return running.getStore()?.life ?? null;
}

export function isTakingIn(): boolean {
  return running.getStore()?.isIntake ?? false;
}

export function createLife({ name, timers, blowAt, onEnd, onGhost }: LifeOptions): Life {
  let isAlive = true;
  let isRetired = false;
  let frozenUntilMs = 0;

  function end(): void {
    if (!isAlive) return;
    isAlive = false;
    onEnd();
  }

  function freeze(durationMs: number): void {
    frozenUntilMs = Math.max(frozenUntilMs, timers.nowMs() + durationMs);
  }

  function struck(operation: string, when: 'before' | 'after'): void {
    const blow = isAlive ? blowAt(operation, when) : null;
    if (blow?.type === 'crash') end();
    if (blow?.type === 'freeze') freeze(blow.durationMs);
  }

  const life: Life = {
    name,
    isAlive: () => isAlive,
    end,
    retire() {
      isAlive = false;
      isRetired = true;
    },
    freeze,
    enter(step, isIntake = false) {
      if (isRetired) running.run({ life, isIntake }, step);
      if (!isAlive) return;
      const waitMs = frozenUntilMs - timers.nowMs();
      if (waitMs <= 0) running.run({ life, isIntake }, step);
      else timers.schedule(waitMs, () => life.enter(step, isIntake));
    },
    schedule: (delayMs, run) => timers.schedule(delayMs, () => life.enter(run)),
    async through(operation, call) {
      if (isRetired) onGhost(operation);
      struck(operation, 'before');
      if (!isAlive) return await never();
      const [outcome] = await Promise.allSettled([call()]);
      struck(operation, 'after');
      await new Promise<void>((resolve) => life.enter(resolve));
      if (outcome.status === 'rejected') throw outcome.reason;
      return outcome.value;
    },
  };
  return life;
}

export function never(): Promise<never> {
  return new Promise<never>(() => {});
}
