import { clockTime } from './clock-time.ts';
import type { SimEvent } from './events.ts';
import { describeEvent } from './trace.ts';

/** Thrown where an invariant does not hold. */
export class Violation extends Error {
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(`${invariant}: ${message}`);
    this.name = 'Violation';
    this.invariant = invariant;
  }
}

export type Watcher = (event: SimEvent) => void;

/** Where everything that happens in a simulation is told: to the checks, to the summary, to the trace. */
export interface Journal {
  tell(event: SimEvent): void;
  watch(watcher: Watcher): void;
  count(what: string, by?: number): void;
  violate(invariant: string, message: string): void;
  readonly tally: ReadonlyMap<string, number>;
  /** The first one: what follows from it says little. */
  readonly violation: Violation | null;
}

export interface JournalOptions {
  readonly nowMs: () => number;
  /** Takes each line of the trace; without it none is written. */
  readonly trace?: ((line: string) => void) | undefined;
}

export function createJournal({ nowMs, trace }: JournalOptions): Journal {
  const startMs = nowMs();
  const watchers: Watcher[] = [];
  const tally = new Map<string, number>();
  let violation: Violation | null = null;
  const line = (text: string) => trace?.(`${clockTime(nowMs() - startMs)} ${text}`);

  return {
    tell(event) {
      if (trace !== undefined) line(describeEvent(event, startMs));
      for (const watcher of watchers) watcher(event);
    },
    watch: (watcher) => void watchers.push(watcher),
    count: (what, by = 1) => void tally.set(what, (tally.get(what) ?? 0) + by),
    violate(invariant, message) {
      line(`VIOLATION ${invariant}: ${message}`);
      violation ??= new Violation(invariant, `${message} (at ${clockTime(nowMs() - startMs)})`);
    },
    tally,
    get violation() {
      return violation;
    },
  };
}
