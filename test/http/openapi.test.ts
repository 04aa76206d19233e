import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { resolvePolicy } from '../../src/core/resolve-policy.ts';
import type { Operations } from '../../src/engine/operations.ts';
import type { PolicySource } from '../../src/engine/policy-source.ts';
import { operationRoutes } from '../../src/http/operations.ts';
import { PolicyView, policyRoute } from '../../src/http/policy.ts';
import { type Serving, serve, TASK_FAILED } from './serve.ts';

const Json: z.ZodType<Record<string, unknown>> = z.record(z.string(), z.unknown());
const Document = z.object({
  openapi: z.literal('3.1.1'),
  info: z.object({ title: z.string(), version: z.literal('0.0.0-test') }),
  paths: z.record(z.string(), z.record(z.string(), Json)),
  components: z.object({ schemas: z.record(z.string(), Json), securitySchemes: z.record(z.string(), Json) }),
});

/** Enough of a source for the route to be there. */
const policies: PolicySource = {
  rulesFor: () => Promise.reject(new Error('not asked for here')),
  refresh: async () => true,
  explain: async () => ({ ...resolvePolicy([], {}, []), tagsKnown: true, tagProblems: [] }),
};

let http: Serving;
let text: string;
let document: z.infer<typeof Document>;
beforeAll(async () => {
  const operations: Operations = { act: () => Promise.reject(new Error('not asked for here')) };
  http = await serve({ routes: [policyRoute(policies), ...operationRoutes(operations)] });
  ({ text } = await http.get('/openapi.json'));
  document = Document.parse(JSON.parse(text));
});
afterAll(() => http.close());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ path, method })));

describe('the document', () => {
  test('names only routes that are served, and each of their methods', async () => {
    expect(operations().length).toBeGreaterThan(8);
    for (const { path, method } of operations()) {
      const concrete = path.replace('{dag_id}', 'etl').replace('{dag_run_id}', 'r');
      const got = await http.send({ method: method.toUpperCase(), path: concrete });
      expect([path, got.status]).not.toEqual([path, 405]);
      if (got.status === 404) expect(got.text).toContain('run_not_found');
      const other = await http.send({ method: method === 'get' ? 'DELETE' : 'GET', path: concrete });
      expect([path, other.status]).toEqual([path, 405]);
    }
  });

  test('has no reference that leads nowhere', () => {
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(references.length).toBeGreaterThan(10);
    for (const reference of references) {
      const steps = reference.replace('#/', '').split('/');
      expect([
        reference,
        steps.reduce<unknown>((value, step) => Json.safeParse(value).data?.[step], document),
      ]).not.toEqual([reference, undefined]);
    }
    expect(text).not.toContain('"$id"');
  });

  test('describes what a callback must and may hold', () => {
    const { TaskFailedBody, PolicyLayer } = document.components.schemas;
    expect(TaskFailedBody?.['required']).toEqual(['dag_id', 'task_id']);
    expect(Json.parse(TaskFailedBody?.['properties'])['retry']).toMatchObject({
      anyOf: [{ $ref: '#/components/schemas/PolicyLayer' }, { type: 'null' }],
    });
    expect(Json.parse(PolicyLayer?.['properties'])).toHaveProperty('delay');
    expect(PolicyLayer?.['additionalProperties']).toBe(false);
  });

  test('describes what is answered', async () => {
    const policy = await http.get('/v1/policy?dag_id=etl');
    expect(PolicyView.parse(JSON.parse(policy.text))).toMatchObject({ dag_id: 'etl', tags_known: true });
    const { CallbackAnswer } = document.components.schemas;
    const got = await http.post('/v1/callbacks/task-failed', TASK_FAILED);
    expect(Object.keys(Json.parse(CallbackAnswer?.['properties']))).toEqual(
      Object.keys(Json.parse(JSON.parse(got.text))),
    );
  });
});
