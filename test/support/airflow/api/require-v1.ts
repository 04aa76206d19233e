import type { z } from 'zod';
import type { Run } from '../model/run-state.ts';
import { problem } from './errors.ts';
import type { JsonObject } from './json-body.ts';
import { type Call, keyOf } from './routing.ts';

/** A 400, with a text as marshmallow or the specification's check would give it. */
export function badRequest(call: Call, detail: string): never {
  return problem(call.model.traits.release, { status: 400, title: 'Bad Request', detail });
}

/** Airflow 2 says what is missing in the title, in words of each endpoint's own. */
export function requireRun(call: Call, describe: (dagRunId: string, dagId: string) => string): Run {
  const { dagId, dagRunId } = keyOf(call);
  const { release } = call.model.traits;
  return call.model.run({ dagId, dagRunId }) ?? problem(release, { status: 404, title: describe(dagRunId, dagId) });
}

export function requireObject(call: Call): JsonObject {
  if (call.body.type === 'object') return call.body.value;
  const { release } = call.model.traits;
  if (call.body.type === 'none') return badRequest(call, 'Request body must not be empty');
  if (call.body.type === 'broken') return badRequest(call, 'Request body is not valid JSON');
  return problem(release, { status: 415, title: 'Unsupported Media Type', isGeneric: true });
}

/** The specification's check of types comes first, that of unknown names later: after the run was looked for. */
export function checkTypes<S extends z.ZodType>(call: Call, schema: S, input: JsonObject): z.infer<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = issue?.path.join('.') ?? '';
  const expected = issue?.code === 'invalid_type' ? issue.expected : 'valid';
  return badRequest(call, `${JSON.stringify(input[name])} is not of type '${expected}' - '${name}'`);
}

export function refuseUnknown(call: Call, schema: z.ZodObject, input: JsonObject): void {
  const unknown = Object.keys(input).filter((name) => !(name in schema.shape));
  if (unknown.length === 0) return;
  badRequest(call, `{${unknown.map((name) => `'${name}': ['Unknown field.']`).join(', ')}}`);
}

export function readTime(call: Call, text: string): number {
  // A `+` that was not encoded arrives as a space; Airflow 2 knows that.
  const timeMs = Date.parse(text.trim().replace(' ', '+'));
  if (!Number.isNaN(timeMs)) return timeMs;
  const { release } = call.model.traits;
  return problem(release, { status: 400, title: 'Incorrect datetime argument', detail: `Invalid date: ${text}` });
}

/** Any parameter that the specification does not name is a 400. */
export function refuseUnknownQuery(call: Call, known: readonly string[]): void {
  const extra = [...new Set(call.query.keys())].filter((name) => !known.includes(name));
  if (extra.length > 0) badRequest(call, `Extra query parameter(s) ${extra.join(', ')} not in spec`);
}

const MAX_LIMIT = 100;

export function pageOf(call: Call): { limit: number; offset: number } {
  const read = (name: string, fallback: number) => {
    const text = call.query.get(name) ?? String(fallback);
    if (!/^-?\d+$/.test(text)) badRequest(call, `Wrong type, expected 'integer' for query parameter '${name}'`);
    return Number(text);
  };
  const limit = read('limit', MAX_LIMIT);
  if (limit < 0) problem(call.model.traits.release, { status: 400, title: 'Page limit must be a positive integer' });
  return { limit: limit === 0 ? MAX_LIMIT : Math.min(limit, MAX_LIMIT), offset: read('offset', 0) };
}
