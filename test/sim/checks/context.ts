import type { Pause } from '../../../src/core/pause.ts';
import type { RunRecord } from '../../../src/core/record.ts';
import type { RunKey } from '../../../src/core/run-key.ts';
import type { PolicyDocument } from '../../../src/engine/policies.ts';
import type { AirflowModel } from '../../support/airflow/model/model.ts';
import type { Journal } from '../journal.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** What the checks may look at: the truth, not what replicas believe. */
export interface CheckContext {
  readonly journal: Journal;
  readonly scenario: Scenario;
  readonly model: AirflowModel;
  readonly nowMs: () => number;
  readonly stored: (key: RunKey) => RunRecord | null;
  /** What operators have paused. */
  readonly pauses: () => readonly Pause[];
  /** The policy documents on which what a process swaps in now may rest. */
  readonly documentsOf: (by: string) => readonly PolicyDocument[];
  /** The shortest delay that any document so far has asked for. */
  readonly shortestDelayMs: () => number;
}

type GivenUp = Extract<RunRecord, { reason: string }>;

export function isGivenUp(record: RunRecord | null): record is GivenUp {
  return record?.phase === 'giving_up' || record?.phase === 'gave_up';
}

/** Whether a run has been given up, also again: a person may have restarted it, and one look have seen all of that. */
export function isAnotherGiveUp(before: RunRecord | null, after: RunRecord | null): after is GivenUp {
  return isGivenUp(after) && !(isGivenUp(before) && before.firstFailedAtMs === after.firstFailedAtMs);
}

/** A record that only waits for its alerts after the run has ended well or is gone. */
export function hasEndedWell(record: RunRecord | null): boolean {
  return isGivenUp(record) && (record.reason === 'run_succeeded' || record.reason === 'run_missing');
}
