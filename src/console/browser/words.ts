import type { JournalType } from '../../core/journal.ts';
import type { FailureClass } from '../../core/policy.ts';
import type { Reason } from '../../core/reason.ts';
import type { Phase } from '../../core/record.ts';
import type { ExplainVerdict } from '../../core/verdict.ts';

/** How a state looks; never the only sign of it. */
export type Tone = 'busy' | 'wait' | 'good' | 'bad' | 'quiet';

export interface PhaseWords {
  readonly label: string;
  readonly tone: Tone;
  readonly meaning: string;
}

export const PHASE_WORDS: Readonly<Record<Phase, PhaseWords>> = {
  confirming: { label: 'Confirming', tone: 'wait', meaning: 'a failure was reported; Airflow is asked until it shows' },
  waiting: { label: 'Waiting', tone: 'wait', meaning: 'the run has failed; the retry comes when the delay is over' },
  clearing: { label: 'Clearing', tone: 'busy', meaning: 'the clear is being sent to Airflow' },
  watching: { label: 'Watching', tone: 'busy', meaning: 'the new attempt runs' },
  giving_up: { label: 'Giving up', tone: 'bad', meaning: 'no more retries; alerts are going out' },
  gave_up: { label: 'Gave up', tone: 'bad', meaning: 'no more retries' },
};

export const PHASE_ORDER: readonly Phase[] = ['confirming', 'waiting', 'clearing', 'watching', 'giving_up', 'gave_up'];

export const CLASS_WORDS: Readonly<Record<FailureClass, string>> = {
  task_error: 'Task error',
  infra: 'Infrastructure',
  timeout: 'Timeout',
  deadlock: 'Deadlock',
};

export const EVENT_WORDS: Readonly<Record<JournalType, { readonly label: string; readonly tone: Tone }>> = {
  failed: { label: 'Failed', tone: 'bad' },
  retried: { label: 'Retried', tone: 'busy' },
  restarted: { label: 'Restarted by a person', tone: 'busy' },
  recovered: { label: 'Recovered', tone: 'good' },
  gave_up: { label: 'Gave up', tone: 'bad' },
  ended: { label: 'Ended', tone: 'quiet' },
  operated: { label: 'Operator', tone: 'wait' },
};

export const VERDICT_WORDS: Readonly<Record<ExplainVerdict, { readonly label: string; readonly tone: Tone }>> = {
  retry_pending: { label: 'A retry is pending', tone: 'wait' },
  confirming: { label: 'The failure is being confirmed', tone: 'wait' },
  clearing: { label: 'The clear is being sent', tone: 'busy' },
  attempt_running: { label: 'A new attempt runs', tone: 'busy' },
  held: { label: 'Paused by an operator', tone: 'wait' },
  paused: { label: 'Retries are paused', tone: 'wait' },
  gave_up: { label: 'Given up', tone: 'bad' },
  would_have_retried: { label: 'Would have been retried', tone: 'quiet' },
  recovered: { label: 'Recovered', tone: 'good' },
  not_failed: { label: 'Not failed', tone: 'good' },
  never_reported: { label: 'Failed, and never reported', tone: 'bad' },
  not_retried_by_policy: { label: 'Not retried: the policy says so', tone: 'quiet' },
  ended: { label: 'Over', tone: 'quiet' },
  unknown_run: { label: 'Airflow knows no such run', tone: 'quiet' },
  not_known: { label: 'Cannot be told now', tone: 'bad' },
};

/** Reasons that do not read well as they are. The word itself always stands beside it where people search for it. */
const REASON_WORDS: Partial<Record<Reason, string>> = {
  retries_off: 'retries are off',
  manual_run: 'started by hand',
  class_not_retried: 'failures of this class are not retried',
  never_on: 'this exception is never retried',
  max_retries_reached: 'all retries are used',
  max_duration_reached: 'the time for retries is over',
  settled: 'Airflow shows the run failed',
  clear_due: 'the delay was over',
  clear_accepted: 'Airflow took the clear',
  not_settled: 'the run has not settled yet',
  settle_timeout: 'the run did not settle in time',
  orchestrator_unavailable: 'Airflow does not answer',
  clear_confirmed_by_read: 'the clear was confirmed by reading the run',
  clear_had_no_effect: 'the clear had no effect',
  would_have_retried: 'would have been retried (shadow mode)',
  failed_without_callback: 'failed without a callback',
  run_missing: 'the run is gone from Airflow',
  state_lost: 'our state was lost or contradicts Airflow',
  superseded: 'replaced by what happened later',
  limit_reached: 'the limit on retries is reached',
  clear_under_way: 'a clear is under way',
  paused_by_operator: 'an operator has paused the retries of its Dag, or of all',
  held_by_operator: 'an operator has paused the run',
  attempt_running: 'its new attempt runs',
  given_up: 'the run was given up',
  retry_now: 'an operator wanted the retry now',
};

export function reasonText(reason: string): string {
  const known: Readonly<Record<string, string>> = REASON_WORDS;
  return Object.hasOwn(known, reason) ? (known[reason] ?? reason) : reason.replaceAll('_', ' ');
}

/** Runs that are over because somebody wanted it so, or that were never to be retried: they wait for nobody. */
const WORDS_BY_REASON: ReadonlyMap<string | null, PhaseWords> = new Map<Reason, PhaseWords>([
  [
    'would_have_retried',
    { label: 'Would have retried', tone: 'quiet', meaning: 'shadow mode: a retry was decided and not sent' },
  ],
  [
    'reset_by_operator',
    { label: 'Reset', tone: 'quiet', meaning: 'the count was forgotten; the next failure is the first' },
  ],
  ['cancelled_by_operator', { label: 'Cancelled', tone: 'quiet', meaning: 'an operator wanted no more retries' }],
]);

export interface RunEnd {
  readonly phase: Phase;
  readonly reason: string | null;
}

export function wordsOfRun({ phase, reason }: RunEnd): PhaseWords {
  return WORDS_BY_REASON.get(reason) ?? PHASE_WORDS[phase];
}

/** Whether a run was given up and nobody has decided so. */
export function needsPerson({ phase, reason }: RunEnd): boolean {
  return (phase === 'giving_up' || phase === 'gave_up') && !WORDS_BY_REASON.has(reason);
}

export function count(many: number, one: string, several = `${one}s`): string {
  return `${many.toLocaleString()} ${many === 1 ? one : several}`;
}
