import type { FilterValues } from '../parameters.ts';
import type { Query } from '../service/client.ts';

/** The filter as a query writes it. */
export function filterQuery(options: FilterValues): Query {
  return {
    dag_id: options.dag,
    phase: options.phase?.join(','),
    failure_class: options.class,
    reason: options.reason,
    held: options.held,
    older_than: options['older-than'],
    newer_than: options['newer-than'],
  };
}

/** The filter as a body writes it; what was not given is left out. */
export function filterBody(options: FilterValues): Record<string, unknown> {
  const { phase, held } = options;
  const all = { ...filterQuery(options), phase, held: held === undefined ? undefined : held === 'true' };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
