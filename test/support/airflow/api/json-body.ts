import { z } from 'zod';
import { refuse } from './errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

const JsonObject = z.record(z.string(), z.unknown());

export type ReadBody =
  | { readonly type: 'none' }
  | { readonly type: 'object'; readonly value: JsonObject }
  | { readonly type: 'other'; readonly value: unknown }
  | { readonly type: 'broken' };

export function readBody(text: string, contentType: string | undefined): ReadBody {
  if (text === '') return { type: 'none' };
  if (contentType?.includes('json') !== true) return { type: 'other', value: text };
  try {
    const value: unknown = JSON.parse(text);
    const object = Array.isArray(value) ? null : JsonObject.safeParse(value);
    return object?.success === true ? { type: 'object', value: object.data } : { type: 'other', value };
  } catch {
    return { type: 'broken' };
  }
}

/** The body as an object, or FastAPI's 422. */
export function requireObject(body: ReadBody): JsonObject {
  switch (body.type) {
    case 'object':
      return body.value;
    case 'none':
      return refuse(422, [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }]);
    case 'broken': {
      const ctx = { error: 'Expecting value' };
      return refuse(422, [{ type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error', input: {}, ctx }]);
    }
    case 'other': {
      const msg = 'Input should be a valid dictionary or object to extract fields from';
      return refuse(422, [{ type: 'model_attributes_type', loc: ['body'], msg, input: body.value }]);
    }
  }
}
