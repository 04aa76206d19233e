import { afterEach, describe, expect, test } from 'vitest';
import { createConsole } from '../../src/console/console.ts';
import type { HttpAppDeps } from '../../src/http/app.ts';
import { problemIn } from './problem.ts';
import { type Serving, serve, TASK_FAILED } from './serve.ts';
import { talk } from './wire.ts';

let http: Serving | null = null;
afterEach(async () => {
  await http?.close();
  http = null;
});

async function serving(options: Partial<HttpAppDeps> = {}): Promise<Serving> {
  http = await serve({ knownHosts: ['dagain.example'], routes: createConsole().routes, ...options });
  return http;
}

const STRANGERS = [
  'evil.example:8484',
  'evil.example',
  'localhost.evil.example',
  '127.0.0.1.evil.example:8484',
  'dagain.example.evil.example',
  '10.0.0.1:8484',
  '0.0.0.0',
  '[::2]:8484',
  'localhost:8484:8484',
];
const KNOWN = [
  'localhost',
  'LocalHost:8484',
  '127.0.0.1:8484',
  '127.1.2.3',
  '[::1]:8484',
  'dagain.example',
  'DAGAIN.example:443',
];

describe('a service on loopback that needs no token', () => {
  test.each(STRANGERS)('does nothing for a page that calls it %s', async (host) => {
    const { post, get, intake, log } = await serving();
    const headers = { host, origin: `http://${host}` };
    const answers = [
      await post('/v1/callbacks/task-failed', TASK_FAILED, headers),
      await get('/v1/runs', headers),
      await get('/v1/nothing', headers),
      await get('/', headers),
      await get('/runs', headers),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(403);
      expect(problemIn(answer)).toMatchObject({ code: 'host_not_allowed' });
      expect(problemIn(answer).detail).toMatch(/DAGAIN_OPERATOR_TOKEN.*DAGAIN_PUBLIC_URL/);
    }
    expect(intake.reports).toEqual([]);
    // The failure was not taken: whoever runs the service must see that.
    expect(log.lines.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { code: 'host_not_allowed' } }]);
  });

  test.each(KNOWN)('is called %s', async (host) => {
    const { post, get } = await serving();
    expect((await post('/v1/callbacks/task-failed', TASK_FAILED, { host })).status).toBe(202);
    for (const path of ['/v1/runs', '/', '/openapi.json']) expect((await get(path, { host })).status).toBe(200);
  });

  test('lets anybody probe it', async () => {
    const { get } = await serving();
    for (const path of ['/livez', '/readyz', '/readyz?x', '/metrics']) {
      expect((await get(path, { host: 'evil.example' })).status).toBe(200);
    }
  });

  test('does nothing for a request without a Host', async () => {
    const { port } = await serving();
    expect((await talk(port, ['GET /v1/runs HTTP/1.0\r\n\r\n'])).text).toContain('host_not_allowed');
  });
});

describe.each<[string, Partial<HttpAppDeps>, number]>([
  ['has a token', { auth: { callbackTokens: [], operatorTokens: ['t'], webhookSecrets: [] } }, 200],
  ['takes anybody on another address', { knownHosts: null }, 200],
])('a service that %s', (_what, options, expected) => {
  test('may be called by any name', async () => {
    const { get } = await serving(options);
    const headers = { host: 'evil.example', authorization: 'Bearer t' };
    expect((await get('/v1/runs', headers)).status).toBe(expected);
  });
});
