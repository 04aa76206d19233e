import { readdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { AlertChannel } from '../../src/alerts/port.ts';
import { createHarness } from '../engine/harness.ts';
import { givingUpRecord, ALERT as PENDING, RUN } from '../support/records.ts';
import { CHANNELS, SECRET } from './channels.ts';
import { ALERT } from './fixtures.ts';

/** What a receiver does with a connection. `told` is all that the client has said on it so far. */
type Trouble = (socket: Socket, told: string) => void;

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function startTrouble(protocol: 'http' | 'smtp', trouble: Trouble) {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => {});
    let told = '';
    // A mail server speaks first.
    if (protocol === 'smtp') trouble(socket, told);
    socket.on('data', (chunk) => {
      told += chunk.toString('latin1');
      if (protocol === 'smtp' || isWhole(told)) trouble(socket, told);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { port: typeof address === 'object' ? address?.port : undefined, connections: () => connections };
}

/** Whether all of an HTTP request is there; what is no HTTP is whole at once. */
function isWhole(told: string): boolean {
  const end = told.indexOf('\r\n\r\n');
  if (!told.startsWith('POST')) return true;
  return end >= 0 && told.length - end - 4 >= Number(/content-length: (\d+)/i.exec(told)?.[1]);
}

/** Repeats all that it was told, and the secret in plain, wherever an answer has room for it. */
function http(status: number): Trouble {
  return (socket, told) => {
    const body = `${told} ${SECRET}`;
    const head = `HTTP/1.1 ${status} ${SECRET}\r\nLocation: http://127.0.0.1:1/${SECRET}\r\nX-Echo: ${SECRET}`;
    socket.end(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  };
}

/** Lets the client come as far as to say its password, and repeats all of it then. */
function smtp(code: number): Trouble {
  return (socket, told) => {
    if (told === '') socket.write('220 mail.example\r\n');
    else if (/AUTH/.test(told)) socket.write(`${code} ${told.replaceAll('\r\n', ' ')} ${SECRET}\r\n`);
    else socket.write('250-mail.example\r\n250 AUTH PLAIN\r\n');
  };
}

const garbage: Trouble = (socket, told) => void socket.end(`${SECRET} ${told}\r\n`);
const silence: Trouble = () => {};
const hangUp: Trouble = (socket) => void socket.destroy();

interface Failure {
  readonly http: Trouble;
  readonly smtp: Trouble;
  readonly isSecure?: boolean;
  readonly expected: 'retryable' | 'permanent';
}

const FAILURES: Readonly<Record<string, Failure>> = {
  'takes too long': { http: silence, smtp: silence, expected: 'retryable' },
  'hangs up': { http: hangUp, smtp: hangUp, expected: 'retryable' },
  'speaks another protocol': { http: garbage, smtp: garbage, expected: 'retryable' },
  'speaks no TLS': { http: garbage, smtp: garbage, isSecure: true, expected: 'retryable' },
  'refuses and repeats what it was told': { http: http(400), smtp: smtp(535), expected: 'permanent' },
  'is out and repeats what it was told': { http: http(503), smtp: smtp(454), expected: 'retryable' },
  'sends elsewhere': { http: http(307), smtp: smtp(551), expected: 'permanent' },
};

const TIMEOUT_MS = 300;
const FORMS = [
  SECRET,
  Buffer.from(`dagain:${SECRET}`).toString('base64'),
  Buffer.from(`\0dagain\0${SECRET}`).toString('base64'),
];

/** Our own words, a status and a code. */
const DETAIL = /^the (receiver|mail server) (answered \d{3}( \([A-Z_]+\))?|could not be reached \([A-Za-z_0-9]+\))$/;

function expectNoSecret(told: unknown): void {
  const text = JSON.stringify(told, (_key, value) =>
    value instanceof Error ? { ...value, text: String(value) } : value,
  );
  for (const form of FORMS) expect(text).not.toContain(form);
}

/** Everything that is left behind when the service sends an alert over this channel: log lines, metrics, the record. */
async function traces(channel: AlertChannel): Promise<unknown> {
  const harness = createHarness();
  harness.script.channels = { webhook: () => channel.send(ALERT) };
  harness.store.put(givingUpRecord({ outbox: [{ ...PENDING, nextTryAtMs: harness.timers.nowMs() }] }));
  const record = harness.store.get(RUN);
  if (record !== null) await harness.announcer.announce(RUN, record);
  return [harness.lines, [...harness.counts], harness.store.get(RUN)];
}

test('every channel is here', () => {
  const files = readdirSync(`${import.meta.dirname}/../../src/alerts`).map((file) => file.replace('.ts', ''));
  const shared = ['port', 'http-post', 'text', 'wording'];
  expect(Object.keys(CHANNELS).sort()).toEqual(files.filter((file) => !shared.includes(file)).sort());
});

describe.each(Object.entries(CHANNELS))('%s keeps its secret when the receiver', (_name, { protocol, create }) => {
  test.each(Object.entries(FAILURES))('%s', async (_what, { isSecure = false, expected, ...troubles }) => {
    const { port, connections } = await startTrouble(protocol, troubles[protocol]);
    const channel = create(`127.0.0.1:${port}`, isSecure, TIMEOUT_MS);
    const result = await channel.send(ALERT);
    expect(result).toMatchObject({ type: expected, detail: expect.stringMatching(DETAIL) });
    expectNoSecret(result);
    // One request each: nothing is tried again at once, and no redirect is followed.
    expect(connections()).toBe(1);
    expectNoSecret(await traces(channel));
  });

  test('is not there', async () => {
    const channel = create('127.0.0.1:1', false, TIMEOUT_MS);
    const result = await channel.send(ALERT);
    expect(result.type).toBe('retryable');
    expectNoSecret(result);
    expectNoSecret(await traces(channel));
  });

  test('has no name', async () => {
    const channel = create('nowhere.invalid:80', false, 3_000);
    const result = await channel.send(ALERT);
    expect(result.type).toBe('retryable');
    expectNoSecret(result);
  });
});

test.each(Object.entries(CHANNELS).filter(([, { protocol }]) => protocol === 'http'))(
  '%s takes a 2xx for accepted whatever its body does, and reads no more of it than it needs',
  async (_name, { create }) => {
    const endless: Trouble = (socket) => {
      const chunk = Buffer.alloc(64 * 1024);
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const pour = () => void (socket.destroyed || socket.write(`10000\r\n${chunk.toString('latin1')}\r\n`, pour));
      pour();
    };
    const broken: Trouble = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nno more');
      setImmediate(() => socket.destroy());
    };
    const stuck: Trouble = (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n');
    for (const trouble of [endless, broken, stuck]) {
      const { port } = await startTrouble('http', trouble);
      expect(await create(`127.0.0.1:${port}`, false, TIMEOUT_MS).send(ALERT)).toEqual({ type: 'accepted' });
    }
  },
);
