import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { traceIdOf } from '../../src/app/trace-export.ts';
import { openTracing, type TracingEnvironment } from '../../src/app/tracing.ts';
import { DagainError } from '../../src/core/errors.ts';
import { createFakeLog } from '../http/serve.ts';
import { type DagDefinition, fail, succeed } from '../support/airflow/model/dag-definition.ts';
import { freePort } from '../support/free-port.ts';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from './otlp-receiver.ts';
import { type Stack, startStack, until, viewOf } from './stack.ts';

const DAGS: readonly DagDefinition[] = [
  { dagId: 'twice', tasks: [{ taskId: 'load', script: [fail({ durationMs: 30 }), succeed(30)] }] },
  { dagId: 'for_ever', tasks: [{ taskId: 'load', script: [fail({ durationMs: 30 })] }] },
];
const RUN_ID = 'manual__2026-01-01T00:00:00+00:00';
const CALLER = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) };
const QUICK = {
  OTEL_EXPORTER_OTLP_ENDPOINT: undefined,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: undefined,
  OTEL_TRACES_EXPORTER: 'otlp',
  OTEL_SDK_DISABLED: 'false',
  OTEL_TRACES_SAMPLER: 'parentbased_always_on',
  OTEL_TRACES_SAMPLER_ARG: '1',
} satisfies TracingEnvironment;

let stack: Stack;
let receiver: OtlpReceiver;
let folder: string;
const cleanUps: (() => unknown)[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-tracing-'));
  receiver = await startOtlpReceiver();
  stack = await startStack(DAGS);
});
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  await stack.close();
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

/** For what the exporter reads itself. */
function setVariable(name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  cleanUps.push(() => {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  });
}

const ofRun = (dagId: string) => receiver.spans.filter(({ fields }) => fields['dagain.dag_id'] === dagId);
const named = (spans: readonly ReceivedSpan[], name: string) => spans.filter((span) => span.name === name);

