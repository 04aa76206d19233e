import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Stage, setStage } from './stage.ts';

const CALLBACK = { dag_id: 'unheard_of', dag_run_id: 'r', task_id: 't' };
/** Generous: what counts is that callbacks get through at all; Airflow ends them after twenty seconds. */
const LIMIT_MS = 8_000;
const PIECE = Buffer.alloc(65_536, ' ');
const PIECES = 160;
const POST = 'POST /v1/callbacks/task-failed HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';

let stage: Stage;
let port: number;
let sockets: Socket[];
beforeEach(async () => {
  sockets = [];
  stage = await setStage();
  await stage.start();
  port = Number(new URL(stage.url).port);
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await stage.close();
});

async function open(count: number, text: string): Promise<void> {
  const opened = Array.from({ length: count }, () => connect(port, '127.0.0.1').on('error', () => {}));
  sockets.push(...opened);
  await Promise.all(opened.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])));
  for (const socket of opened) if (!socket.destroyed) socket.write(text);
}

/** Sends callbacks one after the other, each over a connection of its own; returns the longest that one took. */
async function slowestOf(count: number): Promise<number> {
  let slowestMs = 0;
  for (let n = 0; n < count; n += 1) {
    const startedAt = performance.now();
    expect(await stage.send({ ...CALLBACK, dag_run_id: `r${n}` })).toMatchObject({ status: 202 });
    slowestMs = Math.max(slowestMs, performance.now() - startedAt);
  }
  return slowestMs;
}

describe('callbacks get through while somebody holds', () => {
  test.each([
    ['1,500 connections without a word', 1_500, ''],
    ['1,500 requests whose headers never end', 1_500, 'GET /livez HTTP/1.1\r\nHost: x\r\nA: '],
    ['1,500 requests whose body never ends', 1_500, `${POST}Content-Length: 500\r\n\r\n{`],
    ['1,500 requests in chunks that never end', 1_500, `${POST}Transfer-Encoding: chunked\r\n\r\n5\r\n{`],
  ])('%s', async (_what, count, text) => {
    await open(count, text);
    expect(await slowestOf(20)).toBeLessThan(LIMIT_MS);
  });

  test('connections that say a byte each second, and opens new ones in place of those that are closed', async () => {
    let isOver = false;
    const attack = (async () => {
      while (!isOver) {
        sockets = sockets.filter((socket) => !socket.destroyed);
        await open(1_200 - sockets.length, 'GET /livez HTTP/1.1\r\nHost: x\r\n');
        for (const socket of sockets) socket.write('A');
        await pause(200);
      }
    })();
    await pause(1_000);
    const slowestMs = await slowestOf(20);
    isOver = true;
    await attack;
    expect(slowestMs).toBeLessThan(LIMIT_MS);
  });
});

test('4,000 requests in one packet are answered one by one, and others get through meanwhile', async () => {
  const body = JSON.stringify({ ...CALLBACK, dag_run_id: 'pipelined' });
  const request = `${POST}Content-Length: ${body.length}\r\n\r\n${body}`;
  await open(1, request.repeat(4_000));
  const chunks: Buffer[] = [];
  sockets[0]?.on('data', (chunk: Buffer) => chunks.push(chunk));
  const answers = () => Buffer.concat(chunks).toString().split('HTTP/1.1 202').length - 1;
  expect(await slowestOf(10)).toBeLessThan(LIMIT_MS);
  await expect.poll(answers).toBe(4_000);
});

test('memory stays bounded under bodies of 10 MiB that nobody wants', async () => {
  const head = `${POST}Content-Length: ${PIECES * PIECE.length}\r\n\r\n`;
  await Promise.all(
    Array.from({ length: 40 }, async () => {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      sockets.push(socket);
      socket.write(head);
      for (let sent = 0; sent < PIECES && !socket.destroyed; sent += 1) {
        if (!socket.write(PIECE)) await Promise.race([once(socket, 'drain').catch(() => {}), pause(2_000)]);
      }
    }),
  );
  expect(await slowestOf(5)).toBeLessThan(LIMIT_MS);
  expect(await residentMiB()).toBeLessThan(400);
});

async function residentMiB(): Promise<number> {
  const metrics = await (await fetch(`${stage.url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(metrics)?.[1]) / 1024 / 1024;
}
