import type { ClearAnswered } from '../core/event.ts';
import { pauseOf } from '../core/pause.ts';
import type { RecordIn } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { Orchestrator } from '../orchestrator/port.ts';
import type { RunStore } from '../store/port.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { runFields } from './log-fields.ts';
import type { Pauses } from './pauses.ts';
import type { PolicySource } from './policy-source.ts';
import type { Telemetry } from './telemetry.ts';

export interface ClearSenderDeps {
  readonly store: Pick<RunStore, 'load'>;
  readonly orchestrator: Pick<Orchestrator, 'clear' | 'rehearse'>;
  readonly policies: PolicySource;
  readonly pauses: Pick<Pauses, 'read'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly telemetry: Telemetry;
}

type Outcome = ClearAnswered['outcome'];

/** Sends the clear that a won swap asked for, unless something has come in between. */
export interface ClearSender {
  /**
   * What became of the request; null when nothing was sent and nothing is known either, so that the run is read again.
   * @throws DagainError `store_unavailable`: then nothing was sent.
   */
  send(key: RunKey, record: RecordIn<'clearing'>): Promise<Outcome | null>;
}

export function createClearSender(deps: ClearSenderDeps): ClearSender {
  const { store, orchestrator, clock, log, telemetry } = deps;

  /** Somebody may have paused the Dag or the run since the swap, and was told that nothing more is sent. */
  async function whoStopsIt(key: RunKey, record: RecordIn<'clearing'>) {
    const pause = pauseOf(key.dagId, await deps.pauses.read());
    if (pause !== null) return 'paused_by_operator';
    const current = (await store.load(key))?.value;
    if (current?.phase !== 'clearing' || current.clearsSent !== record.clearsSent) return 'superseded';
    return current.held === null ? null : 'held_by_operator';
  }

  return {
    async send(key, record) {
      const { policy, isShadow } = await deps.policies.rulesFor(key.dagId, record.override);
      const tellOf = (reason: string, more?: object) =>
        runFields(
          key,
          { attempt: record.attempt, decision: 'undecided', reason },
          { next_attempt: record.attempt + 1, strategy: record.mode, clear: record.clearsSent, ...more },
        );
      const obstacle = await whoStopsIt(key, record);
      if (obstacle !== null) {
        log.warn(tellOf(obstacle), 'clear not sent: stopped since its swap');
        return obstacle === 'superseded' ? null : { type: 'not_applied', reason: obstacle, retryAfterMs: null };
      }
      // The fence: another replica may act on this record once the send window and the time-out are over.
      if (clock.nowMs() > record.sendByMs) {
        telemetry.cleared('too_late');
        log.warn(tellOf('too_late'), 'clear not sent: too late after its swap; the run is read again first');
        return null;
      }
      const request = { mode: record.mode, runOnLatestVersion: policy.runOnLatestVersion };
      const outcome = await (isShadow ? orchestrator.rehearse(key, request) : orchestrator.clear(key, request));
      telemetry.cleared(outcome.type);
      const reason = 'reason' in outcome ? outcome.reason : outcome.type;
      const detail = 'detail' in outcome ? outcome.detail : undefined;
      const isAsPlanned = outcome.type === 'accepted' || outcome.type === 'rehearsed';
      const what = isShadow ? 'shadow mode: would have sent the clear' : 'clear sent';
      log[isAsPlanned ? 'info' : 'warn'](tellOf(reason, { outcome: outcome.type, detail }), what);
      return outcome;
    },
  };
}
