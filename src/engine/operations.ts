import type { Operated } from '../core/event.ts';
import type { Decision, Reason } from '../core/reason.ts';
import type { RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { changeFields } from './log-fields.ts';
import type { Applied, SwapLoop } from './swap-loop.ts';
import type { Telemetry } from './telemetry.ts';

/** What became of a person's action. */
export interface OperationAnswer {
  /** `unknown_run`: there is no record. `stale`: not possible in this phase; `reason` says why. */
  readonly decision: Decision;
  readonly reason: Reason;
  /** What is stored now; null when nothing is. */
  readonly record: RunRecord | null;
  readonly isChanged: boolean;
}

/** What people do to runs. @throws DagainError `store_unavailable` or `store_contention` */
export interface Operations {
  act(key: RunKey, event: Operated): Promise<OperationAnswer>;
  /** Acts only while `isMeant` says so of what is stored at that very moment; null where it does not. */
  actWhile(key: RunKey, event: Operated, isMeant: (record: RunRecord) => boolean): Promise<OperationAnswer | null>;
}

export interface OperationDeps {
  readonly store: Pick<RunStore, 'load'>;
  readonly swapLoop: Pick<SwapLoop, 'apply' | 'applyTo'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
  readonly telemetry: Pick<Telemetry, 'operated'>;
}

/** A run that changes more often than this between two reads is moved by what is done to all alike. */
const MAX_TRIES = 5;

export function createOperations({ store, swapLoop, clock, log, telemetry }: OperationDeps): Operations {
  function answer(key: RunKey, { action, actor, comment }: Operated, applied: Applied): OperationAnswer {
    const { before, next, decision, reason } = applied;
    telemetry.operated(action, decision);
    log.info(changeFields(key, applied, { action, actor, comment }), `operator: ${action}`);
    return { decision, reason, record: next, isChanged: next !== before };
  }

  return {
    async act(key, event) {
      return answer(key, event, await swapLoop.apply(key, { ...event, askedAtMs: clock.nowMs() }));
    },
    async actWhile(key, event, isMeant) {
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const current = await store.load(key);
        if (current === null || !isMeant(current.value)) return null;
        const applied = await swapLoop.applyTo(key, current, event);
        if (applied !== null) return answer(key, event, applied);
      }
      return null;
    },
  };
}
