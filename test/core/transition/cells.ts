import type { RunEvent } from '../../../src/core/event.ts';
import type { Phase, RunRecord } from '../../../src/core/record.ts';
import type { Transition } from '../../../src/core/transition.ts';
import {
  ALERT,
  clearingRecord,
  confirmingRecord,
  FAILED_AT_MS,
  FAILURE,
  FINGERPRINT,
  gaveUpRecord,
  givingUpRecord,
  waitingRecord,
  watchingRecord,
} from '../../support/records.ts';
import {
  alertAnswered,
  clearAnswered,
  failed,
  MISSING,
  NEXT_ATTEMPT,
  operated,
  running,
  seen,
  seenRun,
  unavailable,
} from './events.ts';

/** Everything that the records below wait for is due, and no tombstone has expired. */
export const NOW_MS = FAILED_AT_MS + 130_000;

const STALE = { earlierFailureIds: ['earlier'], clearNumber: 5 };
const OUTBOX = { outbox: [ALERT] };

/** A record of each phase; all know the id and the number of an earlier attempt, and all but one hold an unsent alert. */
export const RECORDS: Readonly<Record<Phase | 'none', RunRecord | null>> = {
  none: null,
  confirming: confirmingRecord({ ...STALE, ...OUTBOX }),
  waiting: waitingRecord({ ...STALE, ...OUTBOX, attemptStartedAtMs: FINGERPRINT.startedAtMs }),
  clearing: clearingRecord({ ...STALE, ...OUTBOX }),
  watching: watchingRecord({ ...STALE, ...OUTBOX, failures: [FAILURE] }),
  giving_up: givingUpRecord(STALE),
  gave_up: gaveUpRecord(STALE),
};

const { startedAtMs } = FINGERPRINT;
const { startedAtMs: nextStartMs } = NEXT_ATTEMPT;
const outage = { reason: 'server_error', retryAfterMs: null } as const;

/** Every event in every variant that decisions tell apart. */
export const EVENTS = {
  'another failure, without evidence': failed(),
  'another failure of the attempt that the record is about': failed({}, { startedAtMs, clearNumber: 5 }),
  'another failure, of an attempt that started later': failed({}, { startedAtMs: nextStartMs, clearNumber: 6 }),
  'the same failure again': failed({ id: FAILURE.id }),
  'a failure whose id is of an earlier attempt': failed({ id: 'earlier' }),
  'a failure whose number of clears is lower': failed({}, { clearNumber: 4 }),
  'a failure that is never retried': failed({ exceptionType: 'AirflowFailException' }),
  success: { type: 'success_reported' },
  'the run is gone': MISSING,
  'no answer': unavailable(),
  'seen successful': seen('success', NEXT_ATTEMPT),
  'seen failed, as before': seen('failed'),
  'seen failed, restarted since': seen('failed', NEXT_ATTEMPT),
  'seen running, as before': seen('running', running(FINGERPRINT)),
  'seen running, restarted since': seen('running', running(NEXT_ATTEMPT)),
  'seen queued': seen('queued', { ...NEXT_ATTEMPT, startedAtMs: null, endedAtMs: null }),
  'clear accepted': clearAnswered({ type: 'accepted', run: null }),
  'clear accepted, the run is queued': clearAnswered({ type: 'accepted', run: seenRun('queued', NEXT_ATTEMPT) }),
  'clear accepted, the run failed as before': clearAnswered({ type: 'accepted', run: seenRun('failed') }),
  'clear: no such run': clearAnswered({ type: 'missing' }),
  'clear refused': clearAnswered({ type: 'refused', detail: 'Bad Request' }),
  'clear not applied': clearAnswered({ type: 'not_applied', ...outage }),
  'clear: outcome unknown': clearAnswered({ type: 'unknown', reason: 'timed_out' }),
  'answer to an earlier clear': clearAnswered({ type: 'refused', detail: 'late' }, 0),
  'alert accepted': alertAnswered(),
  'alert to be sent again': alertAnswered({ accepted: false, nextTryAtMs: NOW_MS + 5_000 }),
  'alert abandoned': alertAnswered({ accepted: false }),
  'answer to an alert that is not there': alertAnswered({ channel: 'pager' }),
  'time has passed': { type: 'time_passed' },
  'state lost: unreadable': { type: 'state_lost', problem: 'unreadable', detail: 'no JSON', clears: 0 },
  'state lost: missing': { type: 'state_lost', problem: 'missing', detail: 'no such record', clears: 1 },
  pause: operated('pause'),
  resume: operated('resume'),
  cancel: operated('cancel'),
  'retry now': operated('retry_now'),
  'grant one': operated('grant', 1),
  reset: operated('reset'),
} as const satisfies Record<string, RunEvent>;

/** `next phase (=: nothing changes): decision, reason`, then the command and `+1` where a retry is spent. */
export function summarise(before: RunRecord | null, after: Transition): string {
  const phase = after.next === before ? '=' : (after.next?.phase ?? 'gone');
  const spent = (after.next?.retriesUsed ?? 0) - (before?.retriesUsed ?? 0);
  const isSpent = after.next !== null && after.next !== before && spent > 0;
  return [`${phase}: ${after.decision}, ${after.reason}`, after.command ?? '', isSpent ? `+${spent}` : '']
    .filter((part) => part !== '')
    .join(' ');
}

/** For each event what becomes of each of RECORDS, as `summarise` says it. */
export type Cells = Readonly<Record<string, Readonly<Record<Phase | 'none', string>>>>;
