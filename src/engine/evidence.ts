import { type Evidence, needsLeastClears, type Restarts, type Stop } from '../core/evidence.ts';
import type { RunRecord } from '../core/record.ts';
import type { RunKey } from '../core/run-key.ts';
import type { AuditEntry, AuditTrail, Orchestrator, Unavailable } from '../orchestrator/port.ts';
import type { Memory } from './memory.ts';

/** Gathers what a count is held against before a retry is spent. */
export interface EvidenceReader {
  /** `unavailable`: nobody could look, and nothing may be decided without it. @throws DagainError `store_unavailable` */
  read(key: RunKey, record: RunRecord): Promise<Evidence | Unavailable>;
}

export interface EvidenceDeps {
  readonly orchestrator: Pick<Orchestrator, 'auditTrail' | 'leastClears'>;
  readonly memory: Pick<Memory, 'beginsMs' | 'lostAtMs'>;
}

export function createEvidenceReader({ orchestrator, memory }: EvidenceDeps): EvidenceReader {
  async function leastClears(key: RunKey, record: RunRecord): Promise<number | null | Unavailable> {
    if (!needsLeastClears(record, await memory.beginsMs())) return null;
    const least = await orchestrator.leastClears(key);
    if (least.type === 'found') return least.clears;
    return least.reason === 'forbidden' ? null : least;
  }

  return {
    async read(key, record) {
      // Before the audit log: what is cleared in between would seem to be missing there.
      const least = await leastClears(key, record);
      if (least !== null && typeof least !== 'number') return least;
      const trail = await orchestrator.auditTrail(key);
      const restarts = restartsIn(trail);
      if (restarts.type === 'unavailable') return restarts;
      const stop = trail.type === 'found' ? lastStop(trail.entries) : null;
      const remembersSinceMs = await memory.beginsMs();
      const lostAtMs = await memory.lostAtMs();
      return {
        restarts,
        remembersSinceMs,
        lostAtMs,
        ...(least === null ? {} : { leastClears: least }),
        ...(stop === null ? {} : { stop }),
      };
    },
  };
}

/** What the log tells of the latest attempt: what was done before the last clear was done to an earlier one. */
export function ofLatestAttempt(entries: readonly AuditEntry[]): readonly AuditEntry[] {
  return entries.slice(entries.findLastIndex(isClear) + 1);
}

/** Who has set the latest attempt, or a task of it, to failed by hand; the service itself never does. */
export function whoStopped(entries: readonly AuditEntry[]): string | null {
  const stop = lastStop(entries);
  return stop === null || stop.isCleared ? null : stop.by;
}

/** A person's clear means that they want it to run; ours may have come to nothing. */
function lastStop(entries: readonly AuditEntry[]): Stop | null {
  const since = entries.slice(entries.findLastIndex((entry) => isClear(entry) && !entry.isOurs) + 1);
  const index = since.findLastIndex(({ action }) => action === 'marked_failed');
  const stop = since[index];
  if (stop === undefined) return null;
  return { by: stop.owner ?? 'somebody', atMs: stop.atMs, isCleared: since.slice(index).some(isClear) };
}

export function isClear({ action }: AuditEntry): boolean {
  return action === 'cleared';
}

function restartsIn(trail: AuditTrail): Restarts | Unavailable {
  // A missing permission does not come by itself; everything else may pass.
  if (trail.type === 'unavailable') {
    return trail.reason === 'forbidden' ? { type: 'untold', detail: trail.detail } : trail;
  }
  if (!trail.knowsUs) return { type: 'untold', detail: 'it is not known by which name it calls us' };
  const clears = trail.entries.filter(isClear);
  // The oldest entries are missing: what is there proves that we have cleared, never that we have not.
  if (!trail.isComplete && !clears.some(({ isOurs }) => isOurs))
    return { type: 'untold', detail: 'there is too much of it to read' };
  return { type: 'told', clears: clears.map(({ atMs, isOurs }) => ({ atMs, isOurs })) };
}
