import type { ResolvedPolicy } from '../core/resolve-policy.ts';
import type { Rules } from '../core/rules.ts';

/** Says which policy is in force for a Dag right now; `override` is the callback's own layer. */
export interface PolicySource {
  rulesFor(dagId: string, override: Readonly<Record<string, unknown>> | null): Promise<Rules>;
  /** The same with the origin of every value, for people. */
  explain(dagId: string): Promise<ResolvedPolicy>;
}
