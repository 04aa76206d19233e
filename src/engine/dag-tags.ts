import type { PolicyLayer } from '../core/policy-layer.ts';
import { readTags, type TagProblem } from '../core/tag-layer.ts';
import type { DagDescription, Orchestrator } from '../orchestrator/port.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** How long what was read of a Dag counts as fresh. */
export const FRESH_MS = 5 * 60_000;
/** How long what is known of a Dag that could not be read serves before it is asked for again. */
export const ASK_AGAIN_MS = 30_000;
/** More Dags than this are not remembered at a time; the one that was asked for the longest ago goes first. */
export const MAX_DAGS = 10_000;

/** What a Dag's tags say about retries. */
export interface TagLayer {
  readonly layer: PolicyLayer;
  readonly problems: readonly TagProblem[];
  /** False: the orchestrator does not tell them, and they are taken for none. */
  readonly isRead: boolean;
}

/** The policy that Dags carry in their tags, as last read. */
export interface DagTags {
  /** What is remembered, however old; null if the Dag has not been read yet. Never asks the orchestrator. */
  remembered(dagId: string): TagLayer | null;
  /** Whether what is remembered may be acted on without asking again. */
  isFresh(dagId: string): boolean;
  /** Makes sure that the Dag's tags are known and fresh; false if the orchestrator cannot be asked now. */
  refresh(dagId: string): Promise<boolean>;
}

export interface DagTagsDeps {
  readonly orchestrator: Pick<Orchestrator, 'describeDag'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly log: Log;
}

interface Entry {
  readonly tags: TagLayer | null;
  readonly askAgainAtMs: number;
  /** Why the last read brought nothing, so that it is said once. */
  readonly trouble: string | null;
}

const NO_TAGS: TagLayer = { layer: {}, problems: [], isRead: false };

export function createDagTags({ orchestrator, clock, log }: DagTagsDeps): DagTags {
  const entries = new Map<string, Entry>();
  const reading = new Map<string, Promise<boolean>>();

  function keep(dagId: string, entry: Entry): void {
    entries.delete(dagId);
    entries.set(dagId, entry);
    const [oldest] = entries.keys();
    if (entries.size > MAX_DAGS && oldest !== undefined) entries.delete(oldest);
  }

  function remember(dagId: string, written: readonly string[]): void {
    const before = entries.get(dagId)?.tags?.problems ?? [];
    const tags: TagLayer = { ...readTags(written), isRead: true };
    keep(dagId, { tags, askAgainAtMs: clock.nowMs() + FRESH_MS, trouble: null });
    if (JSON.stringify(before) === JSON.stringify(tags.problems)) return;
    for (const { tag, message } of tags.problems) {
      log.warn({ dag_id: dagId, tag, detail: message }, 'a Dag tag was not understood');
    }
  }

  async function read(dagId: string): Promise<boolean> {
    const dag = await orchestrator.describeDag(dagId);
    if (dag.type === 'found') {
      remember(dagId, dag.tags);
      return true;
    }
    const before = entries.get(dagId);
    const tags = before?.tags ?? (mayBeAssumedNone(dag) ? NO_TAGS : null);
    const trouble = dag.type === 'missing' ? 'missing' : dag.reason;
    keep(dagId, { tags, askAgainAtMs: clock.nowMs() + ASK_AGAIN_MS, trouble });
    if (before?.trouble !== trouble) {
      const detail = dag.type === 'missing' ? 'the orchestrator knows no such Dag' : dag.detail;
      log.warn({ dag_id: dagId, reason: trouble, detail }, `the Dag could not be read: ${describeTags(tags)}`);
    }
    return tags !== null;
  }

  function isFresh(dagId: string): boolean {
    const entry = entries.get(dagId);
    return entry !== undefined && entry.tags !== null && clock.nowMs() < entry.askAgainAtMs;
  }

  return {
    remembered: (dagId) => entries.get(dagId)?.tags ?? null,
    isFresh,
    async refresh(dagId) {
      if (isFresh(dagId)) return true;
      // One read at a time: many runs of one Dag tend to fail together.
      const shared = reading.get(dagId) ?? read(dagId).finally(() => reading.delete(dagId));
      reading.set(dagId, shared);
      return await shared;
    },
  };
}

/**
 * Whether waiting for the tags would be in vain. Without permission to read Dags there would be no retries at all; and
 * whether the runs of a Dag that is gone are gone too is told by looking at them. Any other trouble may pass, and a Dag
 * that its tags switch off must not be retried meanwhile.
 */
function mayBeAssumedNone(dag: Exclude<DagDescription, { type: 'found' }>): boolean {
  return dag.type === 'missing' || dag.reason === 'forbidden';
}

function describeTags(tags: TagLayer | null): string {
  if (tags === null) return 'nothing is decided without its tags';
  return tags.isRead ? 'its tags are as last known' : 'it counts as having no tags';
}
