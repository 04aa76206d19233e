import type { Operated } from '../core/event.ts';
import type { Decision, Reason } from '../core/reason.ts';
import type { RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { Log } from './log.ts';
import { changeFields } from './log-fields.ts';
import type { SwapLoop } from './swap-loop.ts';
import type { Telemetry } from './telemetry.ts';

/** What became of a person's action. */
export interface OperationAnswer {
  /** `unknown_run`: there is no record. `stale`: not possible in this phase; `reason` says why. */
  readonly decision: Decision;
  readonly reason: Reason;
  /** What is stored now; null when nothing is. */
  readonly record: RunRecord | null;
}

/** What people do to runs. */
export interface Operations {
  /** @throws DagainError `store_unavailable` or `store_contention` */
  act(key: RunKey, event: Operated): Promise<OperationAnswer>;
}

export interface OperationDeps {
  readonly swapLoop: Pick<SwapLoop, 'apply'>;
  readonly log: Log;
  readonly telemetry: Pick<Telemetry, 'operated'>;
}

export function createOperations({ swapLoop, log, telemetry }: OperationDeps): Operations {
  return {
    async act(key, event) {
      const applied = await swapLoop.apply(key, event);
      const { next, decision, reason } = applied;
      const { action, actor, comment } = event;
      telemetry.operated(action, decision);
      log.info(changeFields(key, applied, { action, actor, comment }), `operator: ${action}`);
      return { decision, reason, record: next };
    },
  };
}
