import type { Phase } from '../../core/record.ts';
import { count } from './words.ts';

/** As the API's paths name them. */
export type Action = 'pause' | 'resume' | 'cancel' | 'retry-now' | 'reset' | 'grant';

export interface ActionWords {
  readonly label: string;
  /** What pressing the button does, to one run or to several. */
  readonly effect: string;
  readonly isDangerous: boolean;
}

export const ACTION_WORDS: Readonly<Record<Action, ActionWords>> = {
  pause: {
    label: 'Pause',
    effect: 'No clear is sent until somebody resumes it. What fails meanwhile is still counted.',
    isDangerous: false,
  },
  resume: {
    label: 'Resume',
    effect: 'A retry that has come due meanwhile is sent within seconds.',
    isDangerous: false,
  },
  cancel: {
    label: 'Cancel retries',
    effect: 'The run is given up now and stays failed. Nobody is alerted, because you know.',
    isDangerous: true,
  },
  'retry-now': {
    label: 'Retry now',
    effect: 'The delay is over now: the run is cleared as soon as Airflow shows it failed. It counts as a retry.',
    isDangerous: false,
  },
  reset: {
    label: 'Forget the count',
    effect:
      'No retry counts as used any more: the next failure of the run counts as its first. Until then nothing is done for it.',
    isDangerous: true,
  },
  grant: {
    label: 'Grant retries',
    effect: 'More retries than the policy allows, up to its limit. A run that was given up is taken up again at once.',
    isDangerous: false,
  },
};

export const ALL_ACTIONS: readonly Action[] = ['pause', 'resume', 'retry-now', 'grant', 'cancel', 'reset'];

export interface Actable {
  readonly phase: Phase;
  readonly held: object | null;
  /** The pause of its Dag, or of everything. */
  readonly paused: object | null;
}

/** What makes sense for a run; the service decides. */
export function actionsFor({ phase, held, paused }: Actable): Action[] {
  const isGivenUp = phase === 'giving_up' || phase === 'gave_up';
  if (isGivenUp) return held === null ? ['grant', 'reset'] : ['resume', 'grant', 'reset'];
  const pausing: Action[] = held === null ? ['pause'] : ['resume'];
  const now: Action[] = phase === 'waiting' && held === null && paused === null ? ['retry-now'] : [];
  return [...now, ...pausing, 'grant', 'cancel', 'reset'];
}

/** What the service answered, for people. */
export function doneText(action: Action, what: string, changed = 1): string {
  if (changed === 0) return `${what}: nothing to change`;
  switch (action) {
    case 'pause':
      return `Paused ${what}`;
    case 'resume':
      return `Resumed ${what}`;
    case 'cancel':
      return `Cancelled the retries of ${what}`;
    case 'retry-now':
      return `${what} will be retried now`;
    case 'reset':
      return `Forgot the count of ${what}`;
    case 'grant':
      return `Granted more retries to ${what}`;
  }
}

export function runsText(many: number): string {
  return count(many, 'run');
}
