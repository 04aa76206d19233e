import { createServer } from 'node:http';
import { Duplex } from 'node:stream';
import express, { type Response } from 'express';
import { afterEach, expect, test } from 'vitest';
import type { ChangeListener } from '../../src/engine/live-changes.ts';
import { eventStreamRoute } from '../../src/http/event-stream.ts';
import { createVirtualTimers } from '../support/timers.ts';

const PING_MS = 15_000;
const sockets: Duplex[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** One stream, over a connection of which nothing is read where `isStalled`. */
async function openStream({ isStalled, isStopped = false }: { isStalled: boolean; isStopped?: boolean }) {
  const timers = createVirtualTimers();
  const listeners = new Set<ChangeListener>();
  const responses: Response[] = [];
  const errors: unknown[] = [];
  let sent = '';
  const listen = (listener: ChangeListener) => {
    if (isStopped) listener.ended();
    else listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  const route = eventStreamRoute({ changes: { listen }, clock: timers, version: '1', mode: 'active' });
  const app = express();
  app.get('/', (request, response) => {
    responses.push(response.on('error', (error) => errors.push(error)));
    return route.handle(request, response);
  });
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      sent += chunk.toString();
      if (!isStalled) done();
    },
  });
  sockets.push(socket);
  createServer(app).emit('connection', socket);
  socket.push('GET / HTTP/1.1\r\nHost: dagain\r\n\r\n');
  await timers.advanceBy(0);
  const [response] = responses;
  if (response === undefined) throw new Error('the request did not arrive');
  return { timers, listeners, response, errors, sent: () => sent };
}

test('says hello, then what has changed, and that it is still there', async () => {
  const { timers, listeners, sent } = await openStream({ isStalled: false });
  for (const { changed } of listeners) changed([{ dagId: 'etl', dagRunId: 'r1' }]);
  await timers.advanceBy(PING_MS);
  expect(sent()).toMatch(/event: hello\n[\s\S]*event: changed\ndata: {"runs":\[{"dag_id":"etl","dag_run_id":"r1"}\]}/);
  expect(sent()).toContain(': ping\n\n');
});

test('nothing is written to a stalled reader any more once the stream has ended', async () => {
  const { timers, listeners, response, errors } = await openStream({ isStalled: true });
  const [listener] = listeners;
  listener?.changed(null);
  listener?.ended();
  expect(response.writableEnded).toBe(true);
  expect(response.closed).toBe(false);
  listener?.changed(null);
  await timers.advanceBy(2 * PING_MS);
  expect(errors).toEqual([]);
  expect(timers.pending()).toBe(0);
});

test('a reader who takes nothing for long is let go', async () => {
  const { timers, listeners, response } = await openStream({ isStalled: true });
  const many = Array.from({ length: 200 }, (_, n) => ({ dagId: 'etl', dagRunId: `${n}`.padEnd(250, 'x') }));
  for (let round = 0; round < 3; round += 1) for (const { changed } of listeners) changed(many);
  await timers.advanceBy(0);
  expect(response.destroyed).toBe(true);
  expect(listeners.size).toBe(0);
  expect(timers.pending()).toBe(0);
});

test.each([true, false])(
  'a stream that is asked for while the service stops ends at once (stalled: %s)',
  async (isStalled) => {
    const { timers, errors, response } = await openStream({ isStalled, isStopped: true });
    expect(response.writableEnded).toBe(true);
    await timers.advanceBy(PING_MS);
    expect(errors).toEqual([]);
    expect(timers.pending()).toBe(0);
  },
);
