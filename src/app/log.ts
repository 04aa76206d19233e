import { write, writeSync } from 'node:fs';
import { type Logger, pino } from 'pino';
import { createRedactor } from './redact.ts';

const STDOUT = 1;
const NOTHING = Buffer.alloc(0);
/** Lines are written in groups: one write for each line costs a tenth of a callback. */
const GROUP_LENGTH = 4_096;
/** How long a line may wait; the exit of the process writes what is left. */
const MAX_WAIT_MS = 250;
/** Held for a reader that does not keep up; beyond that lines are dropped. */
const MAX_PENDING_LENGTH = 16 * 1024 * 1024;
/** How soon a full pipe is tried again, and how often at the exit of the process. */
const RETRY_MS = 20;
const MAX_EXIT_TRIES = 50;

export interface LogOptions {
  /** What must never be read in a line, wherever it comes from. */
  readonly secrets?: readonly string[];
  /** Standard output by default. */
  readonly destination?: { write(line: string): void };
}

/** JSON lines, without secrets. */
export function createLog(level: string, { secrets = [], destination }: LogOptions = {}): Logger {
  return pino(
    {
      level,
      base: { service: 'dagain' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      hooks: { streamWrite: createRedactor(secrets) },
    },
    destination ?? createLineWriter(STDOUT),
  );
}

/** No more than this: errors of HTTP clients carry whole requests, headers included. */
function describeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name: type, message, stack, cause } = error;
  const code = 'code' in error ? error.code : undefined;
  return { type, message, code, stack, ...(cause === undefined ? {} : { cause: describeCause(cause) }) };
}

function describeCause(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
}

/**
 * Writes lines to a file descriptor, in order and without holding up the caller. Pino's own destination is not used,
 * because at exit it tries for ever to write to a pipe that nobody reads any more.
 */
export function createLineWriter(fd: number): { write(line: string): void } {
  let pending = '';
  /** What a write has left over, to go out before `pending`. */
  let rest: Buffer = NOTHING;
  let isWriting = false;
  let isBroken = false;
  let isRegistered = false;
  let timer: NodeJS.Timeout | null = null;

  function take(): Buffer {
    const bytes = Buffer.concat([rest, Buffer.from(pending)]);
    pending = '';
    rest = NOTHING;
    if (timer !== null) clearTimeout(timer);
    timer = null;
    return bytes;
  }

  function flush(): void {
    if (isWriting) return;
    const bytes = take();
    if (bytes.length === 0) return;
    isWriting = true;
    write(fd, bytes, (error, written) => {
      isWriting = false;
      // Nobody reads any more: the service goes on without a log.
      isBroken = error !== null && !isFull(error);
      rest = error === null ? bytes.subarray(written) : bytes;
      if (isBroken) take();
      else if (error !== null) schedule(RETRY_MS);
      else if (rest.length > 0 || pending.length >= GROUP_LENGTH) flush();
      else if (pending !== '') schedule(MAX_WAIT_MS);
    });
  }

  function schedule(delayMs: number): void {
    timer ??= setTimeout(() => {
      timer = null;
      flush();
    }, delayMs).unref();
  }

  /** What is under way cannot be waited for here, and nothing may go out before it. */
  function writeTheRest(): void {
    if (isWriting || isBroken) return;
    let bytes = take();
    const patience = new Int32Array(new SharedArrayBuffer(4));
    for (let tries = 0; bytes.length > 0 && tries < MAX_EXIT_TRIES; tries += 1) {
      try {
        bytes = bytes.subarray(writeSync(fd, bytes));
      } catch (error) {
        if (!isFull(error)) return;
        Atomics.wait(patience, 0, 0, RETRY_MS);
      }
    }
  }

  return {
    write(line) {
      if (isBroken || pending.length > MAX_PENDING_LENGTH) return;
      if (!isRegistered) process.on('exit', writeTheRest);
      isRegistered = true;
      pending += line;
      if (pending.length >= GROUP_LENGTH) flush();
      else if (!isWriting) schedule(MAX_WAIT_MS);
    },
  };
}

function isFull(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EAGAIN';
}
