import { z } from 'zod';
import { FailureClass } from '../core/policy.ts';
import { PolicyLayer } from '../core/policy-layer.ts';
import { Id } from '../core/run-key.ts';
import { describeIssues, shorten } from './field-errors.ts';
import { IsoTime } from './iso-time.ts';

const MAX_NAME_LENGTH = 250;
const MAX_MESSAGE_LENGTH = 1_000;
const MAX_URL_LENGTH = 2_000;
const MAX_RUN_TYPE_LENGTH = 50;
const MAX_OVERRIDE_LENGTH = 16 * 1024;

/** What describes a failure is cut rather than refused: a long message must not cost the run its retry. */
const text = (maxLength: number, description: string) =>
  z
    .string()
    .transform((value) => shorten(value, maxLength))
    .nullish()
    .describe(`${description} Cut at ${maxLength} characters.`);

const int = (min: number, description: string) => z.int().min(min).nullish().describe(description);

/** What tells one failure from another is refused rather than cut. */
const TaskInstanceId = z
  .string()
  .min(1)
  .max(MAX_NAME_LENGTH)
  .refine((id) => id.isWellFormed(), 'must not hold a lone surrogate');

/** People follow it, so only web addresses are kept; anything else is left out, and costs the run nothing. */
const LogUrl = z
  .string()
  .transform((url) => (url.length <= MAX_URL_LENGTH && /^https?:\/\//i.test(url) && URL.canParse(url) ? url : null))
  .nullish()
  .describe(`Where the log is; left out unless it is an http(s) URL of at most ${MAX_URL_LENGTH} characters.`);

const PlainObject = z.record(z.string(), z.unknown());

/**
 * The policy layer of a callback: checked like any other, kept as it was written (`"30s"`, not 30000), because it is
 * parsed again whenever the policy is resolved. An empty one is none, like `null`.
 */
export const Override = z.unknown().transform((written, context) => {
  if (written === null || written === undefined) return null;
  const layer = PolicyLayer.safeParse(written);
  if (!layer.success) {
    for (const { path, message } of describeIssues(layer.error.issues, written)) {
      context.addIssue({ code: 'custom', path: [...path], message });
    }
    return z.NEVER;
  }
  // Everything that the strict layer lets through is text, numbers and lists of them, but for the keys of this map.
  const caps = layer.data.max_retries_by_class;
  const kept = { ...PlainObject.parse(written), ...(caps === undefined ? {} : { max_retries_by_class: caps }) };
  if (JSON.stringify(kept).length <= MAX_OVERRIDE_LENGTH) return Object.keys(kept).length === 0 ? null : kept;
  context.addIssue({ code: 'custom', message: `must have at most ${MAX_OVERRIDE_LENGTH} characters as JSON` });
  return z.NEVER;
});

const RunNames = {
  dag_id: Id,
  dag_run_id: Id.nullish().describe('Required unless `run_id` is given.'),
  run_id: Id.nullish().describe('Another name of `dag_run_id`.'),
};

const FailureFields = {
  exception: z
    .object({
      type: text(MAX_NAME_LENGTH, "Dotted name of the exception's type."),
      message: text(MAX_MESSAGE_LENGTH, 'What it says.'),
    })
    .nullish(),
  failed_at: IsoTime.nullish().describe('When it failed; now if absent or in the future.'),
  log_url: LogUrl,
  dag_run: z
    .object({
      start_date: IsoTime.nullish().describe('When this attempt of the run started.'),
      clear_number: int(0, 'How often the run has been cleared (Airflow 3).'),
      run_type: text(MAX_RUN_TYPE_LENGTH, '`scheduled`, `manual` and so on.'),
    })
    .nullish(),
  failure_class: FailureClass.nullish().describe('Wins over what the service would work out.'),
  retry: Override.optional().describe('A policy layer for this run.'),
};

/** Unknown fields are ignored everywhere but in `retry`; `null` in an optional field means absent. */
export const TaskFailedBody = z.object({
  ...RunNames,
  task_id: Id,
  map_index: int(-1, '-1 for a task that is not mapped.'),
  try_number: int(0, 'Which try of the task failed.'),
  max_tries: int(-1, 'Not used.'),
  task_instance_id: TaskInstanceId.nullish().describe('Airflow 3: names this try of the task.'),
  operator: text(MAX_NAME_LENGTH, "Name of the operator's class."),
  ...FailureFields,
});
export type TaskFailedBody = z.infer<typeof TaskFailedBody>;

/** What a Dag-level callback says of a task is of whichever task finished last, so it is not read. */
export const RunFailedBody = z.object({
  ...RunNames,
  reason: z.enum(['task_failure', 'timed_out', 'all_tasks_deadlocked']).nullish().describe("Airflow's own reason."),
  ...FailureFields,
});
export type RunFailedBody = z.infer<typeof RunFailedBody>;

export const RunSucceededBody = z.object(RunNames);
export type RunSucceededBody = z.infer<typeof RunSucceededBody>;
