import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import { runDoctor } from '../../src/cli/doctor.ts';
import {
  alertsCheck,
  type CheckedState,
  callbackAuthCheck,
  policyFileCheck,
  redisClockCheck,
  storeCheck,
} from '../../src/cli/doctor-checks.ts';
import { serviceCheck } from '../../src/cli/doctor-service.ts';
import { readEnvironment } from '../../src/config/environment.ts';
import { DagainError } from '../../src/core/errors.ts';
import { type Check, type Finding, fail, ok, warn } from '../../src/core/finding.ts';
import { createAirflowModel } from '../support/airflow/model/model.ts';
import { serveAirflow } from '../support/airflow/serve.ts';
import { createRealTimers } from '../support/timers.ts';
import { dagain } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'dagain-doctor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const check = (name: string, run: Check['run']): Check => ({ name, run });

async function run(checks: readonly Check[], { asJson = false, timeoutMs = 1_000 } = {}) {
  const out: string[] = [];
  const terminal = { out: (text: string) => void out.push(text), err: () => expect.unreachable() };
  const code = await runDoctor({ checks, asJson, terminal, timeoutMs });
  return { code, out: out.join('') };
}

describe('runDoctor', () => {
  test('prints a row for each check, and what to do under what is not in order', async () => {
    const { code, out } = await run([
      check('store', async () => ok('fine')),
      check('audit log', async () => warn('not allowed', 'Allow it.')),
      check('clear', async () => fail('refused', 'Give a role.')),
    ]);
    expect(code).toBe(1);
    expect(out.split('\n')).toEqual([
      'check      result  found',
      'store      ok      fine',
      'audit log  warn    not allowed',
      '                   -> Allow it.',
      'clear      fail    refused',
      '                   -> Give a role.',
      '',
      '1 ok, 1 to look at, 1 failed',
      '',
    ]);
  });

  test('as JSON the same', async () => {
    const { code, out } = await run([check('store', async () => ok('fine')), check('x', async () => warn('w', 'r'))], {
      asJson: true,
    });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      ok: 1,
      warnings: 1,
      failures: 0,
      checks: [
        { check: 'store', result: 'ok', found: 'fine', remedy: null },
        { check: 'x', result: 'warn', found: 'w', remedy: 'r' },
      ],
    });
  });

  test('no check hides another: one hangs, one throws, one rejects', async () => {
    const thrown = () => {
      throw new TypeError('hunter2');
    };
    const { code, out } = await run(
      [
        check('hangs', () => new Promise<Finding>(() => {})),
        check('throws', thrown),
        check('rejects', () => Promise.reject(new DagainError('store_unavailable', 'Redis is out'))),
        check('odd', () => Promise.reject('hunter2')),
        check('last', async () => ok('reached')),
      ],
      { timeoutMs: 20 },
    );
    expect(code).toBe(1);
    expect(out).toMatch(/^hangs {4}fail {4}no answer within 0\.02 s$/m);
    expect(out).toMatch(/^throws {3}fail {4}the check broke \(TypeError\)$/m);
    expect(out).toMatch(/^rejects {2}fail {4}Redis is out$/m);
    expect(out).toMatch(/^last {5}ok {6}reached$/m);
    expect(out).not.toContain('hunter2');
  });

  test('what others say cannot forge lines or colours', async () => {
    const { out } = await run([check('airflow', async () => fail('a\nstore  ok\u001b[31m', 'b\r\nc'))]);
    expect(out).toContain('airflow  fail    a store ok [31m\n');
    expect(out).toContain('-> b c\n');
  });
});

