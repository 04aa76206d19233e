import { z } from 'zod';
import { type FieldError, refuse } from './errors.ts';

/** An error as pydantic words it; zod's own issues carry it in `params`. */
interface Complaint {
  readonly type: string;
  readonly msg: string;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

const Params = z.object({ type: z.string(), msg: z.string(), ctx: z.record(z.string(), z.unknown()).optional() });

function field<T>(read: (input: unknown) => { value: T } | Complaint) {
  return z.unknown().transform((input, context): T => {
    const result = read(input);
    if ('value' in result) return result.value;
    context.addIssue({ code: 'custom', message: result.msg, params: { ...result }, input });
    return z.NEVER;
  });
}

const TRUE: ReadonlySet<unknown> = new Set([true, 1, '1', 'true', 'True', 't', 'yes', 'y', 'on']);
const FALSE: ReadonlySet<unknown> = new Set([false, 0, '0', 'false', 'False', 'f', 'no', 'n', 'off']);

/** Takes `"true"` and 1, too, as pydantic does. */
export const Bool = field<boolean>((input) => {
  if (TRUE.has(input)) return { value: true };
  if (FALSE.has(input)) return { value: false };
  const msg = 'Input should be a valid boolean';
  if (typeof input !== 'string' && typeof input !== 'number') return { type: 'bool_type', msg };
  return { type: 'bool_parsing', msg: `${msg}, unable to interpret input` };
});

export const NullableBool = field<boolean | null>((input) => {
  if (input === null) return { value: null };
  const parsed = Bool.safeParse(input);
  if (parsed.success) return { value: parsed.data };
  return { type: 'bool_type', msg: 'Input should be a valid boolean' };
});

export const Text = field<string>((input) => {
  return typeof input === 'string' ? { value: input } : { type: 'string_type', msg: 'Input should be a valid string' };
});

export function nullableText(maxLength = Number.POSITIVE_INFINITY) {
  return field<string | null>((input) => {
    if (input === null) return { value: null };
    if (typeof input !== 'string') return { type: 'string_type', msg: 'Input should be a valid string' };
    if (input.length <= maxLength) return { value: input };
    const msg = `String should have at most ${maxLength} characters`;
    return { type: 'string_too_long', msg, ctx: { max_length: maxLength } };
  });
}

export const NonNegativeInt = field<number>((input) => {
  const value = typeof input === 'string' && /^\d+$/.test(input) ? Number(input) : input;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return { value };
  if (typeof value === 'number' && value < 0) {
    return { type: 'greater_than_equal', msg: 'Input should be greater than or equal to 0', ctx: { ge: 0 } };
  }
  const msg = 'Input should be a valid integer, unable to parse string as an integer';
  return { type: 'int_parsing', msg };
});

export const NullableTexts = field<string[] | null>((input) => {
  if (input === null) return { value: null };
  const parsed = z.array(z.string()).safeParse(input);
  return parsed.success ? { value: parsed.data } : { type: 'list_type', msg: 'Input should be a valid list' };
});

/** Milliseconds; a zone is required, and a `+` that a query has turned into a space is not understood. */
export const NullableTime = field<number | null>((input) => {
  if (input === null) return { value: null };
  const text = typeof input === 'string' ? input : '';
  const timeMs = /(Z|[+-]\d\d:?\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(timeMs)) return { value: timeMs };
  const error = 'unexpected extra characters at the end of the input';
  const msg = `Input should be a valid datetime or date, ${error}`;
  return { type: 'datetime_from_date_parsing', msg, ctx: { error } };
});

export const NullableObject = field<Readonly<Record<string, unknown>> | null>((input) => {
  if (input === null) return { value: null };
  const parsed = z.record(z.string(), z.unknown()).safeParse(input);
  return parsed.success ? { value: parsed.data } : { type: 'dict_type', msg: 'Input should be a valid dictionary' };
});

/** Checks `input` or answers 422, as FastAPI does. `place` is where the fields are: `body` or `query`. */
export function check<S extends z.ZodType>(schema: S, input: unknown, place: 'body' | 'query'): z.infer<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  return refuse(
    422,
    parsed.error.issues.flatMap((issue) => toFieldErrors(issue, input, place)),
  );
}

function toFieldErrors(issue: z.core.$ZodIssue, input: unknown, place: string): FieldError[] {
  const loc = [place, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      type: 'extra_forbidden',
      loc: [...loc, key],
      msg: 'Extra inputs are not permitted',
      input: at(input, [key]),
    }));
  }
  const complaint = issue.code === 'custom' ? Params.safeParse(issue.params) : null;
  const value = at(input, issue.path);
  if (value === undefined) return [{ type: 'missing', loc, msg: 'Field required', input }];
  if (complaint?.success !== true) return [{ type: 'value_error', loc, msg: issue.message, input: value }];
  const { type, msg, ctx } = complaint.data;
  return [{ type, loc, msg, input: value, ...(ctx === undefined ? {} : { ctx }) }];
}

function at(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const part of path) {
    const parsed = z.record(z.string(), z.unknown()).safeParse(value);
    value = parsed.success ? parsed.data[String(part)] : undefined;
  }
  return value;
}
