import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createConsole } from '../../src/console/console.ts';
import { type Serving, serve, TASK_FAILED } from './serve.ts';

let http: Serving;
beforeAll(async () => {
  http = await serve({ routes: createConsole().routes });
});
afterAll(() => http.close());

const PATHS = ['/', '/v1/runs', '/livez', '/readyz', '/metrics', '/openapi.json', '/nope'];

describe('every answer', () => {
  test.each(PATHS)('binds no browser to TLS for the whole host: %s', async (path) => {
    const { headers } = await http.get(path);
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['strict-transport-security']).toBeUndefined();
  });

  test('to a callback, neither', async () => {
    const { headers } = await http.post('/v1/callbacks/task-failed', TASK_FAILED);
    expect(headers['strict-transport-security']).toBeUndefined();
  });

  test.each(['/v1/runs', '/livez', '/readyz', '/metrics', '/nope'])(
    'of the moment is kept by nobody: %s',
    async (path) => {
      expect((await http.get(path)).headers['cache-control']).toBe('no-store');
    },
  );
});
