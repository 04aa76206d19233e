import type { z } from 'zod';
import { type FieldError, HttpProblem, type ProblemCode } from './problems.ts';

const MAX_ERRORS = 20;
const MAX_TEXT = 300;

/** What zod found, in the words of an answer. */
export function toFieldErrors(issues: readonly z.core.$ZodIssue[], input: unknown): FieldError[] {
  return describeIssues(issues, input).map(({ path, message }) => ({
    field: shorten(path.length === 0 ? 'body' : path.map(String).join('.'), MAX_TEXT),
    message: shorten(message, MAX_TEXT),
  }));
}

/** One thing that is wrong with a value, and the path to it. */
export interface Finding {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** At most 20 of the things that are wrong. */
export function describeIssues(issues: readonly z.core.$ZodIssue[], input: unknown): Finding[] {
  return issues
    .slice(0, MAX_ERRORS)
    .flatMap((issue) => describe(issue, input))
    .slice(0, MAX_ERRORS);
}

/**
 * Parses `input` by `schema`.
 * @throws HttpProblem `code`, with the path of everything that is wrong
 */
export function parseWith<T>(schema: z.ZodType<T>, input: unknown, code: ProblemCode): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw problemOf(code, toFieldErrors(parsed.error.issues, input));
}

export function problemOf(code: ProblemCode, errors: readonly FieldError[]): HttpProblem {
  return new HttpProblem(code, errors.map(({ field, message }) => `${field} ${message}`).join('; '), { errors });
}

function describe(issue: z.core.$ZodIssue, input: unknown): Finding[] {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], message: 'is not known here' }));
  }
  if (valueAt(input, path) === undefined) return [{ path, message: 'is required' }];
  return [{ path, message: describeIssue(issue) }];
}

function describeIssue(issue: z.core.$ZodIssue): string {
  // A schema's own words are better than any that could be made here.
  if (!/^(?:Invalid|Too (?:small|big))/.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return `must ${issue.origin === 'number' ? 'be' : 'have'} at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `must ${issue.origin === 'number' ? 'be' : 'have'} at most ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_union':
      return `must be ${issue.errors.flatMap(expectedOf).join(' or ')}`;
    default:
      return issue.message;
  }
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
};

function expectedOf(option: readonly z.core.$ZodIssue[]): string[] {
  return option.flatMap((issue) => (issue.code === 'invalid_type' ? [KINDS[issue.expected] ?? issue.expected] : []));
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

/** At most `maxLength` UTF-16 code units, with no half of a surrogate pair in them. */
export function shorten(text: string, maxLength: number): string {
  return (text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`).toWellFormed();
}
