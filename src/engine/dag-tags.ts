import type { PolicyLayer } from '../core/policy-layer.ts';
import { readTags, type TagProblem } from '../core/tag-layer.ts';
import type { Orchestrator } from '../orchestrator/port.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** How long what was read of a Dag counts as fresh. */
const FRESH_MS = 5 * 60_000;
/** More Dags than this are not remembered at a time; the one that was read the longest ago goes first. */
const MAX_DAGS = 10_000;

/** What a Dag's tags say about retries. */
export interface TagLayer {
  readonly layer: PolicyLayer;
  readonly problems: readonly TagProblem[];
  readonly readAtMs: number;
}

/** The policy that Dags carry in their tags, as last read. */
export interface DagTags {
  /** What is remembered, however old; null if the Dag has not been read yet. Never asks the orchestrator. */
  remembered(dagId: string): TagLayer | null;
  /** Makes sure that the Dag's tags are known and fresh; false if the orchestrator cannot be asked now. */
  refresh(dagId: string): Promise<boolean>;
}

export interface DagTagsDeps {
  readonly orchestrator: Pick<Orchestrator, 'describeDag'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
}

export function createDagTags({ orchestrator, clock, log }: DagTagsDeps): DagTags {
  const remembered = new Map<string, TagLayer>();
  const reading = new Map<string, Promise<boolean>>();

  function remember(dagId: string, tags: readonly string[]): void {
    const before = remembered.get(dagId);
    const read = readTags(tags);
    remembered.delete(dagId);
    remembered.set(dagId, { ...read, readAtMs: clock.nowMs() });
    const [oldest] = remembered.keys();
    if (remembered.size > MAX_DAGS && oldest !== undefined) remembered.delete(oldest);
    if (JSON.stringify(before?.problems ?? []) === JSON.stringify(read.problems)) return;
    for (const { tag, message } of read.problems)
      log.warn({ dagId, tag, detail: message }, 'a Dag tag was not understood');
  }

  async function read(dagId: string): Promise<boolean> {
    const dag = await orchestrator.describeDag(dagId);
    if (dag.type === 'found') {
      remember(dagId, dag.tags);
      return true;
    }
    const mayWorkLater = dag.reason !== 'forbidden' && dag.reason !== 'unexpected_answer';
    if (mayWorkLater && !remembered.has(dagId)) return false;
    // Without permission to read Dags their tags count for nothing, which is better than no retries at all.
    if (!remembered.has(dagId)) remember(dagId, []);
    log.warn(
      { dagId, reason: dag.reason, detail: dag.detail },
      'the Dag could not be read: its tags are as last known',
    );
    return true;
  }

  return {
    remembered: (dagId) => remembered.get(dagId) ?? null,
    async refresh(dagId) {
      const known = remembered.get(dagId);
      if (known !== undefined && clock.nowMs() - known.readAtMs < FRESH_MS) return true;
      // One read at a time: many runs of one Dag tend to fail together.
      const shared = reading.get(dagId) ?? read(dagId).finally(() => reading.delete(dagId));
      reading.set(dagId, shared);
      return await shared;
    },
  };
}
