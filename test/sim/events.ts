import type { Operation } from '../../src/core/event.ts';
import type { RunRecord } from '../../src/core/record.ts';
import type { RunKey } from '../../src/core/run-key.ts';
import type { Callback } from '../support/airflow/model/callbacks.ts';
import type { Clear, RunState } from '../support/airflow/model/run-state.ts';

/** A run as one answer of Airflow showed it. */
export interface Sight {
  readonly state: RunState;
  readonly queuedAt: string | null;
  readonly startedAt: string | null;
}

interface OfRun {
  readonly key: RunKey;
}

interface ByReplica {
  /** The replica's process: `b2` is the second one of slot b. */
  readonly by: string;
}

/** What really happens, whatever the replicas believe. The checks live on these; a trace prints them. */
export type SimEvent =
  | (OfRun &
      ByReplica & {
        readonly type: 'swapped';
        /** By the replica's own clock. */
        readonly clockMs: number;
        /** What was written came from a report, as far as can be told: reports may share a swap with other news. */
        readonly isIntake: boolean;
        readonly before: RunRecord | null;
        readonly after: RunRecord | null;
        readonly version: number;
      })
  | (OfRun & ByReplica & { readonly type: 'taken'; readonly version: number; readonly clockMs: number })
  /** Airflow answered a read or a clear with the run; it may not get through. */
  | (OfRun & ByReplica & { readonly type: 'shown'; readonly request: number; readonly sight: Sight })
  /** That answer has reached the replica. */
  | (OfRun & ByReplica & { readonly type: 'seen'; readonly request: number })
  | (OfRun & ByReplica & { readonly type: 'clear_sent'; readonly request: number })
  /** The request can have no effect any more; `clear` is what it did, if anything. */
  | (OfRun & ByReplica & { readonly type: 'clear_over'; readonly request: number; readonly clear: Clear | null })
  | (OfRun & {
      readonly type: 'person';
      readonly act: string;
      readonly stateBefore: RunState;
      /** A new attempt has begun. */
      readonly restarted: boolean;
    })
  /** Whether Airflow lets our user read and do anything. */
  | { readonly type: 'rights'; readonly areThere: boolean }
  /** A process has begun to take in a callback; it may never get to the end. */
  | (OfRun & ByReplica & { readonly type: 'reported'; readonly callback: Callback })
  | (OfRun & ByReplica & { readonly type: 'refused'; readonly callback: Callback })
  | (OfRun & ByReplica & { readonly type: 'accepted'; readonly callback: Callback; readonly decision: string })
  /** A process has begun to do what an operator asks for; `answered`: it is done, or has failed. */
  | (OfRun & ByReplica & { readonly type: 'operating'; readonly action: Operation })
  | (OfRun & ByReplica & { readonly type: 'answered'; readonly action: Operation; readonly decision: string })
  | (OfRun & {
      readonly type: 'alerted';
      readonly channel: string;
      readonly dedupeKey: string;
      readonly kind: string;
      readonly reason: string;
    })
  /** A process was refused the Dag's tags, or got an answer in which it cannot see them. */
  | (ByReplica & { readonly type: 'tags_hidden'; readonly dagId: string })
  | (ByReplica & { readonly type: 'process'; readonly what: string })
  /** The store has lost all that was in it, or gone back to an older state. */
  | { readonly type: 'store_lost'; readonly how: 'emptied' | 'set back' }
  /** Only for the trace. */
  | { readonly type: 'note'; readonly text: string };

export type SimEventOf<T extends SimEvent['type']> = Extract<SimEvent, { type: T }>;
