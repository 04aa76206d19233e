import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { runJson } from './fixtures.ts';

export interface Seen {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** How many requests of this method have come, this one included. */
  readonly nth: number;
}

export interface RealServer {
  readonly url: string;
  /** Every request but those for the version, as `GET` or `POST`. */
  readonly methods: string[];
  readonly sockets: Socket[];
  close(): Promise<void>;
}

/** An Airflow on a real socket, for what cannot be mocked: it tells its version and leaves the rest to `answer`. */
export async function startServer(answer: (seen: Seen) => void): Promise<RealServer> {
  const methods: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((request, response) => {
    if (request.url?.endsWith('/version')) {
      sendJson(response, { version: '3.3.2' });
      return;
    }
    const method = request.method ?? '';
    methods.push(method);
    sockets.push(request.socket);
    const nth = methods.filter((other) => other === method).length;
    // Only when the request has come whole, so that what is counted was really sent.
    request.resume().on('end', () => answer({ request, response, socket: request.socket, nth }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = addressOf(server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    methods,
    sockets,
    async close() {
      server.closeAllConnections();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return address;
}

export function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

export function sendRun(response: ServerResponse, fields: Record<string, unknown> = {}): void {
  sendJson(response, runJson(fields));
}