function report(url: string, dagId: string, headers: Readonly<Record<string, string>> = {}, more: object = {}) {
  const body = { dag_id: dagId, dag_run_id: RUN_ID, task_id: 'load', task_instance_id: 'one', ...more };
  return fetch(`${url}/v1/callbacks/task-failed`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

/** Starts the service, lets one Dag run to its end, stops the service, which sends what is left. */
async function tellStory(dagId: string, settings: Readonly<Record<string, string>> = {}) {
  const all = { DAGAIN_DATA_DIR: folder, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, DAGAIN_MAX_RETRIES: '1' };
  const { app, url } = await stack.startApp({ ...all, ...settings });
  stack.sendCallbacksTo(url, settings['DAGAIN_CALLBACK_TOKEN']);
  const key = { dagId, dagRunId: RUN_ID };
  stack.model.trigger(key);
  await until(() => stack.model.clearsOf(key).length === 1);
  if (dagId === 'twice') await until(async () => (await viewOf(url, key)) === null);
  else await until(() => stack.alerts.some((alert) => alert.dag_id === dagId));
  await app.stop();
}

describe('the story of a run', () => {
  test('is one trace from callback to clear, every span in its place', async () => {
    await tellStory('twice');
    const spans = ofRun('twice');
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    const names = new Set(spans.map(({ name }) => name));
    for (const name of [
      'POST /v1/callbacks/task-failed',
      'dagain.swap',
      'dagain.step',
      'dagain.look',
      'dagain.clear',
    ]) {
      expect(names).toContain(name);
    }
    const byId = new Map(receiver.spans.map((span) => [span.spanId, span]));
    const parentOf = ({ parentId }: ReceivedSpan) => byId.get(parentId)?.name;
    expect(receiver.spans.filter((span) => span.parentId !== '' && parentOf(span) === undefined)).toEqual([]);
    expect(named(spans, 'dagain.clear').map(parentOf)).toEqual(['dagain.step']);
    expect(named(spans, 'dagain.swap').map(parentOf)).toContain('POST /v1/callbacks/task-failed');
    expect(named(spans, 'dagain.step').map(parentOf)).toEqual(named(spans, 'dagain.step').map(() => undefined));
    for (const { startMs, endMs } of receiver.spans) expect(endMs).toBeGreaterThanOrEqual(startMs);
    for (const span of receiver.spans) {
      const around = byId.get(span.parentId);
      if (around !== undefined) expect(span.startMs).toBeGreaterThanOrEqual(around.startMs - 1);
    }
  });

  test('says what was decided and why, and which requests were sent', async () => {
    await tellStory('twice');
    const [callback] = named(ofRun('twice'), 'POST /v1/callbacks/task-failed');
    expect(callback?.kind).toBe(2);
    expect(callback?.fields).toMatchObject({
      'http.request.method': 'POST',
      'http.route': '/v1/callbacks/task-failed',
      'http.response.status_code': 202,
      'dagain.dag_run_id': RUN_ID,
      'dagain.decision': 'retry_scheduled',
    });
    const swaps = named(ofRun('twice'), 'dagain.swap');
    expect(swaps.map(({ fields }) => fields['dagain.reason'])).toEqual(expect.arrayContaining(['run_succeeded']));
    expect(named(ofRun('twice'), 'dagain.clear')[0]?.fields).toMatchObject({ 'dagain.outcome': 'accepted' });
    const [clear] = named(ofRun('twice'), 'dagain.clear');
    const requests = receiver.spans.filter(({ parentId }) => parentId === clear?.spanId);
    expect(requests).toMatchObject([
      {
        name: 'POST',
        kind: 3,
        fields: { 'server.address': '127.0.0.1', 'http.request.method': 'POST', 'http.response.status_code': 200 },
      },
    ]);
    expect(receiver.spans.every(({ resource }) => resource['service.name'] === 'dagain')).toBe(true);
    expect(receiver.requests[0]?.path).toBe('/v1/traces');
  });

  test('an alert is part of it, an error where it was not accepted', async () => {
    await tellStory('for_ever');
    const alerts = named(ofRun('for_ever'), 'dagain.alert');
    expect(alerts.at(-1)).toMatchObject({
      isError: false,
      fields: { 'dagain.outcome': 'accepted', 'dagain.alert': 'gave_up', 'dagain.reason': 'max_retries_reached' },
    });
    expect(new Set(ofRun('for_ever').map(({ traceId }) => traceId)).size).toBe(1);
  });

  test('is the same trace on two replicas, though nothing of it is stored', async () => {
    const other = await startOtlpReceiver();
    cleanUps.push(() => other.close());
    const shared = { DAGAIN_REDIS_URL: inject('redisUrl'), DAGAIN_NAMESPACE: `test-${randomUUID()}` };
    stack.model.trigger({ dagId: 'for_ever', dagRunId: RUN_ID });
    const settings = { ...shared, DAGAIN_RETRY_DELAY: '1h' };
    const first = await stack.startApp({ ...settings, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    const second = await stack.startApp({ ...settings, OTEL_EXPORTER_OTLP_ENDPOINT: `${other.url}/` });
    for (const { url } of [first, second, first, second]) expect((await report(url, 'for_ever')).status).toBe(202);
    await Promise.all([first.app.stop(), second.app.stop()]);
    const callbacks = [receiver, other].map(({ spans }) => named(spans, 'POST /v1/callbacks/task-failed'));
    expect(callbacks.map((spans) => spans.length)).toEqual([2, 2]);
    expect(new Set(callbacks.flat().map(({ traceId }) => traceId)).size).toBe(1);
  });

  test('links to the caller, where he says who he is', async () => {
    const { app, url } = await stack.startApp({ DAGAIN_DATA_DIR: folder, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    const traceparent = `00-${CALLER.traceId}-${CALLER.spanId}-01`;
    await report(url, 'for_ever', { traceparent });
    for (const bad of [
      '00-x',
      `ff-${CALLER.traceId}-${CALLER.spanId}-01`,
      `00-${'0'.repeat(32)}-${CALLER.spanId}-01`,
    ]) {
      await report(url, 'for_ever', { traceparent: bad });
    }
    await app.stop();
    const [first, ...rest] = named(receiver.spans, 'POST /v1/callbacks/task-failed').sort(
      (a, b) => a.startMs - b.startMs,
    );
    expect(first).toMatchObject({ links: [CALLER], fields: { 'dagain.traceparent': traceparent } });
    expect(first?.traceId).not.toBe(CALLER.traceId);
    expect(rest.map(({ links, fields }) => [links.length, fields['dagain.traceparent']])).toEqual([
      [0, undefined],
      [0, undefined],
      [0, undefined],
    ]);
  });

  test('a callback that is refused says why, and is no error of the service', async () => {
    const { app, url } = await stack.startApp({ DAGAIN_DATA_DIR: folder, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    expect((await report(url, 'a/b')).status).toBe(400);
    await app.stop();
    expect(named(receiver.spans, 'POST /v1/callbacks/task-failed')).toMatchObject([
      { isError: false, fields: { 'http.response.status_code': 400, 'dagain.reason': 'invalid_body' } },
    ]);
  });

  test('holds no secret and nothing that people or tasks have written', async () => {
    setVariable('OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer%20collector-token');
    const token = 'callback-token-that-nobody-may-see';
    const settings = { DAGAIN_CALLBACK_TOKEN: token, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
    const { app, url } = await stack.startApp({ DAGAIN_DATA_DIR: folder, ...settings });
    const exception = { type: 'OperationalError', message: 'password=hunter2' };
    const answer = await report(url, 'for_ever', { authorization: `Bearer ${token}` }, { exception });
    expect(answer.status).toBe(202);
    await report(url, 'for_ever', { authorization: 'Bearer wrong-token-of-somebody' });
    await app.stop();
    expect(receiver.requests[0]?.headers.authorization).toBe('Bearer collector-token');
    const sent = Buffer.concat(receiver.requests.map(({ body }) => body)).toString('latin1');
    expect(sent).toContain('for_ever');
    for (const secret of [token, 'wrong-token', 'hunter2', 'collector-token', 'Bearer'])
      expect(sent).not.toContain(secret);
  });
});

describe('the exporter', () => {
  const story = { dagId: 'etl', dagRunId: RUN_ID, firstFailedAtMs: 1_800_000_000_000 };

  async function open(environment: Partial<TracingEnvironment>) {
    const log = createFakeLog();
    const tracing = await openTracing({ environment: { ...QUICK, ...environment }, log, version: '1.2.3' });
    const tell = (count = 1, error: unknown = null) =>
      Promise.all(
        Array.from({ length: count }, () =>
          tracing?.tracer
            .span('told', { 'dagain.dag_id': 'etl' }, async (span) => {
              span.belongsTo(story);
              if (error !== null) throw error;
            })
            .catch(() => undefined),
        ),
      );
    return { tracing, log, tell };
  }

  test.each([
    ['no endpoint', {}],
    ['the SDK disabled', { OTEL_SDK_DISABLED: 'TRUE', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }],
    ['no exporter', { OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }],
  ])('is not there with %s', async (_what, environment) => {
    expect((await open(environment)).tracing).toBeNull();
  });

  test('takes the endpoint of traces as it is, the resource and the name from the usual variables', async () => {
    setVariable('OTEL_SERVICE_NAME', 'retries');
    setVariable('OTEL_RESOURCE_ATTRIBUTES', 'deployment.environment.name=prod');
    const { tracing, tell } = await open({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/custom`,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    });
    await tell();
    await tracing?.close();
    expect(receiver.requests.map(({ path }) => path)).toEqual(['/custom']);
    expect(receiver.spans).toMatchObject([
      {
        traceId: traceIdOf(story),
        resource: { 'service.name': 'retries', 'service.version': '1.2.3', 'deployment.environment.name': 'prod' },
      },
    ]);
  });

  test.each([
    ['always_off', '1', 0],
    ['parentbased_always_off', '1', 0],
    ['traceidratio', '0', 0],
    ['parentbased_traceidratio', '1', 3],
    ['traceidratio', 'nonsense', 3],
    ['jaeger_remote', '', 3],
  ])('samples by %s %s', async (sampler, argument, expected) => {
    const sampling = { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: argument };
    const { tracing, tell } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...sampling });
    await tell(3);
    await tracing?.close();
    expect(receiver.spans).toHaveLength(expected);
  });

  test('errors are told by a stable word', async () => {
    const { tracing, tell } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    await tell(1, new DagainError('store_unavailable', 'Redis at secret-host'));
    await tell(1, new TypeError('secret'));
    await tracing?.close();
    expect(receiver.spans.map(({ isError, fields }) => [isError, fields['error.type']])).toEqual([
      [true, 'store_unavailable'],
      [true, 'TypeError'],
    ]);
  });

  test('two matters that go on at once do not mix, and one that another has woken is its own', async () => {
    const { tracing } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    const tracer = tracing?.tracer;
    await tracer?.span('outer', {}, async (span) => {
      span.belongsTo(story);
      await tracer.span('woken', {}, async (woken) => woken.belongsTo({ ...story, dagId: 'other' }), { isRoot: true });
      await tracer.span('inner', {}, async () => {});
    });
    await tracing?.close();
    const [outer, inner, woken] = ['outer', 'inner', 'woken'].map((name) => named(receiver.spans, name)[0]);
    expect(outer?.traceId).toBe(traceIdOf(story));
    expect(inner).toMatchObject({ traceId: outer?.traceId, parentId: outer?.spanId });
    expect(woken).toMatchObject({ traceId: traceIdOf({ ...story, dagId: 'other' }), parentId: '' });
  });

  test('a collector that is out costs no time, also where more is told than it could ever take', async () => {
    const { tracing, log, tell } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}` });
    const startedAtMs = performance.now();
    for (let round = 0; round < 20; round += 1) await tell(500);
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    await tracing?.close();
    expect(log.lines.length).toBeLessThanOrEqual(2);
    expect(log.lines.at(-1)).toMatchObject({ level: 'warn', message: expect.stringMatching(/collector/) });
  });

  test('a collector that refuses is told of once, however often it does', async () => {
    const refusing = await startOtlpReceiver(400);
    cleanUps.push(() => refusing.close());
    setVariable('OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer%20collector-token');
    const { tracing, log, tell } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: refusing.url });
    await tell(2_000);
    await tracing?.close();
    expect(refusing.requests.length).toBeGreaterThan(1);
    expect(log.lines).toMatchObject([{ level: 'warn', message: expect.stringContaining('collector') }]);
    expect(JSON.stringify(log.lines)).not.toContain('collector-token');
  });

  test('a collector that never answers holds up no stop', async () => {
    const silent: Server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    cleanUps.push(() => silent.close());
    const address = silent.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const { tracing, log, tell } = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
    await tell(3);
    const startedAtMs = performance.now();
    await tracing?.close();
    expect(performance.now() - startedAtMs).toBeLessThan(6_000);
    expect(log.lines).toMatchObject([{ message: expect.stringContaining('lost') }]);
  });
});
