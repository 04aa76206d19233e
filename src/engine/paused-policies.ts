import { DagainError } from '../core/errors.ts';
import { EVERYTHING, type Pause } from '../core/pause.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { Pauses } from './pauses.ts';
import type { PolicySource } from './policy-source.ts';

export interface PausedPoliciesDeps {
  readonly policies: PolicySource;
  readonly pauses: Pick<Pauses, 'ofDag'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
}

/**
 * The policies, with what is paused in the rules. Where the store holds a pause that nobody can read, everything counts as
 * paused: reports are still taken, nothing is cleared.
 */
export function withPauses({ policies, pauses, clock, log }: PausedPoliciesDeps): PolicySource {
  let isTold = false;

  async function pauseFor(dagId: string): Promise<Pause | null> {
    try {
      const pauseOf = await pauses.ofDag();
      isTold = false;
      return pauseOf(dagId);
    } catch (error) {
      if (!(error instanceof DagainError) || error.code !== 'store_corrupt') throw error;
      if (!isTold) log.error({ err: error }, 'a pause cannot be read: everything counts as paused');
      isTold = true;
      return { scope: EVERYTHING, actor: 'dagain', comment: 'a pause cannot be read', atMs: clock.nowMs() };
    }
  }

  return {
    ...policies,
    async rulesFor(dagId, override) {
      const [rules, pause] = await Promise.all([policies.rulesFor(dagId, override), pauseFor(dagId)]);
      return pause === null ? rules : { ...rules, pause };
    },
  };
}
