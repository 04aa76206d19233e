import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Stopper } from './crash-point.ts';

export interface GateOptions {
  /** Where requests go on to. */
  readonly target: string;
  readonly stopper: Stopper;
  /** What the request is called, or null for one that does not count. */
  stepOf(method: string, path: string): string | null;
  /** Takes the store from the service, which then reads what comes and can do nothing with it. */
  lockStore(): void;
  /** Leads to the service: then it is the request that it reads and cannot store. */
  readonly isInbound?: boolean;
}

/** An HTTP proxy in which a request can stop: before the other side has seen it, or with its answer in hand. */
export interface Gate {
  readonly url: string;
  close(): Promise<void>;
}

export async function startGate(options: GateOptions): Promise<Gate> {
  const { target, stopper, stepOf, lockStore, isInbound = false } = options;

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const { method = 'GET', url = '/' } = request;
    const step = stepOf(method, url);
    const when = step === null ? null : stopper.meet(step);
    if (when === 'before') await stopper.stand();
    if (when === 'unstored' && isInbound) {
      lockStore();
      forward(`${target}${url}`, request, body).catch(() => {});
      await stopper.stand();
    }
    const answer = await forward(`${target}${url}`, request, body);
    if (when === 'unread') await stopper.stand();
    if (when === 'unstored') lockStore();
    response.writeHead(answer.status, { 'content-type': answer.type ?? 'application/json' }).end(answer.content);
    if (when === 'unstored') await stopper.stand();
  }

  const server = createServer((request, response) => {
    // The other side is gone, or the sender: neither is answered.
    pass(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the gate has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function forward(url: string, { method = 'GET', headers }: IncomingMessage, body: Buffer) {
  const passed = new Headers();
  for (const name of ['authorization', 'content-type', 'accept']) {
    const value = headers[name];
    if (typeof value === 'string') passed.set(name, value);
  }
  const content = method === 'GET' ? {} : { body };
  const answer = await fetch(url, { method, headers: passed, redirect: 'manual', ...content });
  const type = answer.headers.get('content-type');
  return { status: answer.status, type, content: Buffer.from(await answer.arrayBuffer()) };
}
