import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Log } from '../engine/log.ts';
import { sendProblem } from './answer.ts';
import { createClientErrorHandler } from './client-error.ts';
import { fieldProblem, HttpProblem } from './problems.ts';

/** Bounds on what one caller, or all of them, can hold. Times in milliseconds. */
export interface HttpLimits {
  readonly headersTimeoutMs: number;
  /** For the whole request with its body. */
  readonly requestTimeoutMs: number;
  /** How often the two above are looked at. */
  readonly checkIntervalMs: number;
  readonly keepAliveTimeoutMs: number;
  /** A connection on which nothing moves is dropped, for instance one whose caller does not read its answer. */
  readonly idleTimeoutMs: number;
  readonly maxHeaderBytes: number;
  /** One more is let in at the cost of the oldest that waits for nothing; when all wait for an answer, it is refused. */
  readonly maxConnections: number;
  readonly maxRequestsPerConnection: number;
}

export const HTTP_LIMITS: HttpLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 20_000,
  checkIntervalMs: 2_000,
  keepAliveTimeoutMs: 15_000,
  idleTimeoutMs: 60_000,
  maxHeaderBytes: 16 * 1024,
  maxConnections: 1_000,
  maxRequestsPerConnection: 10_000,
};

/** How long `close` waits for what is in flight. */
const GRACE_MS = 10_000;

export interface HttpServerDeps {
  readonly app: (request: IncomingMessage, response: ServerResponse) => void;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Log;
  readonly graceMs?: number;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpServer {
  /** Rejects when the address cannot be had. */
  listen(): Promise<{ readonly port: number }>;
  /** True from the call of `close` on. */
  isClosing(): boolean;
  /** Takes no more connections, finishes what is in flight, then closes the rest. May be called again. */
  close(): Promise<void>;
}

export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const limits = { ...HTTP_LIMITS, ...deps.limits };
  const inFlight = new Set<ServerResponse>();
  const sockets = new Set<Socket>();
  /** Nothing more is taken from these: what follows a malformed request may be a part of it. */
  const refused = new WeakSet<Socket>();
  let closing: Promise<void> | null = null;

  function forgetResponse(this: ServerResponse): void {
    inFlight.delete(this);
  }

  function forgetSocket(this: Socket): void {
    sockets.delete(this);
  }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    inFlight.add(response);
    response.on('close', forgetResponse);
    if (refused.has(request.socket)) return;
    if (closing !== null) response.setHeader('Connection', 'close');
    const hosts = countHosts(request);
    if (hosts > 1 || (hosts === 0 && request.httpVersionMinor > 0)) {
      refused.add(request.socket);
      response.setHeader('Connection', 'close');
      const what = hosts > 1 ? 'must be given once' : 'is required in HTTP/1.1';
      sendProblem(request, response, fieldProblem('malformed_request', 'host', what));
    } else {
      deps.app(request, response);
    }
  }

  const server = createNodeServer(limits);
  server.on('connection', (socket: Socket) => {
    if (sockets.size >= limits.maxConnections) (longestUnused(sockets, inFlight) ?? socket).destroy();
    sockets.add(socket);
    socket.on('close', forgetSocket);
  });
  server.on('request', serve);
  // The app asks for the body when it wants it.
  server.on('checkContinue', serve);
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    sendProblem(request, response, new HttpProblem('expectation_failed', 'Only Expect: 100-continue is known here'));
  });
  server.on('clientError', createClientErrorHandler(inFlight));
  server.on('error', (error) => deps.log.error({ err: error }, 'the HTTP server met an error'));
  return {
    listen: () => listen(server, deps),
    isClosing: () => closing !== null,
    close() {
      closing ??= close(server, inFlight, sockets, deps.graceMs ?? GRACE_MS);
      return closing;
    },
  };
}

/** Node keeps the first of several and drops the rest, where something in front of us may go by another one. */
function countHosts({ rawHeaders }: IncomingMessage): number {
  return rawHeaders.filter((name, index) => index % 2 === 0 && name.length === 4 && /^host$/i.test(name)).length;
}

/**
 * The oldest connection on which no whole request waits for its answer. Whoever opens connections and sends nothing, or
 * never all of it, makes room for those who have something to report.
 */
function longestUnused(sockets: ReadonlySet<Socket>, inFlight: ReadonlySet<ServerResponse>): Socket | undefined {
  const inUse = new Set<Socket>();
  for (const { req } of inFlight) if (req.complete) inUse.add(req.socket);
  for (const socket of sockets) if (!inUse.has(socket) && !socket.destroyed) return socket;
  return undefined;
}

function createNodeServer(limits: HttpLimits): Server {
  const server = createServer({
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    maxHeaderSize: limits.maxHeaderBytes,
    // Node's own answer to a missing host has no body.
    requireHostHeader: false,
  });
  server.maxRequestsPerSocket = limits.maxRequestsPerConnection;
  server.timeout = limits.idleTimeoutMs;
  return server;
}

async function listen(server: Server, { host, port }: HttpServerDeps): Promise<{ port: number }> {
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : port };
}

async function close(
  server: Server,
  inFlight: ReadonlySet<ServerResponse>,
  sockets: ReadonlySet<Socket>,
  graceMs: number,
): Promise<void> {
  if (!server.listening) return;
  for (const response of inFlight) if (!response.headersSent) response.setHeader('Connection', 'close');
  const closed = once(server, 'close');
  // Closes idle connections too; the others close after their answer.
  server.close();
  // To Node a connection on which nothing has come yet is not idle: a balancer that opens some ahead would hold us up.
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
