import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Stack, startStack } from './stack.ts';

let folder: string;
let stack: Stack;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-host-'));
  stack = await startStack([]);
});
afterEach(async () => {
  await stack.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a pause of everything is answered when the service is called by this name; fetch sets the Host itself. */
function pauseAs(url: string, host: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const headers = { host, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sending = request({ hostname, port, path: '/v1/pause', method: 'POST', headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sending.on('error', reject).end('{"actor":"mallory"}');
  });
}

test.each<[string, Record<string, string>, string, number]>([
  ['no tokens', {}, 'evil.example:8484', 403],
  ['no tokens', {}, 'localhost:8484', 200],
  ['no tokens behind a proxy', { DAGAIN_PUBLIC_URL: 'https://tools.example/dagain' }, 'tools.example', 200],
  ['no tokens behind a proxy', { DAGAIN_PUBLIC_URL: 'https://tools.example/dagain' }, 'evil.example', 403],
  ['no tokens on all addresses', { DAGAIN_HOST: '0.0.0.0', DAGAIN_ALLOW_ANONYMOUS: 'true' }, 'dagain.internal', 200],
  ['one token', { DAGAIN_CALLBACK_TOKEN: 'callback-token-0001' }, 'evil.example', 401],
])('a service with %s (%o) answers %s with %d', async (_what, settings, host, expected) => {
  const { url } = await stack.startApp({ DAGAIN_DATA_DIR: folder, ...settings });
  expect(await pauseAs(url, host)).toBe(expected);
});
