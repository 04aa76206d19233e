import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { ROOT } from '../docs/generated.ts';
import { freePort } from '../support/free-port.ts';
import { dagain, type Service, type Settings, startService } from './run.ts';

let folder: string;
let services: Service[];
let servers: { close(): Promise<void> }[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-cli-'));
  services = [];
  servers = [];
});
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.dispose()));
  await Promise.all(servers.splice(0).map((server) => server.close()));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileWith(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Nothing listens there: what is not about Airflow needs none. */
const NO_AIRFLOW = 'http://127.0.0.1:1';

async function start(settings: Settings): Promise<Service> {
  const service = await startService({ DAGAIN_AIRFLOW_URL: NO_AIRFLOW, ...settings });
  services.push(service);
  return service;
}

/** Takes connections on loopback and never answers, as an Airflow that hangs does. */
async function startSilent(): Promise<{ url: string; port: number; asked(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push({
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  const { port } = server.address() as AddressInfo;
  const asked = async () => {
    if (sockets.size === 0) await new Promise((resolve) => server.once('connection', resolve));
  };
  return { url: `http://127.0.0.1:${port}`, port, asked };
}

async function report(url: string): Promise<{ status: number; decision: unknown }> {
  const answer = await fetch(`${url}/v1/callbacks/task-failed`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ dag_id: 'etl', dag_run_id: 'manual__1', task_id: 'load' }),
  });
  const { decision } = z.looseObject({ decision: z.unknown() }).parse(await answer.json());
  return { status: answer.status, decision };
}

describe('serve refuses to start, says why in a line, and ends', () => {
  const refused = async (settings: Settings) => {
    const { code, out, err } = await dagain(['serve'], { DAGAIN_DATA_DIR: join(folder, 'data'), ...settings });
    // What is told to people goes to stderr; the log may hold more.
    for (const line of out.split('\n').slice(0, -1)) expect(JSON.parse(line)).toMatchObject({ service: 'dagain' });
    return { code, lines: err.trimEnd().split('\n') };
  };

  test('without an Airflow', async () => {
    expect(await refused({})).toEqual({
      code: 2,
      lines: ['dagain: DAGAIN_AIRFLOW_URL must be set, for example http://airflow:8080'],
    });
  });

  test('with bad settings, each in a line of its own', async () => {
    const { code, lines } = await refused({ DAGAIN_PORT: 'x', DAGAIN_PROT: '1', DAGAIN_HOST: '0.0.0.0' });
    expect(code).toBe(2);
    expect(lines).toEqual([
      'dagain: DAGAIN_PROT is not a setting of dagain; the nearest is DAGAIN_PORT',
      'dagain: DAGAIN_PORT must be a whole number, is "x"',
      expect.stringMatching(/^dagain: DAGAIN_HOST is 0\.0\.0\.0, which others can reach: set /),
    ]);
  });

  test.each([
    ['http://user:hunter2pass@airflow:8080', 'dagain: the address of Airflow must not hold a user name or password'],
    ['http://airflow:8080/?x=1', 'dagain: the address of Airflow must not hold a query or fragment'],
  ])('with the address %s', async (url, line) => {
    expect(await refused({ DAGAIN_AIRFLOW_URL: url })).toEqual({ code: 2, lines: [line] });
  });

  test('with a policy file that is missing or not valid', async () => {
    const missing = join(folder, 'missing.yaml');
    expect(await refused({ DAGAIN_AIRFLOW_URL: NO_AIRFLOW, DAGAIN_POLICY_FILE: missing })).toEqual({
      code: 2,
      lines: [`dagain: the policy file ${missing} cannot be read (ENOENT)`],
    });
    const bad = fileWith('bad.yaml', 'defaults:\n  max_retry: 1\n  dealy: 1\n');
    expect(await refused({ DAGAIN_AIRFLOW_URL: NO_AIRFLOW, DAGAIN_POLICY_FILE: bad })).toEqual({
      code: 2,
      lines: [
        `dagain: ${bad}:2: defaults.max_retry is not a known key; the nearest is "max_retries"`,
        `dagain: ${bad}:3: defaults.dealy is not a known key; the nearest is "delay"`,
      ],
    });
  });

  test('with a Redis that is not there', async () => {
    const port = await freePort();
    const settings = { DAGAIN_AIRFLOW_URL: NO_AIRFLOW, DAGAIN_REDIS_URL: `redis://:hunter2@127.0.0.1:${port}` };
    const { code, lines } = await refused(settings);
    expect([code, lines.length]).toEqual([1, 1]);
    expect(lines[0]).toMatch(new RegExp(`^dagain: .*Redis.*127\\.0\\.0\\.1:${port}`));
    expect(lines[0]).not.toContain('hunter2');
  });

  test('with a Redis that never answers', async () => {
    const { port } = await startSilent();
    const { code, lines } = await refused({
      DAGAIN_AIRFLOW_URL: NO_AIRFLOW,
      DAGAIN_REDIS_URL: `redis://127.0.0.1:${port}`,
    });
    expect([code, lines.length]).toEqual([1, 1]);
  });

  test('with a folder for its data that cannot be one', async () => {
    const file = fileWith('a-file', '');
    const { code, lines } = await refused({ DAGAIN_AIRFLOW_URL: NO_AIRFLOW, DAGAIN_DATA_DIR: join(file, 'data') });
    expect([code, lines.length]).toEqual([1, 1]);
    expect(lines[0]).toMatch(/^dagain: .*a-file/);
  });

  test.each(['sqlite', 'redis'])('with a port that is taken, on %s', async (store) => {
    const { port } = await startSilent();
    const redis = store === 'redis' ? { DAGAIN_REDIS_URL: inject('redisUrl'), DAGAIN_NAMESPACE: 'test-taken' } : {};
    expect(await refused({ DAGAIN_AIRFLOW_URL: NO_AIRFLOW, DAGAIN_PORT: String(port), ...redis })).toEqual({
      code: 2,
      lines: [`dagain: cannot listen on 127.0.0.1:${port} (DAGAIN_HOST, DAGAIN_PORT): it is taken (EADDRINUSE)`],
    });
  });

  test('with an address that is not its own', async () => {
    const settings = { DAGAIN_HOST: '192.0.2.1', DAGAIN_ALLOW_ANONYMOUS: 'true' };
    const { code, lines } = await refused({ DAGAIN_AIRFLOW_URL: NO_AIRFLOW, ...settings });
    expect([code, lines]).toEqual([2, [expect.stringMatching(/192\.0\.2\.1:8484 .*cannot be had \(EADDRNOTAVAIL\)$/)]]);
  });
});

describe('serve', () => {
  test('says where it listens, is ready though Airflow is not there, and ends with 0 on SIGTERM', async () => {
    const service = await start({});
    expect(service.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const ready = await fetch(`${service.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ status: 'ready', checks: { orchestrator: { ok: false } } });
    service.send('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 0, signal: null, err: '' });
    const about = ['no alert channel', 'listening', 'stopp'];
    const said = service.lines().map(({ msg }) => String(msg));
    expect(said.filter((line) => about.some((word) => line.startsWith(word)))).toEqual([
      'no alert channel is configured: give-ups show only in logs and metrics',
      `listening on ${service.url}`,
      'stopping: finishing what is in flight',
      'stopped',
    ]);
  });

  test('takes IPv6 and says so', async () => {
    expect((await start({ DAGAIN_HOST: '::1' })).url).toMatch(/^http:\/\/\[::1\]:\d+$/);
  });

  test('reads its policy again on SIGHUP, refuses a bad one, and goes on', async () => {
    const path = fileWith('policy.yaml', 'defaults: { max_retries: 1 }\n');
    const service = await start({ DAGAIN_POLICY_FILE: path });
    const maxRetries = async () => {
      const view = await (await fetch(`${service.url}/v1/policy?dag_id=etl`)).json();
      return z.looseObject({ policy: z.looseObject({ max_retries: z.looseObject({ value: z.int() }) }) }).parse(view)
        .policy.max_retries.value;
    };
    expect(await maxRetries()).toBe(1);
    fileWith('policy.yaml', 'defaults: { max_retries: 7 }\n');
    service.send('SIGHUP');
    await service.logged(({ msg }) => msg === 'policy file changed: the new policy is in force');
    expect(await maxRetries()).toBe(7);
    fileWith('policy.yaml', 'defaults: { max_retry: 9 }\n');
    service.send('SIGHUP');
    const line = await service.logged(({ msg }) => msg === 'policy file refused: the old policy stays in force');
    expect(line['detail']).toBe(`${path}:1: defaults.max_retry is not a known key; the nearest is "max_retries"`);
    expect(await maxRetries()).toBe(7);
  });

  test('ends although nobody reads its log any more', async () => {
    for (const isNoticed of [false, true]) {
      const service = await start({});
      service.stopReading();
      if (isNoticed) {
        // Refused callbacks are logged: enough of them to be written at once.
        for (let n = 0; n < 40; n += 1) await report(service.url);
        expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
      }
      service.send('SIGTERM');
      expect(await service.ended).toMatchObject({ code: 0, signal: null });
    }
  });

  test('keeps over a restart what it was told', async () => {
    const data = { DAGAIN_DATA_DIR: join(folder, 'kept') };
    const first = await start(data);
    expect(await report(first.url)).toEqual({ status: 202, decision: 'retry_scheduled' });
    first.send('SIGINT');
    expect(await first.ended).toMatchObject({ code: 0 });
    const second = await start(data);
    expect(await report(second.url)).toEqual({ status: 202, decision: 'already_scheduled' });
  });
});

test('the quick start of the README starts it', async () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, commands = ''] = /```sh\n((?:export .*\n)+npm start\n)```/.exec(readme) ?? [];
  const settings = { DAGAIN_PORT: '0', DAGAIN_DATA_DIR: join(folder, 'quick-start') };
  const child = spawn('sh', ['-c', commands], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], HOME: folder, ...settings },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const ended = once(child, 'close');
  let out = '';
  const isListening = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      if (out.includes('"listening on ')) resolve();
    });
  });
  await Promise.race([isListening, ended]);
  expect(out).toMatch(/"msg":"listening on http:\/\/127\.0\.0\.1:\d+"/);
  // npm and the shell are its parents: the signal goes to all of them, as Ctrl+C does.
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
  await ended;
  expect(out).toContain('"msg":"stopped"');
});

describe('stopping while Airflow takes connections and never answers', () => {
  async function hanging(): Promise<Service> {
    const airflow = await startSilent();
    const service = await start({ DAGAIN_AIRFLOW_URL: airflow.url });
    await report(service.url);
    await airflow.asked();
    return service;
  }

  test('ends with 0 within half a minute, and has kept the run', { timeout: 60_000 }, async () => {
    const service = await hanging();
    const startedAtMs = performance.now();
    service.send('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 0, signal: null, err: '' });
    expect(performance.now() - startedAtMs).toBeLessThan(30_000);
    expect(service.lines().map(({ msg }) => msg)).toContain('stopping: finishing what is in flight');
  });

  test.each([
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGTERM', 'SIGINT', 130],
    ['SIGINT', 'SIGTERM', 143],
  ] as const)('%s and then %s end at once', async (first, second, code) => {
    const service = await hanging();
    service.send(first);
    await service.logged(({ msg }) => msg === 'stopping: finishing what is in flight');
    const startedAtMs = performance.now();
    service.send(second);
    expect(await service.ended).toMatchObject({ code, signal: null });
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
  });
});
