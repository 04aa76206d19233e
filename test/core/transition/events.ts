import type {
  AlertAnswered,
  AttemptEvidence,
  ClearAnswered,
  FailureReported,
  Observed,
  Operated,
  Operation,
  SeenRun,
} from '../../../src/core/event.ts';
import type { Evidence } from '../../../src/core/evidence.ts';
import type { Failure, Fingerprint } from '../../../src/core/record.ts';
import { ALERT, FAILED_AT_MS, FAILURE, FINGERPRINT } from '../../support/records.ts';

/** The attempt after the one of the records in test/support: cleared at +60 s, failed at +120 s. */
export const NEXT_ATTEMPT: Fingerprint = {
  queuedAtMs: FAILED_AT_MS + 60_000,
  startedAtMs: FAILED_AT_MS + 61_000,
  endedAtMs: FAILED_AT_MS + 120_000,
};

/** A fingerprint while the attempt runs. */
export function running(fingerprint: Fingerprint): Fingerprint {
  return { ...fingerprint, endedAtMs: null };
}

const NO_EVIDENCE: AttemptEvidence = { startedAtMs: null, clearNumber: null, runType: null };

/** A failure of another task than the records' first one; without evidence unless given. */
export function failed(
  failure: Partial<Failure> = {},
  evidence: Partial<AttemptEvidence> = {},
  override: FailureReported['override'] = null,
): FailureReported {
  return {
    type: 'failure_reported',
    failure: { ...FAILURE, id: 'another', taskId: 'transform', ...failure },
    evidence: { ...NO_EVIDENCE, ...evidence },
    override,
  };
}

/** The audit log shows no clear of ours that the record does not know of. */
export const AGREES: Evidence = {
  restarts: { type: 'told', clears: Array.from({ length: 99 }, () => ({ atMs: 0, isOurs: false })) },
  remembersSinceMs: 0,
  lostAtMs: null,
};

/** A look with evidence that speaks for the count. */
export function seen(state: SeenRun['state'], fingerprint: Fingerprint = FINGERPRINT): Observed {
  return { type: 'observed', observation: seenRun(state, fingerprint), evidence: AGREES };
}

export function seenRun(state: SeenRun['state'], fingerprint: Fingerprint = FINGERPRINT): SeenRun {
  return { type: 'found', state, fingerprint, runType: null };
}

export const MISSING: Observed = { type: 'observed', observation: { type: 'missing' } };

export function unavailable(retryAfterMs: number | null = null): Observed {
  return { type: 'observed', observation: { type: 'unavailable', reason: 'unreachable', retryAfterMs } };
}

export function clearAnswered(outcome: ClearAnswered['outcome'], clear = 1): ClearAnswered {
  return { type: 'clear_answered', clear, outcome };
}

export function alertAnswered(changes: Partial<AlertAnswered> = {}): AlertAnswered {
  const { dedupeKey, channel } = ALERT;
  const accepted = { type: 'alert_answered', dedupeKey, channel, accepted: true } as const;
  return { ...accepted, detail: null, nextTryAtMs: null, ...changes };
}

export function operated(action: Operation, retries = 0): Operated {
  return { type: 'operated', action, actor: 'anna', comment: 'because', retries };
}
