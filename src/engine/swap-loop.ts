import { DagainError } from '../core/errors.ts';
import type { RunEvent } from '../core/event.ts';
import { dueAtOf, type RunRecord } from '../core/record.ts';
import { formatRunKey, type RunKey } from '../core/run-key.ts';
import { type Transition, transition } from '../core/transition.ts';
import type { RunStore, Versioned } from '../store/port.ts';
import type { Clock } from './clock.ts';
import type { PolicySource } from './policy-source.ts';
import type { Telemetry } from './telemetry.ts';

const MAX_TRIES = 60;
const MAX_PAUSE_MS = 100;

export interface SwapLoopDeps {
  readonly store: RunStore;
  readonly policies: PolicySource;
  readonly clock: Clock;
  /** In [0, 1): spreads the writers of one hot record. */
  readonly random: () => number;
  readonly telemetry: Telemetry;
  /** Called after each swap with the time at which the record next needs work. */
  readonly onDue: (dueAtMs: number) => void;
}

/** An event and what became of it: `before` is the record it was applied to. */
export interface Applied extends Transition {
  readonly before: RunRecord | null;
}

/** The one way in which records change. */
export interface SwapLoop {
  /**
   * Applies `event` to whatever the store holds, again and again until the swap is won.
   * @throws DagainError `store_unavailable`, or `store_contention` when others won every time.
   */
  apply(key: RunKey, event: RunEvent): Promise<Applied>;
  /** Applies `event` to exactly this version; null when somebody else has changed the record meanwhile. */
  applyTo(key: RunKey, current: Versioned<RunRecord>, event: RunEvent): Promise<Applied | null>;
  /** Gives up a run whose record is gone or cannot be read, in place of what is stored under `version`. */
  replaceLost(key: RunKey, version: number, detail: string): Promise<Applied | null>;
}

export function createSwapLoop(deps: SwapLoopDeps): SwapLoop {
  const { store, clock, telemetry } = deps;

  async function attempt(key: RunKey, current: Versioned<RunRecord> | null, event: RunEvent): Promise<Applied | null> {
    return decide(key, current?.value ?? null, current?.version ?? 0, event);
  }

  async function decide(
    key: RunKey,
    before: RunRecord | null,
    version: number,
    event: RunEvent,
  ): Promise<Applied | null> {
    // What the latest failure asks for counts, as in the record.
    const asked = event.type === 'failure_reported' ? event.override : null;
    const override = asked ?? before?.override ?? null;
    const rules = await deps.policies.rulesFor(key.dagId, override);
    const applied = { ...transition(key, before, event, rules, clock.nowMs()), before };
    if (applied.next === before) return applied;
    const won = await store.compareAndSwap(key, version, applied.next);
    if (won === null) {
      telemetry.swapConflict();
      return null;
    }
    const dueAtMs = applied.next === null ? null : dueAtOf(applied.next);
    if (dueAtMs !== null) deps.onDue(dueAtMs);
    return applied;
  }

  return {
    applyTo: attempt,
    replaceLost: (key, version, detail) => decide(key, null, version, { type: 'state_lost', detail }),
    async apply(key, event) {
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const applied = await attempt(key, await store.load(key), event);
        if (applied !== null) return applied;
        await pause(clock, deps.random() * Math.min(2 ** tries, MAX_PAUSE_MS));
      }
      throw new DagainError('store_contention', `Could not change ${formatRunKey(key)}: others won ${MAX_TRIES} times`);
    },
  };
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(delayMs, resolve);
  });
}
