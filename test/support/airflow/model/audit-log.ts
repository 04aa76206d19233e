/** A row of Airflow's audit log (`eventLogs`). */
export interface AuditEntry {
  readonly id: number;
  readonly atMs: number;
  readonly event: string;
  readonly dagId: string | null;
  readonly dagRunId: string | null;
  readonly taskId: string | null;
  readonly mapIndex: number | null;
  readonly tryNumber: number | null;
  readonly owner: string | null;
  readonly extra: string | null;
}

export interface AuditLog {
  add(entry: Partial<Omit<AuditEntry, 'id' | 'atMs'>> & { event: string }): void;
  entries(): readonly AuditEntry[];
}

export function createAuditLog({ nowMs }: { nowMs: () => number }): AuditLog {
  const entries: AuditEntry[] = [];
  return {
    add(entry) {
      entries.push({
        dagId: null,
        dagRunId: null,
        taskId: null,
        mapIndex: null,
        tryNumber: null,
        owner: null,
        extra: null,
        ...entry,
        id: entries.length + 1,
        atMs: nowMs(),
      });
    },
    entries: () => entries,
  };
}
