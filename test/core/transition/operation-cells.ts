import type { Cells } from './cells.ts';

/** What a person's operation does to a record of each phase. */
export const OPERATION_CELLS: Cells = {
  pause: {
    none: '=: unknown_run, no_record',
    confirming: 'confirming: held, held_by_operator',
    waiting: 'waiting: held, held_by_operator',
    clearing: 'clearing: held, held_by_operator',
    watching: 'watching: held, held_by_operator',
    giving_up: 'giving_up: held, held_by_operator',
    gave_up: 'gave_up: held, held_by_operator',
  },
  resume: {
    none: '=: unknown_run, no_record',
    confirming: '=: retry_scheduled, not_held',
    waiting: '=: retry_scheduled, not_held',
    clearing: '=: retry_scheduled, not_held',
    watching: '=: retry_scheduled, not_held',
    giving_up: '=: giving_up, not_held',
    gave_up: '=: giving_up, not_held',
  },
  cancel: {
    none: '=: unknown_run, no_record',
    confirming: 'giving_up: giving_up, cancelled_by_operator',
    waiting: 'giving_up: giving_up, cancelled_by_operator',
    clearing: 'giving_up: giving_up, cancelled_by_operator',
    watching: 'giving_up: giving_up, cancelled_by_operator',
    giving_up: '=: giving_up, given_up',
    gave_up: '=: giving_up, given_up',
  },
  'retry now': {
    none: '=: unknown_run, no_record',
    confirming: '=: stale, not_settled',
    waiting: 'waiting: retry_scheduled, retry_now',
    clearing: '=: stale, clear_under_way',
    watching: '=: stale, attempt_running',
    giving_up: '=: stale, given_up',
    gave_up: '=: stale, given_up',
  },
  'grant one': {
    none: '=: unknown_run, no_record',
    confirming: 'confirming: already_scheduled, granted_by_operator',
    waiting: 'waiting: already_scheduled, granted_by_operator',
    clearing: 'clearing: already_scheduled, granted_by_operator',
    watching: 'watching: already_scheduled, granted_by_operator',
    giving_up: 'confirming: retry_scheduled, granted_by_operator',
    gave_up: 'confirming: retry_scheduled, granted_by_operator',
  },
  reset: {
    none: '=: unknown_run, no_record',
    confirming: 'gone: cleaned_up, reset_by_operator',
    waiting: 'gone: cleaned_up, reset_by_operator',
    clearing: 'gave_up: cleaned_up, reset_by_operator',
    watching: 'gave_up: cleaned_up, reset_by_operator',
    giving_up: 'gone: cleaned_up, reset_by_operator',
    gave_up: 'gone: cleaned_up, reset_by_operator',
  },
};
