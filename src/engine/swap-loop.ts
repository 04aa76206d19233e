import { DagainError } from '../core/errors.ts';
import type { RunEvent, StateLost } from '../core/event.ts';
import { type JournalEntry, journalOf } from '../core/journal.ts';
import { dueAtOf, type RunRecord } from '../core/record.ts';
import { formatRunKey, type RunKey } from '../core/run-key.ts';
import { type Transition, transition } from '../core/transition.ts';
import type { RunStore, Versioned } from '../store/port.ts';
import type { Clock } from './clock.ts';
import { createLanes } from './lanes.ts';
import type { PolicySource } from './policy-source.ts';
import { createRecentRecords } from './recent-records.ts';
import type { Telemetry } from './telemetry.ts';

const MAX_TRIES = 60;
const MAX_PAUSE_MS = 100;
/** Events of one run that go into one swap. */
const MAX_GROUP = 50;

export interface SwapLoopDeps {
  readonly store: RunStore;
  readonly policies: PolicySource;
  readonly clock: Clock;
  /** In [0, 1): spreads the writers of one hot record. */
  readonly random: () => number;
  readonly telemetry: Telemetry;
  /** Called after each swap with what it changed. */
  readonly onChange?: (key: RunKey, change: Change) => void;
  /** Called after each swap with the time at which the record next needs work. */
  readonly onDue: (dueAtMs: number) => void;
}

/** An event and what became of it: `before` is the record it was applied to. */
export interface Applied extends Transition {
  readonly before: RunRecord | null;
}

type Change = Pick<Applied, 'before' | 'next' | 'decision' | 'reason'>;

/** The one way in which records change. */
export interface SwapLoop {
  /**
   * Applies `event` to whatever the store holds, again and again until the swap is won. Events of one run that come in
   * together, as those of its failing tasks do, share one swap.
   * @throws DagainError `store_unavailable`, or `store_contention` when others won every time.
   */
  apply(key: RunKey, event: RunEvent): Promise<Applied>;
  /** Applies `event` to exactly this version (null: no record); null when somebody else has changed it meanwhile. */
  applyTo(key: RunKey, current: Versioned<RunRecord> | null, event: RunEvent): Promise<Applied | null>;
  /** Replaces a record that is gone or cannot be read, in place of what is stored under `version`. */
  replaceLost(key: RunKey, version: number, lost: StateLost): Promise<Applied | null>;
}

interface Report {
  readonly key: RunKey;
  readonly event: RunEvent;
}

export function createSwapLoop(deps: SwapLoopDeps): SwapLoop {
  const { store, clock, telemetry } = deps;
  const recent = createRecentRecords();
  const lanes = createLanes<Report, Applied>(applyGroup, MAX_GROUP);

  async function decide(key: RunKey, before: RunRecord | null, event: RunEvent): Promise<Applied> {
    // What the latest failure asks for counts, as in the record.
    const asked = event.type === 'failure_reported' ? event.override : null;
    const rules = await deps.policies.rulesFor(key.dagId, asked ?? before?.override ?? null);
    return { ...transition(key, before, event, rules, clock.nowMs()), before };
  }

  function entriesOf(applied: Applied, event: RunEvent): readonly JournalEntry[] {
    return journalOf(applied.before, event, applied, clock.nowMs());
  }

  /** False when somebody else has changed the record since `version`. */
  async function swap(key: RunKey, version: number, change: Change, entries: readonly JournalEntry[]) {
    const { next } = change;
    // Forgotten until the swap is known to have worked, also when its answer is lost.
    recent.remember(key, null);
    const won = await store.compareAndSwap(key, version, next, entries);
    if (won === null) {
      telemetry.swapConflict();
      return false;
    }
    for (const entry of entries) telemetry.happened(entry);
    deps.onChange?.(key, change);
    if (next === null) return true;
    recent.remember(key, { version: won, value: next });
    const dueAtMs = dueAtOf(next);
    if (dueAtMs !== null) deps.onDue(dueAtMs);
    return true;
  }

  /** Null when the swap was lost. */
  async function attempt(key: RunKey, current: Versioned<RunRecord> | null, events: readonly RunEvent[]) {
    const steps: Applied[] = [];
    const entries: JournalEntry[] = [];
    const stored = current?.value ?? null;
    let record = stored;
    for (const event of events) {
      const applied = await decide(key, record, event);
      steps.push(applied);
      entries.push(...entriesOf(applied, event));
      record = applied.next;
    }
    const last = steps.at(-1);
    const isChanged = last !== undefined && last.next !== stored;
    if (isChanged && !(await swap(key, current?.version ?? 0, { ...last, before: stored }, entries))) return null;
    return { steps, isChanged };
  }

  async function applyGroup(_name: string, reports: readonly Report[]): Promise<readonly Applied[]> {
    const [first] = reports;
    if (first === undefined) return [];
    const { key } = first;
    const events = reports.map((report) => report.event);
    // What this process wrote last, or that nothing is known of the run, saves a read; but only a swap proves that it is
    // still so.
    const quick = await attempt(key, recent.find(key), events);
    if (quick?.isChanged) return quick.steps;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const applied = await attempt(key, await store.load(key), events);
      if (applied !== null) return applied.steps;
      await pause(clock, deps.random() * Math.min(2 ** tries, MAX_PAUSE_MS));
    }
    throw new DagainError('store_contention', `Could not change ${formatRunKey(key)}: others won ${MAX_TRIES} times`);
  }

  async function applyOne(key: RunKey, current: Versioned<RunRecord> | null, version: number, event: RunEvent) {
    const applied = await decide(key, current?.value ?? null, event);
    const isDone = applied.next === applied.before || (await swap(key, version, applied, entriesOf(applied, event)));
    return isDone ? applied : null;
  }

  return {
    apply: (key, event) => lanes.add(formatRunKey(key), { key, event }),
    applyTo: (key, current, event) => applyOne(key, current, current?.version ?? 0, event),
    replaceLost: (key, version, lost) => applyOne(key, null, version, lost),
  };
}

function pause(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(delayMs, resolve);
  });
}
