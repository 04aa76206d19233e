import type { FailureReported, SuccessReported } from '../core/event.ts';
import type { Decision, Reason } from '../core/reason.ts';
import { formatRunKey, type RunKey } from '../core/run-key.ts';
import type { Log } from './log.ts';
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
  function tell(key: RunKey, event: string, answer: IntakeAnswer): void {
    const { retryAtMs, ...told } = answer;
    if (answer.decision === 'already_scheduled') {
      // The other tasks of a failing attempt say nothing that the first one has not; the record keeps them all.
      log.debug({ run: formatRunKey(key), event, ...told }, `${event}: ${answer.decision}`);
      return;
    }
    const retryAt = retryAtMs === null ? null : new Date(retryAtMs).toISOString();
    log.info({ run: formatRunKey(key), event, ...told, retryAt }, `${event}: ${answer.decision}`);
  }

  return {
    async report(key, event) {
      const applied = await swapLoop.apply(key, event);
      const answer = toAnswer(applied);
      telemetry.reported(answer.decision, answer.reason);
      tell(key, event.type, answer);
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
