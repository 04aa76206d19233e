import type { Judgement } from '../../core/judgement.ts';
import type { Pause } from '../../core/pause.ts';
import type { Failure, RunRecord } from '../../core/record.ts';
import type { RunKey } from '../../core/run-key.ts';
import type { ExplainVerdict } from '../../core/verdict.ts';
import type { AuditTrail, RunObservation } from '../../orchestrator/port.ts';
import type { KeptEntry } from '../../store/port.ts';
import type { ExplainedPolicy } from '../policy-source.ts';
import type { RunSurroundings } from '../runs.ts';

/** What the service's own store says of a run. */
export interface StoredFacts {
  readonly status: 'found' | 'missing' | 'unavailable';
  readonly record: RunRecord | null;
  /** Newest first. */
  readonly events: readonly KeptEntry[];
}

/** What the policy says of a failed run of which nobody has told. */
export interface Unreported {
  readonly judgement: Judgement;
  readonly failures: readonly Failure[];
  /** False: Airflow did not tell which tasks have failed. */
  readonly areTasksKnown: boolean;
}

/** All that could be found out about a run. */
export interface Facts {
  readonly key: RunKey;
  readonly stored: StoredFacts;
  readonly observation: RunObservation;
  readonly trail: AuditTrail;
  /** Null: none, or the store cannot be reached. */
  readonly pause: Pause | null;
  /** Null: it could not be worked out. `judgement` is of the record's failures, as the policy is now. */
  readonly policy: {
    readonly explained: ExplainedPolicy;
    readonly judgement: Judgement | null;
    readonly maxRetries: number;
  } | null;
  readonly unreported: Unreported | null;
  readonly surroundings: RunSurroundings;
  readonly nowMs: number;
  readonly isShadow: boolean;
  /** Watch mode is on. */
  readonly isWatching: boolean;
}

export interface Said {
  readonly verdict: ExplainVerdict;
  readonly summary: string;
  readonly because: readonly string[];
  readonly advice: readonly string[];
}
