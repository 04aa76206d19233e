import { FailureClass } from '../core/policy.ts';
import { PHASES } from '../core/record.ts';
import { MAX_ID_LENGTH } from '../core/run-key.ts';
import { EXAMPLES } from './openapi-examples.ts';
import { DEFAULT_LIMIT, MAX_LIMIT } from './paging.ts';
import { AGE_PATTERN } from './run-filter.ts';

/** What an id holds nowhere, and what it neither begins nor ends with besides; a test holds them against `idProblem`. */
const CONTROLS = '\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029';
const FORBIDDEN = `${CONTROLS}/\\\\#%`;
const BLANK = ' \\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000\\ufeff';
const patternOf = (forbidden: string) => `^[^${forbidden}${BLANK}]([^${forbidden}]*[^${forbidden}${BLANK}])?$`;

/** Schemas that zod cannot tell, because what they check is code. */
export const ID = {
  type: 'string',
  minLength: 1,
  maxLength: MAX_ID_LENGTH,
  pattern: patternOf(`${FORBIDDEN}?`),
  not: { enum: ['.', '..', '~', '__proto__', 'constructor', 'prototype'] },
};
export const DAG_PATTERN = { ...ID, pattern: patternOf(FORBIDDEN) };
const DIRECTIONS = '\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069';
const NOT_IN_NAMES = `${CONTROLS}${DIRECTIONS}`;
/** Control characters nowhere, and not only blanks. */
export const ACTOR = {
  type: 'string',
  minLength: 1,
  maxLength: 200,
  pattern: `^[^${NOT_IN_NAMES}]*[^${NOT_IN_NAMES}${BLANK}][^${NOT_IN_NAMES}]*$`,
};
export const AGE = { type: 'string', pattern: AGE_PATTERN.source };

export const CALLBACK_SECURITY = [{ callbackToken: [] }, { webhookSignature: [] }];
export const OPERATOR_SECURITY = [{ operatorToken: [] }];

export const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/ProblemAnswer' } } },
});

/** A body of this schema, with its example where there is one. */
export function content(schema: string): object {
  const example = Object.entries(EXAMPLES).find(([name]) => name === schema)?.[1];
  const body = { schema: { $ref: `#/components/schemas/${schema}` }, ...(example === undefined ? {} : { example }) };
  return { 'application/json': body };
}

export const json = (description: string, schema: string) => ({ description, content: content(schema) });

export const body = (schema: string) => ({ required: true, content: content(schema) });

/** What every operation with a token may be answered. */
export const OPERATOR_PROBLEMS = {
  400: problem('A parameter is invalid; `errors` names it.'),
  401: problem('No valid operator token.'),
  403: problem('This is a callback token; or no token is set, and the Host is not known.'),
  503: problem('The store cannot be reached.'),
};

/** What a request with a body may be answered besides. */
export const BODY_PROBLEMS = {
  413: problem('The body has more than 256 KiB.'),
  415: problem('The body is not plain JSON in UTF-8.'),
};

export const idInPath = (name: string) => ({ name, in: 'path', required: true, schema: ID });

export function query(name: string, schema: object, description: string, isRequired = false): object {
  return { name, in: 'query', required: isRequired, schema, description };
}

/** Several words in one parameter, comma-separated. */
export function words(name: string, values: readonly string[], description: string): object {
  const schema = { type: 'array', minItems: 1, items: { type: 'string', enum: values } };
  return { ...query(name, schema, description), style: 'form', explode: false };
}

export const PAGING = [
  query('limit', { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT }, 'How many at most.'),
  query(
    'cursor',
    { type: 'string', minLength: 1, maxLength: 4_000, pattern: '^[A-Za-z0-9_-]+$' },
    '`next_cursor` of the page before; opaque, and none but that is taken.',
  ),
];

/** Which runs are meant, as a query. */
export const FILTER = [
  words('phase', PHASES, 'One phase or several.'),
  query('dag_id', DAG_PATTERN, 'Exact, or a glob where it holds `*` or `?`.'),
  query('failure_class', { type: 'string', enum: FailureClass.options }, 'Of the failure that is being retried.'),
  query('held', { type: 'boolean' }, 'Whether somebody has paused the run.'),
  query('reason', { $ref: '#/components/schemas/Reason' }, 'Why the run was given up.'),
  query('older_than', AGE, 'Since the first failure: `30m`, `2h`.'),
  query('newer_than', AGE, 'Since the first failure.'),
];
