import { Agent, type Dispatcher } from 'undici';

export interface Connections {
  readonly pooled: Dispatcher;
  readonly fresh: Dispatcher;
  close(): Promise<void>;
}

/** Most connections that are kept to Airflow at a time. */
const MAX_CONNECTIONS = 16;

/**
 * Opens no connection yet. HTTP/1.1 only, since undici repeats requests on HTTP/2 connections that go away. A given
 * dispatcher serves everything, and is left open by `close`.
 */
export function createConnections(given: Dispatcher | undefined, requestTimeoutMs: number): Connections {
  if (given !== undefined) return { pooled: given, fresh: given, close: async () => {} };
  // Shorter than the limit of the whole request: "never connected" is certain, an abort is not.
  const options = { allowH2: false, connect: { timeout: Math.ceil(requestTimeoutMs / 2) } };
  const pooled = new Agent({ ...options, connections: MAX_CONNECTIONS });
  const fresh = new Agent({ ...options, pipelining: 0 });
  let closing: Promise<unknown> | null = null;
  return {
    pooled,
    fresh,
    async close() {
      // Undici rejects a second close.
      closing ??= Promise.all([pooled.close(), fresh.close()]);
      await closing;
    },
  };
}
