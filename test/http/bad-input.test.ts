import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_BODY_BYTES } from '../../src/http/body.ts';
import { BAD_INPUTS } from './bad-inputs.ts';
import { problemIn } from './problem.ts';
import { type Serving, serve, TASK_FAILED } from './serve.ts';

let http: Serving;
beforeAll(async () => {
  http = await serve();
});
afterAll(() => http.close());

describe('bad input', () => {
  test.each(BAD_INPUTS)('$name: $status $code', async ({ sent, status, code, field }) => {
    const got = await http.send(sent);
    const problem = problemIn(got);
    expect({ status: got.status, code: problem.code }).toEqual({ status, code });
    const fields = problem.errors?.map((error) => error.field) ?? [];
    if (field === null) expect(fields).toEqual([]);
    else expect(fields).toContain(field);
  });

  test('there is enough of it', () => {
    expect(BAD_INPUTS.length).toBeGreaterThan(200);
    expect(new Set(BAD_INPUTS.map(({ sent }) => JSON.stringify(sent))).size).toBe(BAD_INPUTS.length);
  });

  test('nothing of it was taken in, nothing of it was our fault, and the service still answers', async () => {
    expect(http.intake.reports).toEqual([]);
    expect(http.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    expect((await http.post('/v1/callbacks/task-failed', TASK_FAILED)).status).toBe(202);
    http.intake.reports.length = 0;
  });

  test('an answer says which methods there are', async () => {
    expect((await http.get('/v1/callbacks/task-failed')).headers.allow).toBe('POST');
    expect((await http.send({ method: 'DELETE', path: '/v1/runs' })).headers.allow).toBe('GET, HEAD');
  });

  test('a refused callback is logged once, as somebody waits for a retry that will not come', async () => {
    http.log.lines.length = 0;
    await http.post('/v1/callbacks/task-failed', { ...TASK_FAILED, map_index: 'x' });
    expect(http.log.lines).toMatchObject([
      { level: 'warn', fields: { code: 'invalid_body', errors: [{ field: 'map_index' }] } },
    ]);
  });

  test('what is missing is told from what is wrong', async () => {
    const got = await http.post('/v1/callbacks/task-failed', { dag_id: 1, exception: { type: 5 } });
    expect(problemIn(got)).toMatchObject({
      title: 'The body does not have the required form',
      detail: 'dag_id must be a string; task_id is required; exception.type must be a string',
      errors: [
        { field: 'dag_id', message: 'must be a string' },
        { field: 'task_id', message: 'is required' },
        { field: 'exception.type', message: 'must be a string' },
      ],
    });
  });

  test('all that is wrong is told at once, up to a limit', async () => {
    const got = await http.post('/v1/callbacks/task-failed', {
      dag_id: 1,
      dag_run_id: 2,
      task_id: 3,
      retry: { delay: 'x' },
    });
    expect(problemIn(got).errors?.map(({ field }) => field)).toEqual([
      'dag_id',
      'dag_run_id',
      'task_id',
      'retry.delay',
    ]);
    const keys = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`k${index}${'x'.repeat(20)}`, 1]));
    const many = await http.post('/v1/callbacks/task-failed', { ...TASK_FAILED, retry: keys });
    expect(problemIn(many).errors).toHaveLength(20);
    expect(many.text.length).toBeLessThan(4_000);
  });
});

test('a body may have exactly the largest size', async () => {
  const body = JSON.stringify(TASK_FAILED).padEnd(MAX_BODY_BYTES);
  expect((await http.post('/v1/callbacks/task-failed', body)).status).toBe(202);
});

test.each(['application/json; charset=utf-8', 'application/json;charset="UTF-8"', 'Application/JSON ; profile=x'])(
  'content type %s is taken',
  async (type) => {
    const got = await http.post('/v1/callbacks/task-failed', TASK_FAILED, { 'content-type': type });
    expect(got.status).toBe(202);
  },
);

describe('whatever JSON comes', () => {
  const field = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.string({ unit: 'binary' }), fc.double(), fc.constant(null));
  const body = fc.oneof(
    fc.jsonValue({ maxDepth: 6 }),
    fc.dictionary(fc.string(), field),
    fc.record(
      {
        dag_id: fc.oneof(fc.constant('etl'), field),
        dag_run_id: fc.oneof(fc.constant('r'), field),
        run_id: field,
        task_id: fc.oneof(fc.constant('t'), field),
        map_index: fc.oneof(fc.integer(), field),
        try_number: fc.oneof(fc.nat(), field),
        task_instance_id: field,
        exception: fc.oneof(fc.record({ type: field, message: field }), field),
        failed_at: fc.oneof(
          fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
          field,
        ),
        log_url: fc.oneof(fc.webUrl(), field),
        dag_run: fc.oneof(fc.record({ start_date: field, clear_number: field }), field),
        retry: fc.oneof(
          fc.record(
            { delay: field, max_retries: field, retries: field, retry_on: field, never_on: field },
            { requiredKeys: [] },
          ),
          field,
        ),
      },
      { requiredKeys: [] },
    ),
  );

  test.each(['task-failed', 'run-failed', 'run-succeeded'])('%s answers 202 or 400', async (name) => {
    await fc.assert(
      fc.asyncProperty(body, async (value) => {
        const got = await http.post(`/v1/callbacks/${name}`, JSON.stringify(value) ?? 'null');
        if (got.status === 202) return;
        expect(got.status).toBe(400);
        problemIn(got);
      }),
      { numRuns: 300 },
    );
  });

  test('so do any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const got = await http.post('/v1/callbacks/task-failed', bytes);
        expect(got.status).toBe(400);
        problemIn(got);
      }),
      { numRuns: 200 },
    );
  });

  test('and what is taken in can be stored and read back', async () => {
    for (const { event } of http.intake.reports) expect(JSON.parse(JSON.stringify(event))).toEqual(event);
    expect(http.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
