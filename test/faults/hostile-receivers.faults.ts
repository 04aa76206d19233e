import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { setStage } from './stage.ts';
import { until } from './until.ts';

const RUNS = 20;

type Shape = (response: ServerResponse, elsewhere: string) => void;

const SHAPES: Readonly<Record<string, Shape>> = {
  'never answers': () => {},
  'answers 500, a byte each tenth of a second': (response) => {
    response.writeHead(500, { 'content-length': '100000' });
    const timer = setInterval(() => response.write(' '), 100);
    response.on('close', () => clearInterval(timer));
  },
  'answers 410': (response) => response.writeHead(410).end(),
  'answers 500': (response) => response.writeHead(500).end(),
  'answers 429 for a century': (response) => response.writeHead(429, { 'retry-after': '3153600000' }).end(),
  'redirects to somebody else': (response, elsewhere) => response.writeHead(308, { location: elsewhere }).end(),
  'breaks off': (response) => response.destroy(),
  'answers without an end': (response) => {
    response.writeHead(500);
    const more = () => {
      while (!response.destroyed) if (!response.write(Buffer.alloc(65_536))) return void response.once('drain', more);
    };
    more();
  },
};

/** Takes alerts in its own way while it has a shape, and hands them on when it has none. */
async function startImpostor() {
  let shape: Shape | null = null;
  let receiver = '';
  const heard = { elsewhere: 0, refused: 0 };
  const thief = createServer((_request, response) => {
    heard.elsewhere += 1;
    response.end();
  }).listen(0, '127.0.0.1');
  const server = createServer((request, response) => {
    if (shape === null) return void handOn(request, response, receiver);
    heard.refused += 1;
    request.resume().on('error', () => {});
    shape(
      response.on('error', () => {}),
      urlOf(thief),
    );
  }).listen(0, '127.0.0.1');
  await Promise.all([once(thief, 'listening'), once(server, 'listening')]);
  return {
    heard,
    url: urlOf(server),
    take(next: Shape): void {
      shape = next;
    },
    /** From now on everything reaches this receiver. */
    giveWayTo(url: string): void {
      receiver = url;
      shape = null;
      server.closeAllConnections();
    },
    close() {
      for (const one of [server, thief]) one.closeAllConnections();
      server.close();
      thief.close();
    },
  };
}

async function handOn(request: IncomingMessage, response: ServerResponse, receiver: string): Promise<void> {
  await fetch(receiver, { method: 'POST', body: await buffer(request) });
  response.writeHead(204).end();
}

function urlOf(server: { address(): AddressInfo | string | null }): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a receiver of alerts that', () => {
  test.concurrent.each(Object.entries(SHAPES))('%s holds up no retry, and is told in the end', async (_name, shape) => {
    const impostor = await startImpostor();
    const stage = await setStage({ settings: { DAGAIN_ALERT_WEBHOOK_URL: impostor.url } });
    const clearsOf = (dagId: string) =>
      stage.model.runs(dagId).reduce((sum, run) => sum + stage.model.clearsOf(run).length, 0);
    try {
      await stage.start();
      impostor.take(shape);
      for (let n = 0; n < RUNS; n += 1) stage.trigger(`run-${n}`);
      await until(
        () => clearsOf('for_ever'),
        (clears) => clears === 2 * RUNS,
      );
      // All places of alerts are taken by now.
      await until(
        () => impostor.heard.refused,
        (refused) => refused >= 10,
      );
      stage.trigger('late');
      await until(
        () => clearsOf('for_ever'),
        (clears) => clears === 2 * RUNS + 2,
      );
      await until(
        () => clearsOf('once'),
        (clears) => clears === RUNS + 1,
      );
      expect(stage.receiver.accepted).toEqual([]);
      impostor.giveWayTo(stage.receiver.url);
      await stage.endsWell();
      expect(impostor.heard.elsewhere).toBe(0);
    } finally {
      await stage.close();
      impostor.close();
    }
  });
});
