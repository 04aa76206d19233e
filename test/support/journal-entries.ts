import type { JournalEntry } from '../../src/core/journal.ts';
import { RUN } from './records.ts';

/** An entry of `RUN`, unless `part` says otherwise. */
export function journalEntry(part: Partial<JournalEntry> = {}): JournalEntry {
  return {
    atMs: 1_800_000_000_000,
    type: 'failed',
    ...RUN,
    attempt: 1,
    retriesUsed: 0,
    reason: 'run_failed',
    taskId: null,
    failureClass: null,
    action: null,
    actor: null,
    comment: null,
    ...part,
  };
}

/** Of a person's pause, which concerns no run. */
export function pauseEntry(dagId: string | null, action = 'pause'): JournalEntry {
  const who = { type: 'operated' as const, action, actor: 'ada', comment: 'upgrade', reason: 'paused_by_operator' };
  return journalEntry({ ...who, dagId, dagRunId: null, attempt: null, retriesUsed: null });
}