describe('the store', () => {
  const state =
    (fields: Partial<CheckedState['store']> = {}, readTime: CheckedState['readTime'] = null) =>
    async () => ({
      name: 'redis',
      store: { ping: async () => {}, warnings: async () => [], ...fields },
      readTime,
    });
  const out = () => Promise.reject(new DagainError('store_unavailable', 'Redis does not serve'));

  test('serves', async () => {
    expect(await storeCheck(state()).run()).toEqual(ok('redis, takes writes'));
  });

  test.each([
    ['cannot be opened', out],
    ['takes no writes', state({ ping: out })],
  ])('%s', async (_name, openState) => {
    expect(await storeCheck(openState).run()).toMatchObject({
      result: 'fail',
      found: 'Redis does not serve',
      remedy: expect.stringContaining('DAGAIN_REDIS_URL'),
    });
  });

  test('may lose what it holds', async () => {
    const warnings = async () => ['Redis forgets runs when memory is full.', 'Redis keeps nothing on disk.'];
    expect(await storeCheck(state({ warnings })).run()).toMatchObject({
      result: 'warn',
      found: expect.stringContaining('memory is full. Redis keeps nothing on disk.'),
    });
  });

  test.each([
    [4_000, 'ok', 'agrees with ours'],
    [-4_000, 'ok', 'agrees with ours'],
    [90_000, 'warn', '90 s ahead of ours'],
    [-90_000, 'warn', '90 s behind ours'],
  ])('its clock, off by %i ms: %s', async (offMs, result, found) => {
    const clock = redisClockCheck(
      state({}, async () => 1_000_000 + offMs),
      () => 1_000_000,
    );
    expect(await clock.run()).toMatchObject({ result, found });
  });

  test('its clock cannot be read', async () => {
    expect(await redisClockCheck(out, Date.now).run()).toMatchObject({
      result: 'warn',
      remedy: expect.stringContaining('store'),
    });
  });
});

describe('callback auth', () => {
  const TOKENS = { DAGAIN_CALLBACK_TOKEN: 'callback-hunter2', DAGAIN_OPERATOR_TOKEN: 'operator-hunter2' };
  test.each([
    [{}, 'ok', 'this machine only'],
    [{ ...TOKENS, DAGAIN_HOST: '0.0.0.0' }, 'ok', 'are protected; listens on 0.0.0.0'],
    [{ DAGAIN_HOST: '0.0.0.0', DAGAIN_ALLOW_ANONYMOUS: 'true' }, 'warn', 'callbacks and operations take anybody'],
    [
      { DAGAIN_HOST: '0.0.0.0', DAGAIN_ALLOW_ANONYMOUS: 'true', DAGAIN_WEBHOOK_SECRET: 'hunter2-secret' },
      'warn',
      'operations are refused: other tokens are set, and none for them',
    ],
    [
      { DAGAIN_OPERATOR_TOKEN: 'operator-hunter2' },
      'warn',
      'callbacks are refused: other tokens are set, and none for them',
    ],
  ])('%j: %s', async (variables, result, found) => {
    const finding = await callbackAuthCheck(readEnvironment(variables)).run();
    expect(finding).toMatchObject({ result, found: expect.stringContaining(found) });
    expect(JSON.stringify(finding)).not.toContain('hunter2');
  });
});

describe('the policy file', () => {
  const fileWith = (name: string, text: string) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };

  test('need not be', async () => {
    expect((await policyFileCheck(undefined, []).run()).result).toBe('ok');
  });

  test('is valid', async () => {
    const path = fileWith(
      'good.yaml',
      'defaults: { alert_channels: [slack] }\ndags: [{ match: "x", max_retries: 1 }]\n',
    );
    expect(await policyFileCheck(path, ['slack']).run()).toEqual(ok(`${path}: valid, 1 entries under dags`));
    expect(await policyFileCheck(path, []).run()).toMatchObject({
      result: 'warn',
      found: expect.stringContaining('slack'),
    });
  });

  test('is not: its problems come with their lines, the first few of them', async () => {
    const path = fileWith('bad.yaml', 'defaults:\n  max_retrys: 1\n  delay: x\n  jitter: y\n  gate: z\n  backoff: w\n');
    const finding = await policyFileCheck(path, []).run();
    expect(finding).toMatchObject({ result: 'fail', remedy: expect.stringContaining(`dagain policy check ${path}`) });
    expect(finding.found).toContain(`${path}:2: `);
    expect(finding.found).toMatch(/; and 2 more$/);
  });

  test('is not there', async () => {
    expect(await policyFileCheck(join(folder, 'none.yaml'), []).run()).toMatchObject({
      result: 'fail',
      found: expect.stringMatching(/ENOENT$/),
      remedy: expect.stringContaining('DAGAIN_POLICY_FILE'),
    });
  });
});

