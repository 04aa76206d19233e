import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { startRedis } from '../support/redis-server.ts';
import { type Operated, startOperated, TOKEN } from './operated.ts';
import { dagain } from './run.ts';

let operated: Operated;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-refusals-'));
  operated = await startOperated();
});
afterAll(async () => {
  await operated.close();
  rmSync(folder, { recursive: true, force: true });
});

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const list = (settings: Record<string, string>) => dagain(['runs', 'list'], settings);
const failed = (code: number, ...lines: string[]) => ({ code, signal: null, out: '', err: `${lines.join('\n')}\n` });

describe('a service that is not there', () => {
  const advice = (source: string) =>
    `Is the service running, and is that its address (from: ${source})? Set DAGAIN_URL or --url.`;

  test('is named, with the setting that names it', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const line = `dagain: cannot reach dagain at ${url} (ECONNREFUSED)`;
    expect(await list({ DAGAIN_URL: url })).toEqual(failed(4, line, advice('DAGAIN_URL')));
    expect(await dagain(['runs', 'list', '--url', url], { DAGAIN_URL: 'http://127.0.0.1:1' })).toEqual(
      failed(4, line, advice('--url')),
    );
    expect(await list({ DAGAIN_PORT: String(port) })).toEqual(
      failed(4, line, advice('the default; DAGAIN_URL is not set')),
    );
  });

  test('and a name that nobody knows', async () => {
    const { code, err } = await list({ DAGAIN_URL: 'http://dagain.invalid:8484' });
    expect([code, err]).toEqual([
      4,
      expect.stringMatching(/^dagain: cannot reach dagain at http:\/\/dagain\.invalid:8484 \(E/),
    ]);
  });

  test.each([
    ['dagain:8484', 'DAGAIN_URL must be an address such as http://dagain:8484'],
    ['http://ada:secret@dagain:8484', 'DAGAIN_URL must hold no user, password, query or fragment'],
  ])('nor can be: %s', async (url, problem) => {
    expect(await list({ DAGAIN_URL: url })).toEqual(failed(2, `dagain: ${problem}`));
  });

  test.each(['x', '65536', '8484/x'])('nor can a port that is none: %s', async (port) => {
    const problem = `DAGAIN_PORT must be a port number, is ${JSON.stringify(port)}; or set DAGAIN_URL`;
    expect(await list({ DAGAIN_PORT: port })).toEqual(failed(2, `dagain: ${problem}`));
  });

  test('is the default port where Kubernetes has set DAGAIN_PORT for a Service of that name', async () => {
    const { err } = await list({ DAGAIN_PORT: 'tcp://10.0.0.7:8484' });
    expect(err).not.toContain('DAGAIN_PORT');
  });
});

describe('a token', () => {
  test('that is not set, or is another, is told of by the setting’s name, and never shown', async () => {
    expect(await list({ DAGAIN_URL: operated.url })).toEqual(
      failed(
        4,
        `dagain: ${operated.url} refuses the operator token (401)`,
        'Set DAGAIN_OPERATOR_TOKEN (or DAGAIN_OPERATOR_TOKEN_FILE): it is not set here.',
      ),
    );
    const wrong = await list({ DAGAIN_URL: operated.url, DAGAIN_OPERATOR_TOKEN: 'wrong-token-0001' });
    expect(wrong.code).toBe(4);
    expect(wrong.err).toContain('DAGAIN_OPERATOR_TOKEN is not the one that the service was started with');
    expect(wrong.err).not.toContain('wrong-token');
  });

  test('is the first of two, and may stand in a file', async () => {
    const settings = { DAGAIN_URL: operated.url };
    expect((await list({ ...settings, DAGAIN_OPERATOR_TOKEN: `${TOKEN},another-token-0001` })).code).toBe(0);
    const path = join(folder, 'token');
    writeFileSync(path, `${TOKEN}\n`);
    expect((await list({ ...settings, DAGAIN_OPERATOR_TOKEN_FILE: path })).code).toBe(0);
    expect(await list({ ...settings, DAGAIN_OPERATOR_TOKEN_FILE: join(folder, 'none') })).toEqual(
      failed(2, `dagain: DAGAIN_OPERATOR_TOKEN_FILE names ${join(folder, 'none')}, which cannot be read`),
    );
  });
});

describe('what answers there', () => {
  const problem = (status: number, code: string, detail: string): RequestListener => {
    return (_, response) => {
      response.writeHead(status, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ status, code, detail }));
    };
  };

  test.each<[string, RequestListener, number, RegExp]>([
    [
      'is another program',
      (_, response) => void response.end('<html>'),
      4,
      /answered \/v1\/runs.* in a form that is not/,
    ],
    ['has no such page', (_, response) => void response.writeHead(404).end('no'), 4, /answered 404\n.*is not dagain/],
    [
      'is older',
      problem(404, 'not_found', 'No.'),
      4,
      /has no such route\nWhat answers there is not dagain, or of another/,
    ],
    [
      'does not know the name that it is called by',
      problem(403, 'host_not_allowed', 'While no token is set, only some.'),
      4,
      /is not a name that the service knows: While no token is set, only some\.\nUse an address that it knows/,
    ],
    ['sends elsewhere', (_, response) => void response.writeHead(302, { location: '/login' }).end(), 4, /redirects/],
    ['has no store', problem(503, 'store_unavailable', 'It is away.'), 4, /could not do it: It is away\. \(503 store_/],
    [
      'fails',
      problem(500, 'internal_error', 'Logged.'),
      4,
      /could not do it: Logged\. \(500 internal_error\)\nTry again/,
    ],
    ['breaks off', (_, response) => response.writeHead(200).write('{', () => response.destroy()), 4, /cannot reach/],
  ])('%s', async (_what, listener, expected, said) => {
    const { code, out, err } = await list({ DAGAIN_URL: await serve(listener) });
    expect([code, out]).toEqual([expected, '']);
    expect(err).toMatch(said);
  });

  test('refuses what it does not understand, in its own words', async () => {
    const { code, err } = await operated.run('runs list --reason because');
    expect([code, err]).toEqual([
      2,
      expect.stringMatching(/^dagain: the service refused it: reason must be .*\(invalid_query\)\n$/),
    ]);
  });
});

test('a real service whose Redis is away', async () => {
  const redis = await startRedis();
  const cutOff = await startOperated({ DAGAIN_REDIS_URL: redis.url });
  try {
    expect((await cutOff.run('runs list')).code).toBe(0);
    await redis.stop();
    const { code, err } = await cutOff.run('runs list');
    expect([code, err]).toEqual([
      4,
      expect.stringMatching(/^dagain: the service could not do it: .* \(503 store_unavailable\)\n/),
    ]);
  } finally {
    await cutOff.close();
  }
});

test('a reader that has seen enough ends it without a word', async () => {
  const child = spawn(
    'bash',
    ['-o', 'pipefail', '-c', `"${process.execPath}" src/main.ts policy reference | head -1`],
    {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdout.resume();
  const [code] = await once(child, 'close');
  expect([code, err]).toEqual([0, '']);
});
