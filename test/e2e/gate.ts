import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** A way to Airflow that lets requests which change something through one after the other. */
export interface Gate {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * For tests in which many runs are cleared at the same time. Airflow 3 writes its audit log on the event loop of the API
 * server: on SQLite, which has one lock for everything, two clears then wait for each other until one fails with a 500.
 */
export async function startGate(target: string): Promise<Gate> {
  let last: Promise<void> = Promise.resolve();

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    // Whoever has stopped waiting must not be served later.
    if (request.socket.destroyed) return;
    const headers = new Headers();
    for (const name of ['authorization', 'content-type', 'accept']) {
      const value = request.headers[name];
      if (typeof value === 'string') headers.set(name, value);
    }
    const isRead = request.method === 'GET';
    const init = {
      headers,
      redirect: 'manual',
      ...(isRead ? {} : { method: request.method ?? 'POST', body }),
    } as const;
    const answer = await fetch(`${target}${request.url ?? ''}`, init);
    const content = Buffer.from(await answer.arrayBuffer());
    const type = answer.headers.get('content-type');
    response.writeHead(answer.status, type === null ? {} : { 'content-type': type }).end(content);
  }

  const server = createServer((request, response) => {
    const passed = request.method === 'GET' ? pass(request, response) : last.then(() => pass(request, response));
    const done = passed.catch(() => {
      // Airflow has not answered, and neither does the gate.
      response.destroy();
    });
    if (request.method !== 'GET') last = done;
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
