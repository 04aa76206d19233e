import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** What came back on a connection until it was closed. */
export interface Heard {
  readonly text: string;
  /** The status of each answer, 1xx included. */
  readonly statuses: readonly number[];
  readonly bytesWritten: number;
  readonly durationMs: number;
}

/** A part to write, or a pause in milliseconds. */
export type Part = string | Uint8Array | number;

/** Writes `parts` as they are and listens until the server closes the connection, or `limitMs` has passed. */
export function talk(port: number, parts: Iterable<Part>, limitMs = 10_000): Promise<Heard> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
    });
    // A reset after the answer is what somebody who goes on writing gets.
    socket.on('error', () => {});
    const timer = setTimeout(() => socket.destroy(), limitMs);
    socket.on('close', () => {
      clearTimeout(timer);
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
      resolve({ text, statuses, bytesWritten: socket.bytesWritten, durationMs: performance.now() - startedAt });
    });
    void write();

    async function write(): Promise<void> {
      for (const part of parts) {
        if (socket.destroyed) return;
        if (typeof part === 'number') await pause(part);
        else if (!socket.write(part)) await drained();
      }
    }

    function drained(): Promise<void> {
      return new Promise((go) => {
        socket.once('drain', go);
        socket.once('close', go);
      });
    }
  });
}
