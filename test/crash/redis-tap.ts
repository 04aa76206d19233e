import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { ADVANCE_MARK, SWAP, TAKE_DUE } from '../../src/store/redis/scripts.ts';
import type { Stopper } from './crash-point.ts';

/** A way to Redis on which commands pass one by one, and can stop like requests at a gate. */
export interface RedisTap {
  readonly url: string;
  close(): Promise<void>;
}

const SCRIPTS: ReadonlyMap<string, string> = new Map([
  [SWAP.sha1, 'Redis: swap'],
  [TAKE_DUE.sha1, 'Redis: take what is due'],
  [ADVANCE_MARK.sha1, 'Redis: move a mark'],
]);

export async function startRedisTap(port: number, stopper: Stopper): Promise<RedisTap> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const redis = connect(port, '127.0.0.1');
    for (const socket of [client, redis]) {
      sockets.add(socket.setNoDelay(true).on('error', () => {}));
      socket.on('close', () => {
        client.destroy();
        redis.destroy();
        sockets.delete(socket);
      });
    }
    void pass(client, redis, stopper);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the tap has no port');
  return {
    url: `redis://127.0.0.1:${address.port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function pass(client: Socket, redis: Socket, stopper: Stopper): Promise<void> {
  const replies = valuesOf(redis);
  for await (const command of valuesOf(client)) {
    const step = stepOf(command);
    const when = step === null ? null : stopper.meet(step);
    if (when === 'before') await stopper.stand();
    redis.write(command);
    const reply = await replies.next();
    if (when !== null) await stopper.stand();
    if (reply.done) return;
    client.write(reply.value);
  }
}

function stepOf(command: Buffer): string | null {
  const [name, script = ''] = wordsOf(command);
  if (name === 'HGET') return 'Redis: read';
  return name === 'EVALSHA' ? (SCRIPTS.get(script) ?? null) : null;
}

function wordsOf(command: Buffer): string[] {
  return command
    .toString('utf8')
    .split('\r\n')
    .filter((_line, index) => index > 0 && index % 2 === 0);
}

/** The values of the Redis protocol (RESP 2) that a socket brings, each as its bytes. */
async function* valuesOf(socket: Socket): AsyncGenerator<Buffer> {
  let bytes = Buffer.alloc(0);
  try {
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk]);
      for (let end = endOfValue(bytes, 0); end !== null; end = endOfValue(bytes, 0)) {
        yield bytes.subarray(0, end);
        bytes = bytes.subarray(end);
      }
    }
  } catch {
    // The connection broke: nothing more comes.
  }
}

/** Where the value that begins at `from` ends, or null while it is not whole. */
function endOfValue(bytes: Buffer, from: number): number | null {
  const lineEnd = bytes.indexOf('\r\n', from);
  if (lineEnd < 0) return null;
  const after = lineEnd + 2;
  const size = Number(bytes.toString('latin1', from + 1, lineEnd));
  switch (String.fromCharCode(bytes[from] ?? 0)) {
    case '$':
      if (size < 0) return after;
      return bytes.length >= after + size + 2 ? after + size + 2 : null;
    case '*': {
      let end: number | null = after;
      for (let left = size; left > 0 && end !== null; left -= 1) end = endOfValue(bytes, end);
      return end;
    }
    default:
      return after;
  }
}
