import type { ResolvedPolicy } from '../core/resolve-policy.ts';
import type { Rules } from '../core/rules.ts';
import type { TagProblem } from '../core/tag-layer.ts';

/** The policy in force for a Dag, for people. */
export interface ExplainedPolicy extends ResolvedPolicy {
  /** False where the orchestrator could not be asked for the Dag's tags, or does not tell them: they count for none. */
  readonly tagsKnown: boolean;
  readonly tagProblems: readonly TagProblem[];
}

/** Says which policy is in force for a Dag right now. */
export interface PolicySource {
  /** From what is known already, without asking anybody; `override` is the callback's own layer. */
  rulesFor(dagId: string, override: Readonly<Record<string, unknown>> | null): Promise<Rules>;
  /** Brings what is known about the Dag up to date; false if the orchestrator cannot be asked now. */
  refresh(dagId: string): Promise<boolean>;
  /** With the layer of a callback as well where one is given. */
  explain(dagId: string, override?: Readonly<Record<string, unknown>> | null): Promise<ExplainedPolicy>;
}
