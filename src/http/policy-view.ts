import { z } from 'zod';
import { POLICY_KEYS, writtenValue } from '../core/resolve-policy.ts';
import type { ExplainedPolicy } from '../engine/policy-source.ts';

/** The policy in force for a Dag: each value as it would stand in the policy file, and where it comes from. */
export const PolicyView = z.object({
  dag_id: z.string(),
  policy: z.record(z.enum(POLICY_KEYS), z.object({ value: z.unknown(), source: z.string() })),
  clamped: z
    .array(z.object({ key: z.string(), from: z.number(), to: z.number(), source: z.string() }))
    .describe('Values that the limits have lowered.'),
  unconfigured_channels: z
    .array(z.string())
    .describe('Alert channels that the policy asks for and the service does not have.'),
  tags_known: z
    .boolean()
    .describe(
      'False where Airflow could not be asked for the tags, forbids it, or knows no such Dag: they count for none.',
    ),
  tag_problems: z.array(z.object({ tag: z.string(), message: z.string() })),
});
export type PolicyView = z.infer<typeof PolicyView>;

export function toPolicyView(dagId: string, explained: ExplainedPolicy): PolicyView {
  const entries = POLICY_KEYS.map((key) => [
    key,
    { value: writtenValue(explained.policy, key), source: explained.origins[key] },
  ]);
  return {
    dag_id: dagId,
    policy: Object.fromEntries(entries),
    clamped: [...explained.clamped],
    unconfigured_channels: [...explained.unconfiguredChannels],
    tags_known: explained.tagsKnown,
    tag_problems: [...explained.tagProblems],
  };
}
