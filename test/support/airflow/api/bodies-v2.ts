import { z } from 'zod';
import type { AirflowVersion } from '../model/versions.ts';
import { refuse } from './errors.ts';
import {
  Bool,
  check,
  NonNegativeInt,
  NullableBool,
  NullableObject,
  NullableTexts,
  NullableTime,
  nullableText,
} from './fields.ts';
import { type JsonObject, type ReadBody, requireObject } from './json-body.ts';
import { BOUNDS } from './run-query.ts';

const NOTE_LENGTH = 1_000;

const Clear30 = z.strictObject({ dry_run: Bool.default(true), only_failed: Bool.default(false) });
const Clear31 = Clear30.extend({ run_on_latest_version: Bool.default(false) });
const Clear33 = Clear30.extend({
  only_new: Bool.default(false),
  run_on_latest_version: NullableBool.default(null),
  note: nullableText(NOTE_LENGTH).default(null),
});

export interface ClearBody {
  readonly dry_run: boolean;
  readonly only_failed: boolean;
  readonly only_new?: boolean;
  readonly run_on_latest_version?: boolean | null;
  readonly note?: string | null;
}

/** Strict, and each version knows more than the one before it. */
export function parseClear(body: ReadBody, version: AirflowVersion): ClearBody {
  const input = requireObject(body);
  if (version === '3.0') return check(Clear30, input, 'body');
  if (version === '3.1' || version === '3.2') return check(Clear31, input, 'body');
  if (isTruthy(input['only_new']) && isTruthy(input['only_failed'])) {
    refuseWhole(input, 'only_new and only_failed are mutually exclusive');
  }
  return check(Clear33, input, 'body');
}

const ClearTasks = z.strictObject({
  dry_run: Bool.default(true),
  start_date: NullableTime.default(null),
  end_date: NullableTime.default(null),
  only_failed: Bool.default(true),
  only_running: Bool.default(false),
  reset_dag_runs: Bool.default(true),
  task_ids: NullableTexts.default(null),
  dag_run_id: nullableText().default(null),
  include_upstream: Bool.default(false),
  include_downstream: Bool.default(false),
  include_future: Bool.default(false),
  include_past: Bool.default(false),
});
const ClearTasks31 = ClearTasks.extend({ run_on_latest_version: Bool.default(false) });
const ClearTasks32 = ClearTasks31.extend({ prevent_running_task: Bool.default(false) });
const ClearTasks33 = ClearTasks32.extend({
  run_on_latest_version: NullableBool.default(null),
  note: nullableText(NOTE_LENGTH).default(null),
});

export type ClearTasksBody = z.infer<typeof ClearTasks> & { readonly prevent_running_task?: boolean };

export function parseClearTasks(body: ReadBody, version: AirflowVersion): ClearTasksBody {
  const input = requireObject(body);
  if (isTruthy(input['only_failed']) && isTruthy(input['only_running'])) {
    refuseWhole(input, 'only_failed and only_running both are set to True');
  }
  if (version === '3.0') return check(ClearTasks, input, 'body');
  if (version === '3.1') return check(ClearTasks31, input, 'body');
  return check(version === '3.2' ? ClearTasks32 : ClearTasks33, input, 'body');
}

function isTruthy(value: unknown): boolean {
  return Boolean(value);
}

function refuseWhole(input: JsonObject, reason: string): never {
  return refuse(422, [
    { type: 'value_error', loc: ['body'], msg: `Value error, ${reason}`, input, ctx: { error: {} } },
  ]);
}

export const Patch = z.strictObject({
  state: nullableText().default(null),
  note: nullableText(NOTE_LENGTH).default(null),
});

export const Trigger = z.strictObject({
  dag_run_id: nullableText().default(null),
  data_interval_start: NullableTime.default(null),
  data_interval_end: NullableTime.default(null),
  logical_date: NullableTime,
  run_after: NullableTime.default(null),
  conf: NullableObject.default(null),
  note: nullableText().default(null),
  partition_key: nullableText().default(null),
});

/** `end_date_gte` and its like. There is no `updated_at` in this body. */
const LISTED_TIMES = ['run_after', 'logical_date', 'start_date', 'end_date'] as const;

const ranges = Object.fromEntries(
  LISTED_TIMES.flatMap((name) => BOUNDS.map((bound) => [`${name}_${bound}`, NullableTime.default(null)])),
);

export const RunList = z.strictObject({
  order_by: nullableText().default(null),
  page_offset: NonNegativeInt.default(0),
  page_limit: NonNegativeInt.default(100),
  dag_ids: NullableTexts.default(null),
  states: NullableTexts.default(null),
  conf_contains: nullableText().default(null),
  ...ranges,
});
