import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { idProblem } from '../../src/core/run-key.ts';
import { DagsQuery } from '../../src/http/dags.ts';
import { EventsQuery } from '../../src/http/events.ts';
import { EXAMPLES } from '../../src/http/openapi-examples.ts';
import { ACTOR, ID } from '../../src/http/openapi-parts.ts';
import { SCHEMAS } from '../../src/http/openapi-schemas.ts';
import { Actor } from '../../src/http/operation-body.ts';
import { operatorRoutes } from '../../src/http/operator-routes.ts';
import { PolicyQuery, PolicyView } from '../../src/http/policy.ts';
import { RunsQuery } from '../../src/http/runs.ts';
import { StatsQuery } from '../../src/http/stats.ts';
import { createHarness } from '../engine/harness.ts';
import { type Serving, serve, TASK_FAILED } from './serve.ts';

const Json: z.ZodType<Record<string, unknown>> = z.record(z.string(), z.unknown());
const Document = z.object({
  openapi: z.literal('3.1.1'),
  info: z.object({ title: z.string(), version: z.literal('0.0.0-test') }),
  paths: z.record(z.string(), z.record(z.string(), Json)),
  components: z.object({ schemas: z.record(z.string(), Json), securitySchemes: z.record(z.string(), Json) }),
});

let http: Serving;
let text: string;
let document: z.infer<typeof Document>;
const { desk, timers } = createHarness();
const routes = operatorRoutes({
  desk,
  clock: timers,
  facts: { version: '0.0.0-test', mode: 'active', storeName: 'sqlite', startedAtMs: 0, publicUrl: null },
  health: async () => ({ status: 'unavailable', reason: 'unreachable' }),
});
beforeAll(async () => {
  http = await serve({ runs: desk.runs, routes });
  ({ text } = await http.get('/openapi.json'));
  document = Document.parse(JSON.parse(text));
});
afterAll(async () => {
  desk.changes.stop();
  await http.close();
});

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => ({ path, method })));

/** Ends an answer that would stay open. */
async function statusOf(method: string, path: string): Promise<{ status: number; text: string }> {
  if (!path.endsWith('/stream')) return await http.send({ method, path });
  return await http.send({ method: method === 'GET' ? 'HEAD' : method, path });
}

describe('the document', () => {
  test('names only routes that are served, and each of their methods', async () => {
    expect(operations().length).toBeGreaterThan(20);
    for (const { path, method } of operations()) {
      const concrete = path.replace('{dag_id}', 'etl').replace('{dag_run_id}', 'r');
      const got = await statusOf(method.toUpperCase(), concrete);
      expect([path, got.status]).not.toEqual([path, 405]);
      if (got.status === 404) expect(got.text).toContain('run_not_found');
      const other = await statusOf(method === 'get' ? 'DELETE' : 'GET', concrete);
      expect([path, other.status]).toEqual([path, 405]);
    }
  });

  test('names every route that takes an operator', () => {
    const named = operations().map(({ method, path }) => `${method} ${path}`);
    const served = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(served.length).toBeGreaterThan(15);
    expect(served.filter((one) => !named.includes(one))).toEqual([]);
  });

  test.each([
    ['/v1/runs', RunsQuery],
    ['/v1/dags', DagsQuery],
    ['/v1/events', EventsQuery],
    ['/v1/stats', StatsQuery],
    ['/v1/policy', PolicyQuery],
  ])('names the parameters of %s, and no others', (path, schema) => {
    const parameters = z.array(z.object({ name: z.string() })).parse(document.paths[path]?.['get']?.['parameters']);
    expect(parameters.map(({ name }) => name).sort()).toEqual(Object.keys(schema.shape).sort());
  });

  test.each(Object.entries(EXAMPLES))('shows a valid %s', (name, example) => {
    const schema = Object.entries(SCHEMAS).find(([known]) => known === name)?.[1];
    expect(schema?.safeParse(example).error?.issues).toBeUndefined();
    expect(schema).toBeDefined();
  });

  test('says of ids what is checked', () => {
    const pattern = new RegExp(ID.pattern, 'u');
    const isTold = (id: string) => id.length <= ID.maxLength && pattern.test(id) && !ID.not.enum.includes(id);
    const parts = fc.constantFrom(
      'a',
      '.',
      '..',
      '~',
      '/',
      '\\',
      '?',
      '#',
      '%',
      ' ',
      '\u00a0',
      '\n',
      '\u2028',
      '\u{1f600}',
      'constructor',
    );
    const ids = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(parts, { maxLength: 4 }).map((some) => some.join('')),
    );
    fc.assert(
      fc.property(
        ids.filter((id) => id.isWellFormed()),
        (id) => isTold(id) === (idProblem(id) === null),
      ),
      { numRuns: 2_000 },
    );
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

test('a name that the document allows is one that the service takes, and the other way round', () => {
  const pattern = new RegExp(ACTOR.pattern);
  for (let code = 1; code < 0xd800; code++) {
    const name = `a${String.fromCharCode(code)}b`;
    if (pattern.test(name) !== Actor.safeParse(name).success) expect.unreachable(`U+${code.toString(16)}`);
  }
});
