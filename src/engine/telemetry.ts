import type { JournalEntry } from '../core/journal.ts';
import type { Decision, Reason } from '../core/reason.ts';

/** What the engine counts. Labels are bounded: no ids. */
export interface Telemetry {
  /** A callback was answered. */
  reported(decision: Decision, reason: Reason): void;
  /** A record moved on. */
  stepped(reason: Reason): void;
  cleared(outcome: 'accepted' | 'missing' | 'refused' | 'not_applied' | 'unknown' | 'rehearsed' | 'too_late'): void;
  /** What the journal keeps came to pass, whoever or whatever brought it about. */
  happened(entry: JournalEntry): void;
  /** A person acted on a run. */
  operated(action: string, decision: Decision): void;
  /** A run was looked at. `reason`: `ok`, `listed`, or why there was no answer. */
  observed(result: 'found' | 'missing' | 'unavailable', reason: string): void;
  /** A call of the orchestrator or the store is over; `result` is a stable word. */
  orchestratorCalled(operation: string, result: string, durationMs: number): void;
  storeCalled(operation: string, result: string, durationMs: number): void;
  alerted(channel: string, result: 'accepted' | 'not_accepted' | 'abandoned'): void;
  /** The store has lost what was in it, or gone back to an older state. */
  storeLost(how: 'emptied' | 'set_back'): void;
  /** Failed runs were searched for; what became of one that was found and is under a policy that retries it. */
  searched(result: 'read' | 'unavailable'): void;
  foundFailed(result: 'taken_up' | 'stopped_by_person' | 'audit_log_untold'): void;
  /** A line for people on the run: what became of it, or why the orchestrator gave no usable answer. */
  noted(result: string): void;
  swapConflict(): void;
  /** The worker met an error that it could not handle; the run is looked at again when its lease is over. */
  workFailed(): void;
  /** How long after its due time a run's work began. */
  lag(lagMs: number): void;
  /** The policy file was read again. */
  policyRead(result: 'swapped' | 'refused' | 'restored'): void;
}