test('alerts: a channel, or a warning', async () => {
  expect(await alertsCheck(['slack', 'email']).run()).toMatchObject({ result: 'ok' });
  expect(await alertsCheck([]).run()).toMatchObject({
    result: 'warn',
    remedy: expect.stringContaining('DAGAIN_SLACK'),
  });
});

describe('a service on the port', () => {
  async function serving(answer: RequestListener): Promise<number> {
    const server = createServer(answer);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  const ready =
    (status: string, isUp: boolean): RequestListener =>
    (_request, response) => {
      const checks = {
        store: { ok: true, required: true, detail: 'answers' },
        orchestrator: { ok: isUp, required: false, detail: 'timed_out' },
      };
      response.writeHead(status === 'ready' ? 200 : 503).end(JSON.stringify({ status, checks }));
    };

  test.each([
    ['ready', ready('ready', true), 'ok', 'ready at'],
    ['ready, but without Airflow', ready('ready', false), 'fail', 'orchestrator: timed_out'],
    ['closing', ready('closing', true), 'fail', 'closing at'],
    ['something else', ((_request, response) => response.end('hello')) as RequestListener, 'fail', 'is not dagain'],
  ] as const)('%s', async (_name, answer, result, found) => {
    const finding = await serviceCheck('0.0.0.0', await serving(answer)).run();
    expect(finding).toMatchObject({ result, found: expect.stringContaining(found) });
  });

  test('breaks off', async () => {
    const port = await serving((request) => request.socket.destroy());
    expect(await serviceCheck('127.0.0.1', port).run()).toMatchObject({
      result: 'fail',
      found: expect.stringContaining('does not answer'),
    });
  });

  test('none runs yet', async () => {
    const port = await serving(() => {});
    await new Promise((resolve) => servers.pop()?.close(resolve));
    expect(await serviceCheck('127.0.0.1', port).run()).toMatchObject({
      result: 'ok',
      found: expect.stringContaining('none runs'),
    });
    expect(await serviceCheck('127.0.0.1', 0).run()).toMatchObject({ result: 'ok' });
  });
});

describe('as a command', () => {
  test('over a real process, with -o json, on a Redis of its own', async () => {
    const timers = createRealTimers();
    const model = createAirflowModel({ version: '3.3', timers, dags: [{ dagId: 'etl', tasks: [{ taskId: 'load' }] }] });
    const airflow = await serveAirflow({ model });
    const settings = {
      DAGAIN_AIRFLOW_URL: airflow.url,
      DAGAIN_AIRFLOW_USERNAME: 'admin',
      DAGAIN_AIRFLOW_PASSWORD: 'admin',
      DAGAIN_REDIS_URL: inject('redisUrl'),
      DAGAIN_NAMESPACE: 'doctor',
      DAGAIN_PORT: '0',
    };
    try {
      const { code, out, err } = await dagain(['doctor', '-o', 'json'], settings);
      expect([code, err]).toEqual([0, '']);
      const results = Object.fromEntries(Rows.parse(JSON.parse(out)).checks.map((row) => [row.check, row.result]));
      expect(results).toMatchObject({
        airflow: 'ok',
        credentials: 'ok',
        'read runs': 'ok',
        'audit log': 'ok',
        // No run has ended.
        'clear runs': 'warn',
        "redis's clock": 'ok',
        alerts: 'warn',
      });
      const wrong = await dagain(['doctor'], { ...settings, DAGAIN_AIRFLOW_PASSWORD: 'hunter2' });
      expect(wrong.code).toBe(1);
      expect(wrong.out).toContain('-> Check DAGAIN_AIRFLOW_USERNAME and DAGAIN_AIRFLOW_PASSWORD');
      expect(wrong.out + wrong.err).not.toContain('hunter2');
    } finally {
      await airflow.close();
      timers.stop();
    }
  }, 30_000);

  test.each([
    [['doctor', 'now'], {}, 'doctor takes no arguments'],
    [['doctor', '-o', 'yaml'], {}, '--output must be text or json'],
    [['doctor'], { DAGAIN_PORT: 'x' }, 'DAGAIN_PORT must be a whole number, is "x"'],
  ])('%j with %j ends with 2', async (args, settings, problem) => {
    const { code, out, err } = await dagain(args, settings);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(`dagain: ${problem}`);
  });
});

const Rows = z.object({ checks: z.array(z.object({ check: z.string(), result: z.string() })) });
