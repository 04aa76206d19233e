import type { JournalEntry } from '../core/journal.ts';
import { EVERYTHING, type Pause, pauseOf } from '../core/pause.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Telemetry } from './telemetry.ts';

/** How old what is known may be where nothing is cleared by it, in milliseconds. */
const FRESH_MS = 2_000;

/** Who pauses or resumes, and why. */
export interface PauseRequest {
  /** A Dag id, or `*` for everything. */
  readonly scope: string;
  readonly action: 'pause' | 'resume';
  readonly actor: string;
  readonly comment: string;
}

/** The Dags whose retries are stopped. Everything here rejects with `store_unavailable` or `store_corrupt`. */
export interface Pauses {
  /** As of at most two seconds ago: for views and callbacks. */
  known(): Promise<readonly Pause[]>;
  /** The same, as a look-up by Dag. */
  ofDag(): Promise<(dagId: string) => Pause | null>;
  /** As of now: what a clear is held against. */
  read(): Promise<readonly Pause[]>;
  /** `changed`: false where it was so already; then the first pause stays, and nothing is noted. */
  set(request: PauseRequest): Promise<{ readonly paused: Pause | null; readonly changed: boolean }>;
}

export interface PausesDeps {
  readonly store: Pick<RunStore, 'pauses' | 'setPause'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
  readonly telemetry: Pick<Telemetry, 'happened'>;
  /** Called after each change. */
  readonly onChange: () => void;
}

export function createPauses({ store, clock, log, telemetry, onChange }: PausesDeps): Pauses {
  let kept: { readonly pauses: readonly Pause[]; readonly atMs: number } | null = null;
  let reading: Promise<readonly Pause[]> | null = null;

  async function read(): Promise<readonly Pause[]> {
    // As of before the read: what changes while it is under way may not be in it.
    const atMs = clock.nowMs();
    const pauses = await store.pauses();
    if (kept === null || kept.atMs <= atMs) kept = { pauses, atMs };
    return pauses;
  }

  async function known(): Promise<readonly Pause[]> {
    const ageMs = kept === null ? null : clock.nowMs() - kept.atMs;
    if (kept !== null && ageMs !== null && ageMs >= 0 && ageMs < FRESH_MS) return kept.pauses;
    reading ??= read().finally(() => {
      reading = null;
    });
    return await reading;
  }

  function tell({ scope, action, actor, comment }: PauseRequest, entry: JournalEntry): void {
    telemetry.happened(entry);
    const about = { dag_id: scope === EVERYTHING ? null : scope, scope, action, actor, comment };
    log.info(about, `operator: ${action} of ${scope === EVERYTHING ? 'everything' : 'a Dag'}`);
    onChange();
  }

  return {
    known,
    read,
    async ofDag() {
      const pauses = await known();
      return pauses.length === 0 ? () => null : (dagId) => pauseOf(dagId, pauses);
    },
    async set(request) {
      const { scope, action, actor, comment } = request;
      const atMs = clock.nowMs();
      const wanted = action === 'pause' ? { scope, actor, comment, atMs } : null;
      const entry = entryOf(request, atMs);
      const changed = await store.setPause(scope, wanted, entry);
      // Before the read: where that fails, what has been changed is told all the same.
      if (changed) tell(request, entry);
      return { paused: (await read()).find((pause) => pause.scope === scope) ?? null, changed };
    },
  };
}

function entryOf({ scope, action, actor, comment }: PauseRequest, atMs: number): JournalEntry {
  return {
    ...{ atMs, type: 'operated', dagId: scope === EVERYTHING ? null : scope, dagRunId: null },
    ...{ attempt: null, retriesUsed: null, taskId: null, failureClass: null },
    reason: action === 'pause' ? 'paused_by_operator' : 'resumed_by_operator',
    ...{ action, actor, comment },
  };
}
