import { setImmediate as nextTurn } from 'node:timers/promises';

export type Cancel = () => void;

/** Time as the test doubles know it: they never look at a clock of their own. */
export interface Timers {
  /** Milliseconds since the epoch. */
  nowMs(): number;
  schedule(delayMs: number, run: () => void): Cancel;
}

export interface VirtualTimers extends Timers {
  /** Fires the earliest timer; its promises settle before the next turn of the loop. False when none is left. */
  fireNext(): boolean;
  /** Fires everything that falls due within `durationMs`, then stands at its end. */
  advanceBy(durationMs: number): Promise<void>;
  advanceTo(timeMs: number): Promise<void>;
  /** Advances until `condition` holds. @throws Error when it still does not after `limitMs` of virtual time. */
  advanceUntil(condition: () => boolean, limitMs?: number): Promise<void>;
  /** Advances until no timer is left. @throws Error when some are after `limitMs` of virtual time. */
  advanceUntilIdle(limitMs?: number): Promise<void>;
  pending(): number;
}

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
  cancelled: boolean;
}

const DAY_MS = 86_400_000;

/** A round instant, so that times in failures are easy to read; Airflow leaves out a fraction of zero. */
export const VIRTUAL_START_MS = Date.UTC(2026, 0, 1);

/** Virtual time. Timers fire in order of their time, then in the order in which they were scheduled. */
export function createVirtualTimers({ startMs = VIRTUAL_START_MS }: { startMs?: number } = {}): VirtualTimers {
  let nowMs = startMs;
  // Latest first, so that the next one is taken from the end.
  const queue: Timer[] = [];

  const dropCancelled = () => {
    while (queue.at(-1)?.cancelled === true) queue.pop();
  };

  const fireNext = (untilMs: number): boolean => {
    dropCancelled();
    const next = queue.at(-1);
    if (next === undefined || next.atMs > untilMs) return false;
    queue.pop();
    nowMs = Math.max(nowMs, next.atMs);
    next.run();
    return true;
  };

  const advanceTo = async (timeMs: number) => {
    await nextTurn();
    while (fireNext(timeMs)) await nextTurn();
    nowMs = Math.max(nowMs, timeMs);
  };

  const advanceUntil = async (condition: () => boolean, limitMs = DAY_MS) => {
    const endMs = nowMs + limitMs;
    await nextTurn();
    while (!condition()) {
      if (!fireNext(endMs)) throw new Error(`condition not met within ${limitMs} ms of virtual time`);
      await nextTurn();
    }
  };

  return {
    nowMs: () => nowMs,
    schedule: (delayMs, run) => schedule(queue, nowMs + wholeDelay(delayMs), run),
    fireNext: () => fireNext(Number.POSITIVE_INFINITY),
    advanceBy: (durationMs) => advanceTo(nowMs + durationMs),
    advanceTo,
    advanceUntil,
    advanceUntilIdle: (limitMs = DAY_MS) => {
      return advanceUntil(() => {
        dropCancelled();
        return queue.length === 0;
      }, limitMs);
    },
    pending: () => queue.filter((timer) => !timer.cancelled).length,
  };
}

function schedule(queue: Timer[], atMs: number, run: () => void): Cancel {
  const timer: Timer = { atMs, run, cancelled: false };
  // Binary search for the first timer that fires at the same time or earlier: the new one goes before it.
  let low = 0;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((queue[middle]?.atMs ?? 0) > atMs) low = middle + 1;
    else high = middle;
  }
  queue.splice(low, 0, timer);
  return () => {
    timer.cancelled = true;
  };
}

function wholeDelay(delayMs: number): number {
  if (!Number.isFinite(delayMs)) throw new RangeError(`a delay must be a finite number of milliseconds, is ${delayMs}`);
  return Math.max(0, Math.round(delayMs));
}

export interface RealTimers extends Timers {
  /** Cancels everything that is still scheduled. */
  stop(): void;
}

/** Real time, `speed` times as fast: a demonstration need not wait five minutes for a task's retry. */
export function createRealTimers({ speed = 1 }: { speed?: number } = {}): RealTimers {
  const startMs = Date.now();
  const startedAt = performance.now();
  const handles = new Set<NodeJS.Timeout>();
  return {
    nowMs: () => Math.round(startMs + (performance.now() - startedAt) * speed),
    schedule(delayMs, run) {
      const handle = setTimeout(() => {
        handles.delete(handle);
        run();
      }, wholeDelay(delayMs) / speed);
      handles.add(handle);
      return () => {
        clearTimeout(handle);
        handles.delete(handle);
      };
    },
    stop() {
      for (const handle of handles) clearTimeout(handle);
      handles.clear();
    },
  };
}
