import type { AuditEntry } from '../model/audit-log.ts';

const AUDIT_ORDERS = new Set(['id', 'event_log_id', 'when', 'dttm']);

/** Entries that match, by age, which is by id; null when another order is asked for. */
export function filterAudit(entries: readonly AuditEntry[], query: URLSearchParams): AuditEntry[] | null {
  const orderBy = query.get('order_by') ?? 'id';
  if (!AUDIT_ORDERS.has(orderBy.replace(/^-/, ''))) return null;
  const included = query.getAll('included_events');
  const excluded = query.getAll('excluded_events');
  const afterMs = Date.parse(query.get('after') ?? '1970-01-01T00:00:00Z');
  const is = (name: string, value: string | null) => query.get(name) === null || query.get(name) === value;
  const found = entries.filter((entry) => {
    const isIncluded = included.length === 0 || included.includes(entry.event);
    if (!isIncluded || excluded.includes(entry.event) || entry.atMs <= afterMs) return false;
    if (!is('dag_id', entry.dagId) || !is('run_id', entry.dagRunId) || !is('event', entry.event)) return false;
    return is('owner', entry.owner) && is('task_id', entry.taskId);
  });
  return orderBy.startsWith('-') ? found.reverse() : found;
}
