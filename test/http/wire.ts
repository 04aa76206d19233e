import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** What came back on a connection until it was closed. */
export interface Heard {
  readonly text: string;
  /** The status of each answer, 1xx included. */
  readonly statuses: readonly number[];
  readonly bytesWritten: number;
  readonly durationMs: number;
  /** True when the connection was reset rather than closed in good order. */
  readonly wasReset: boolean;
}

/** A part to write, or a pause in milliseconds. */
export type Part = string | Uint8Array | number;

export interface TalkOptions {
  /** After so long the connection is given up. */
  readonly limitMs?: number;
  /** Goes on writing after the server has said its last. */
  readonly isStubborn?: boolean;
}

/** Writes `parts` as they are and listens until the server closes the connection. */
export function talk(port: number, parts: Iterable<Part>, options: TalkOptions = {}): Promise<Heard> {
  const { limitMs = 10_000, isStubborn = false } = options;
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: isStubborn });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
    });
    let wasReset = false;
    socket.on('error', () => {
      wasReset = true;
    });
    const timer = setTimeout(() => socket.destroy(), limitMs);
    socket.on('close', () => {
      clearTimeout(timer);
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]));
      const durationMs = performance.now() - startedAt;
      resolve({ text, statuses, bytesWritten: socket.bytesWritten, durationMs, wasReset });
    });
    void write().then(() => isStubborn && socket.end());

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
