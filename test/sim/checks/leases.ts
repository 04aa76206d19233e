import { formatRunKey } from '../../../src/core/run-key.ts';
import type { Watcher } from '../journal.ts';
import type { CheckContext } from './context.ts';

/** While one process works on a version of a record, no other takes it: that is what the lease is for. */
export function checkLeases({ journal, scenario }: CheckContext): Watcher {
  const taken = new Map<string, { readonly version: number; readonly clockMs: number; readonly by: string }>();
  return (event) => {
    if (event.type === 'store_lost') taken.clear();
    if (event.type !== 'taken') return;
    const { by, version, clockMs } = event;
    const name = formatRunKey(event.key);
    const last = taken.get(name);
    // By the clocks of those who take: skew shortens leases, which costs nothing but double work.
    if (last?.version === version && clockMs < last.clockMs + scenario.worker.leaseMs) {
      journal.violate('a lease is respected', `${name} v${version}: ${by} takes what ${last.by} has`);
    }
    taken.set(name, { version, clockMs, by });
  };
}
