import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AirflowApi, type AirflowApiOptions, createAirflowApi } from './api/api.ts';
import { type AirflowRequest, ConnectionResetError } from './api/messages.ts';

export interface AirflowServer extends AirflowApi {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  /** Stops it at once; requests that hang are broken off. */
  close(): Promise<void>;
}

export interface AirflowServerOptions extends AirflowApiOptions {
  /** A free port by default. */
  readonly port?: number;
  readonly host?: string;
}

/** Serves the model over HTTP. Let its timers be real ones when a fault is to delay answers. */
export async function serveAirflow(options: AirflowServerOptions): Promise<AirflowServer> {
  const { port = 0, host = '127.0.0.1', basePath = '' } = options;
  const api = createAirflowApi(options);
  const server = createServer((incoming, outgoing) => void respond(api, incoming, outgoing));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    ...api,
    url: `http://${host}:${address.port}${basePath}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function respond(api: AirflowApi, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.once('close', () => gone.abort());
  try {
    const { status, headers, body } = await api.handle(await readRequest(incoming, gone.signal));
    outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
    outgoing.end(body);
  } catch (error) {
    if (!(error instanceof ConnectionResetError) && !gone.signal.aborted) {
      process.stderr.write(`simulated Airflow: ${error instanceof Error ? error.stack : String(error)}\n`);
    }
    incoming.socket.resetAndDestroy();
  }
}

async function readRequest(incoming: IncomingMessage, signal: AbortSignal): Promise<AirflowRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return {
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    headers,
    body: Buffer.concat(chunks).toString('utf8'),
    signal,
  };
}
