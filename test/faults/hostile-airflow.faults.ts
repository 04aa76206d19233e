import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { setStage } from './stage.ts';

const FAULT_MS = 3_000;
const MAX_MEMORY_MIB = 400;

/** Bytes that somebody sends in Airflow's place when a run is read. */
type Shape = (socket: Socket, elsewhere: string) => void;

const head = (status: string, ...fields: string[]) => `${[`HTTP/1.1 ${status}`, ...fields].join('\r\n')}\r\n\r\n`;
const JSON_TYPE = 'Content-Type: application/json';
const whole = (status: string, body: string | Buffer, ...fields: string[]) =>
  Buffer.concat([Buffer.from(head(status, `Content-Length: ${body.length}`, ...fields)), Buffer.from(body)]);
const BOMB = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '));
const ANOTHER_RUN = JSON.stringify({
  dag_id: 'for_ever',
  dag_run_id: 'another',
  state: 'failed',
  run_type: 'manual',
  queued_at: '2026-01-01T00:00:00Z',
  start_date: '2026-01-01T00:00:01Z',
  end_date: '2026-01-01T00:00:02Z',
});

const SHAPES: Readonly<Record<string, Shape>> = {
  'a page with status 200': (socket) => socket.write(whole('200 OK', '<h1>Log in</h1>', 'Content-Type: text/html')),
  'JSON that breaks off': (socket) => socket.end(whole('200 OK', ANOTHER_RUN, JSON_TYPE).subarray(0, -100)),
  'JSON of half a document': (socket) => socket.write(whole('200 OK', '{"dag_id":"for_ever","state":"fai', JSON_TYPE)),
  'JSON that calls itself text': (socket) => socket.write(whole('200 OK', ANOTHER_RUN, 'Content-Type: text/plain')),
  'another run than the one asked for': (socket) => socket.write(whole('200 OK', ANOTHER_RUN, JSON_TYPE)),
  'an error with status 200': (socket) =>
    socket.write(whole('200 OK', '{"detail":"Internal Server Error"}', JSON_TYPE)),
  'a redirect to somebody else': (socket, elsewhere) =>
    socket.write(whole('307 Temporary Redirect', '', `Location: ${elsewhere}/api/v2`)),
  '429 for a century': (socket) => socket.write(whole('429 Too Many Requests', '', 'Retry-After: 3153600000')),
  '429 until a date': (socket) => {
    const date = new Date(Date.now() + 365 * 24 * 3_600_000).toUTCString();
    socket.write(whole('429 Too Many Requests', '', `Retry-After: ${date}`));
  },
  'a body without an end': (socket) => {
    socket.write(head('200 OK', JSON_TYPE, 'Transfer-Encoding: chunked'));
    const chunk = Buffer.from(`10000\r\n${' '.repeat(0x10000)}\r\n`);
    const more = () => {
      while (!socket.destroyed) if (!socket.write(chunk)) return void socket.once('drain', more);
    };
    more();
  },
  'a gzip bomb': (socket) => socket.write(whole('200 OK', BOMB, JSON_TYPE, 'Content-Encoding: gzip')),
  'a byte each tenth of a second': (socket) => {
    socket.write(head('200 OK', JSON_TYPE, 'Content-Length: 100000'));
    const timer = setInterval(() => socket.write(' '), 100);
    socket.on('close', () => clearInterval(timer));
  },
  'an end after the headers': (socket) => socket.end(head('200 OK', JSON_TYPE, 'Content-Length: 500')),
  'headers without an end': (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    const timer = setInterval(() => socket.write(`X-More: ${'x'.repeat(1_000)}\r\n`), 5);
    socket.on('close', () => clearInterval(timer));
  },
  'early hints without an end': (socket) => {
    const timer = setInterval(() => socket.write(head('103 Early Hints', 'Link: </x>')), 5);
    socket.on('close', () => clearInterval(timer));
  },
  'a switch of protocols': (socket) =>
    socket.write(head('101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket')),
  'no HTTP at all': (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'),
  'two answers to one request': (socket) => {
    socket.write(whole('503 Service Unavailable', ''));
    socket.write(whole('200 OK', ANOTHER_RUN, JSON_TYPE));
  },
};

/** Passes requests on to Airflow, but answers reads of runs itself while it has a shape. */
async function startImpostor() {
  let shape: Shape | null = null;
  let airflow = '';
  const elsewhere: string[] = [];
  const asked = { count: 0 };
  const sockets = new Set<Socket>();
  const thief = await listening(
    createServer((request, response) => {
      elsewhere.push(request.headers.authorization ?? 'nothing');
      response.end();
    }),
  );
  const server = await listening(
    createServer((request, response) => {
      if (shape === null || !/\/dagRuns\//.test(request.url ?? '')) return void pass(request, response, airflow);
      asked.count += 1;
      const { socket } = request;
      sockets.add(socket.on('error', () => {}));
      shape(socket, urlOf(thief));
    }),
  );
  return {
    asked,
    elsewhere,
    portTo(airflowPort: number): number {
      airflow = `http://127.0.0.1:${airflowPort}`;
      return (server.address() as AddressInfo).port;
    },
    take(next: Shape | null): void {
      shape = next;
      for (const socket of sockets) socket.destroy();
      sockets.clear();
    },
    close() {
      for (const one of [server, thief]) one.closeAllConnections();
      server.close();
      thief.close();
    },
  };
}

async function pass(request: IncomingMessage, response: ServerResponse, airflow: string): Promise<void> {
  const { method = 'GET', url = '', headers } = request;
  const body = await buffer(request);
  const answer = await fetch(`${airflow}${url}`, {
    method,
    headers: { authorization: headers.authorization ?? '', 'content-type': 'application/json' },
    ...(method === 'GET' ? {} : { body }),
  });
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
  response.end(Buffer.from(await answer.arrayBuffer()));
}

async function listening<T extends Server>(server: T): Promise<T> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function memoryMiB(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(metrics)?.[1]) / 1024 / 1024;
}

describe('when a run is read, somebody answers', () => {
  test.concurrent.each(Object.entries(SHAPES))(
    '%s: nothing is cleared until Airflow itself answers',
    async (_name, shape) => {
      const impostor = await startImpostor();
      const stage = await setStage({ wayToAirflow: async (port) => impostor.portTo(port) });
      try {
        await stage.start();
        impostor.take(shape);
        stage.trigger('run');
        await pause(FAULT_MS);
        expect(impostor.asked.count).toBeGreaterThan(0);
        expect(stage.model.runs().flatMap((run) => stage.model.clearsOf(run))).toEqual([]);
        expect(await memoryMiB(stage.url)).toBeLessThan(MAX_MEMORY_MIB);
        impostor.take(null);
        await stage.endsWell();
        expect(stage.answered.filter(({ status }) => status !== 202)).toEqual([]);
        expect(impostor.elsewhere).toEqual([]);
      } finally {
        await stage.close();
        impostor.close();
      }
    },
  );
});

describe('an Airflow behind TLS that cannot be trusted', () => {
  test('is told neither who we are nor anything else', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'dagain-tls-'));
    const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', ...files], {
      stdio: 'pipe',
    });
    const heard: string[] = [];
    const key = readFileSync(join(folder, 'key.pem'));
    const tls = await listening(createTlsServer({ key, cert: readFileSync(join(folder, 'cert.pem')) }));
    tls.on('secureConnection', (socket) => socket.on('data', (data: Buffer) => heard.push(data.toString())));
    tls.on('tlsClientError', () => {});
    const { port } = tls.address() as AddressInfo;
    const stage = await setStage({ settings: { DAGAIN_AIRFLOW_URL: `https://127.0.0.1:${port}` } });
    try {
      await stage.start();
      stage.trigger('run');
      await expect.poll(() => readFileSync(stage.logFile, 'utf8')).toMatch(/SELF_SIGNED|self-signed/);
      expect(heard).toEqual([]);
      expect(stage.answered.every(({ status }) => status === 202)).toBe(true);
    } finally {
      await stage.close();
      tls.close();
      rmSync(folder, { recursive: true });
    }
  });

  test('that never shakes hands holds up nothing but itself', async () => {
    const sockets: Socket[] = [];
    const silent = await listening(
      createTcpServer((socket) => void sockets.push(socket.on('error', () => {}).resume())),
    );
    const { port } = silent.address() as AddressInfo;
    const stage = await setStage({ settings: { DAGAIN_AIRFLOW_URL: `https://127.0.0.1:${port}` } });
    try {
      await stage.start();
      stage.trigger('run');
      await expect.poll(() => stage.answered.length).toBeGreaterThanOrEqual(3);
      expect(stage.answered.every(({ status }) => status === 202)).toBe(true);
      expect((await fetch(`${stage.url}/readyz`)).status).toBe(200);
    } finally {
      await stage.close();
      for (const socket of sockets) socket.destroy();
      silent.close();
    }
  });
});
