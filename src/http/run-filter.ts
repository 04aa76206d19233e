import { z } from 'zod';
import { parseDurationMs } from '../core/duration.ts';
import { FailureClass } from '../core/policy.ts';
import { REASONS } from '../core/reason.ts';
import { PHASES } from '../core/record.ts';
import { idProblem } from '../core/run-key.ts';
import type { RunFilter } from '../engine/run-filter.ts';
import { wordsOf } from './words.ts';

/** A Dag id, or a glob over Dag ids. */
export const DagPattern = z.string().superRefine((text, context) => {
  const problem = idProblem(text.replaceAll('?', '_'));
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

/** How long something has been so: `30m`, `2h`, `7d`; with a unit, because a bare number could mean anything. */
export const AGE_PATTERN = /^[0-9]{1,4}(ms|s|m|h|d)$/;
export const Age = z
  .string()
  .regex(AGE_PATTERN, 'must be a duration such as 30s, 5m, 2h or 7d')
  .transform((text) => parseDurationMs(text) ?? 0);

const common = {
  dag_id: DagPattern.optional(),
  failure_class: FailureClass.optional(),
  reason: z.enum(REASONS, 'must be one of the stable words for why a run was given up').optional(),
  older_than: Age.optional(),
  newer_than: Age.optional(),
};

/** The filter as a query writes it. */
export const FilterQuery = {
  phase: wordsOf(PHASES).optional(),
  held: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional(),
  ...common,
};

/** The filter as a body writes it; an empty one means every run. */
export const FilterBody = z.strictObject({
  phase: z.array(z.enum(PHASES)).min(1).max(PHASES.length).optional(),
  dag_id: common.dag_id.describe('Exact, or a glob where it holds `*` or `?`.'),
  failure_class: common.failure_class,
  held: z.boolean().optional(),
  reason: common.reason.describe('Why the runs were given up.'),
  older_than: common.older_than.describe('Since the first failure: `30m`, `2h`, `7d`.'),
  newer_than: common.newer_than.describe('Since the first failure.'),
});
type FilterBody = z.infer<typeof FilterBody>;

export function toRunFilter(written: FilterBody): RunFilter {
  return {
    phases: written.phase ?? null,
    dagId: written.dag_id ?? null,
    failureClass: written.failure_class ?? null,
    isHeld: written.held ?? null,
    reason: written.reason ?? null,
    olderThanMs: written.older_than ?? null,
    newerThanMs: written.newer_than ?? null,
  };
}
