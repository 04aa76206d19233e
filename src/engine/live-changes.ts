import { formatRunKey, type RunKey } from '../core/run-key.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** What is told at once is told once, in milliseconds. */
const FLUSH_MS = 500;
/** How often the journal is asked for what other replicas did. */
const TAIL_MS = 1_000;
const TAIL_LIMIT = 500;
/** More runs than this are told of as "many". */
const MAX_RUNS = 200;

/** Runs that have changed; null: many, or something that concerns more than single runs. */
export type ChangedRuns = readonly RunKey[] | null;

export interface ChangeListener {
  changed(runs: ChangedRuns): void;
  /** There is nothing more to come. */
  ended(): void;
}

/** Tells those who watch that something has changed: here at once, elsewhere when the journal shows it. */
export interface LiveChanges {
  /** Null: something that concerns more than single runs has changed. */
  note(key: RunKey | null): void;
  /** The returned function ends it. After `stop` a listener is ended at once. */
  listen(listener: ChangeListener): () => void;
  stop(): void;
}

export interface LiveChangesDeps {
  readonly store: Pick<RunStore, 'journalHead' | 'readJournalAfter'>;
  readonly clock: Pick<Clock, 'schedule'>;
  readonly log: Log;
}

export function createLiveChanges({ store, clock, log }: LiveChangesDeps): LiveChanges {
  const listeners = new Set<ChangeListener>();
  let changed = new Map<string, RunKey>();
  let isMany = false;
  let cancelFlush: (() => void) | null = null;
  let cancelTail = () => {};
  /** Null: from where on is not known yet. */
  let head: string | null = null;
  let isTailing = false;
  let isTroubled = false;
  let isStopped = false;

  function note(key: RunKey | null): void {
    if (listeners.size === 0) return;
    if (key === null || changed.size >= MAX_RUNS) isMany = true;
    else changed.set(formatRunKey(key), key);
    cancelFlush ??= clock.schedule(FLUSH_MS, flush);
  }

  function flush(): void {
    cancelFlush = null;
    const runs = isMany ? null : [...changed.values()];
    changed = new Map();
    isMany = false;
    for (const listener of [...listeners]) listener.changed(runs);
  }

  async function readTail(): Promise<void> {
    if (head === null) {
      head = await store.journalHead();
      return;
    }
    const tail = await store.readJournalAfter(head, TAIL_LIMIT);
    for (const { entry } of tail.entries) {
      note(entry.dagId === null || entry.dagRunId === null ? null : { dagId: entry.dagId, dagRunId: entry.dagRunId });
    }
    head = tail.head;
  }

  /** One at a time, for as long as somebody listens. */
  async function tail(): Promise<void> {
    try {
      await readTail();
      // What came meanwhile is not known, and the store may be another one.
      if (isTroubled) note(null);
      isTroubled = false;
    } catch (error) {
      if (!isTroubled && !isStopped)
        log.warn({ err: error }, 'the journal could not be read: live views miss what others do');
      isTroubled = true;
      head = null;
    }
    if (listeners.size > 0 && !isStopped) cancelTail = clock.schedule(TAIL_MS, () => void tail());
    else isTailing = false;
  }

  function startTail(): void {
    if (isTailing) return;
    isTailing = true;
    head = null;
    void tail();
  }

  return {
    note,
    listen(listener) {
      if (isStopped) {
        listener.ended();
        return () => {};
      }
      listeners.add(listener);
      startTail();
      return () => void listeners.delete(listener);
    },
    stop() {
      isStopped = true;
      cancelTail();
      cancelFlush?.();
      for (const listener of [...listeners]) listener.ended();
      listeners.clear();
    },
  };
}
