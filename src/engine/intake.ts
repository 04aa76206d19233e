import type { FailureReported, SuccessReported } from '../core/event.ts';
import type { Decision, Reason } from '../core/reason.ts';
import type { RunKey } from '../core/run-key.ts';
import type { Log } from './log.ts';
import { changeFields, codeOf, isoOf, levelOf, runFields } from './log-fields.ts';
import type { Applied, SwapLoop } from './swap-loop.ts';
import type { Telemetry } from './telemetry.ts';

/** What a reporter is told. */
export interface IntakeAnswer {
  readonly decision: Decision;
  readonly reason: Reason;
  /** The attempt that the pending retry will start, or null if none is pending. */
  readonly nextAttempt: number | null;
  readonly retriesUsed: number;
  readonly maxRetries: number;
  /** When the delay will be over, in epoch milliseconds. */
  readonly retryAtMs: number | null;
}

/** Takes reports in. When it resolves, what was reported is stored durably. */
export interface Intake {
  /** @throws DagainError `store_unavailable` or `store_contention`; then nothing is promised, and reporting again is safe. */
  report(key: RunKey, event: FailureReported | SuccessReported): Promise<IntakeAnswer>;
}

export interface IntakeDeps {
  readonly swapLoop: SwapLoop;
  readonly log: Log;
  readonly telemetry: Telemetry;
}

export function createIntake({ swapLoop, log, telemetry }: IntakeDeps): Intake {
  function tell(key: RunKey, event: string, applied: Applied, answer: IntakeAnswer): void {
    const { nextAttempt, retryAtMs, decision } = answer;
    const fields = changeFields(key, applied, { event, next_attempt: nextAttempt, retry_at: isoOf(retryAtMs) });
    // The other tasks of a failing attempt say nothing that the first one has not; the record keeps them all.
    log[decision === 'already_scheduled' ? 'debug' : 'info'](fields, `${event}: ${decision}`);
  }

  async function store(key: RunKey, event: FailureReported | SuccessReported): Promise<Applied> {
    try {
      return await swapLoop.apply(key, event);
    } catch (error) {
      const about = { attempt: null, decision: 'undecided', reason: codeOf(error) } as const;
      log[levelOf(error)](runFields(key, about, { event: event.type }), `${event.type}: not stored, and refused`);
      throw error;
    }
  }

  return {
    async report(key, event) {
      const applied = await store(key, event);
      const answer = toAnswer(applied);
      telemetry.reported(answer.decision, answer.reason);
      tell(key, event.type, applied, answer);
      return answer;
    },
  };
}

function toAnswer(applied: Applied): IntakeAnswer {
  const { next, decision, reason, retryAtMs } = applied;
  const isPending = decision === 'retry_scheduled' || decision === 'already_scheduled' || decision === 'held';
  const hasStarted = next?.phase === 'watching' || next?.phase === 'giving_up' || next?.phase === 'gave_up';
  return {
    decision,
    reason,
    nextAttempt: isPending && next !== null && !hasStarted ? next.attempt + 1 : null,
    retriesUsed: next?.retriesUsed ?? 0,
    maxRetries: next?.maxRetries ?? 0,
    retryAtMs: isPending ? retryAtMs : null,
  };
}
