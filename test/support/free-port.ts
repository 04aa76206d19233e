import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that systems hand out by themselves (from 32,768 or 49,152 on): a port that one test keeps for a server
 * which is down at the moment must not become another test's.
 */
const FIRST = 10_000;
const COUNT = 22_000;

// Somewhere else in each process, since several look for ports at the same time.
let tried = Math.floor(Math.random() * COUNT);

/** A port of the loopback interface that nothing listens on. This process is given each one once. */
export async function freePort(): Promise<number> {
  for (let left = COUNT; left > 0; left -= 1) {
    tried += 1;
    const port = FIRST + (tried % COUNT);
    if (await isFree(port)) return port;
  }
  throw new Error('no port is free');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch {
    return false;
  }
}
