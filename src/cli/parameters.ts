import { z } from 'zod';
import { parseDurationMs } from '../core/duration.ts';
import { FailureClass } from '../core/policy.ts';
import { PHASES } from '../core/record.ts';
import { Id, idProblem } from '../core/run-key.ts';
import type { Context } from './command.ts';
import { addressFrom } from './service/address.ts';
import { createServiceClient, type ServiceClient } from './service/client.ts';
import { choice, flag, listed, type Values, value } from './tree/spec.ts';

const WholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((number) => number >= least && number <= most, `must be a whole number from ${least} to ${most}`);

export const count = (least: number, most: number) => WholeNumber(least, most).optional();

const Limit = z.union([z.literal('all').transform(() => null), WholeNumber(1, 1_000_000)], {
  error: 'must be a whole number, or "all"',
});
export const limit = (fallback: number | null) =>
  value(Limit.default(fallback), '<n>', `At most so many, or "all" (${fallback ?? 'all'}).`);

export const dagId = value(Id, '<dag_id>', 'The Dag.');
export const dagRunId = value(Id, '<dag_run_id>', 'The run, as Airflow names it.');

const DagPattern = z.string().superRefine((text, context) => {
  const problem = idProblem(text.replaceAll('?', '_'));
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});
export const dagPattern = value(DagPattern.optional(), '<dag_id>', 'Only this Dag, or those of a glob: "etl_*".');

/** Passed on as it is written, once it is one that the service takes: a whole number with its unit. */
export const Duration = z
  .string()
  .refine(
    (text) => /^\d{1,9}(ms|s|m|h|d)$/.test(text) && parseDurationMs(text) !== null,
    'must be a whole number with its unit, such as 30m, 2h or 7d',
  );

const Phases = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(z.enum(PHASES, `must be one or several of ${listed(PHASES)}, comma-separated`)));

/** Which runs; all that is given must hold. */
export const filterOptions = {
  dag: dagPattern,
  phase: value(Phases.optional(), '<phase,...>', 'Only runs in these phases.', { completion: { words: PHASES } }),
  class: choice(FailureClass.options, '<class>', 'Only runs whose failure is of this class.'),
  reason: value(z.string().min(1).optional(), '<word>', 'Only runs that were given up for this reason.'),
  held: choice(['true', 'false'], '<bool>', 'Only runs that an operator has paused, or only others.'),
  'older-than': value(Duration.optional(), '<duration>', 'Only runs whose first failure is longer ago, such as 2h.'),
  'newer-than': value(Duration.optional(), '<duration>', 'Only runs whose first failure is less long ago.'),
};
export type FilterValues = Values<typeof filterOptions>;

/** Of every command that speaks to the service. */
export const serviceOptions = {
  url: value(z.string().min(1).optional(), '<url>', 'Where the service is (DAGAIN_URL).'),
  output: choice(['text', 'json'], '<format>', "text for people; json is the service's own answer (text).", 'o'),
};

/** Of every command by which a person acts. */
export const actorOptions = {
  actor: value(
    z.string().trim().min(1).max(200).optional(),
    '<name>',
    'Who acts ($DAGAIN_ACTOR, else the login name).',
  ),
  comment: value(z.string().trim().max(1_000).optional(), '<text>', 'Why; shown in the timeline and the audit trail.'),
};

export const yes = flag('Do not ask.', 'y');

export function clientFor(options: Values<typeof serviceOptions>, { variables }: Context): ServiceClient {
  return createServiceClient(addressFrom(variables, options.url));
}

/** What a terminal obeys and JSON leaves as it is: C1 controls, separators, and what turns the direction of text. */
const OBEYED = /[\u007f-\u009f\u2028\u2029\p{Cf}]/gu;

/** What scripts read, and terminals show; the same JSON, with nothing in it that moves a cursor. */
export function jsonText(json: unknown): string {
  return `${JSON.stringify(json, null, 2).replace(OBEYED, escaped)}\n`;
}

function escaped(character: string): string {
  const units = character.split('');
  return units.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
}
