import type { Request, Response } from 'express';
import type { RunKey } from '../core/run-key.ts';
import type { Clock } from '../engine/clock.ts';
import type { ChangedRuns, LiveChanges } from '../engine/live-changes.ts';
import { isoTime } from './iso-time.ts';
import { HttpProblem } from './problems.ts';
import { readQuery } from './query.ts';
import type { Route } from './route.ts';

const MAX_STREAMS = 100;
/** Less than what proxies and the server itself take for a dead connection. */
const PING_MS = 15_000;
/** Whoever does not read what is sent is let go, in bytes. */
const MAX_UNREAD = 64 * 1024;

export interface EventStreamDeps {
  readonly changes: Pick<LiveChanges, 'listen'>;
  readonly clock: Clock;
  readonly version: string;
  readonly mode: 'active' | 'shadow';
}

/** Tells pages when to load again, as server-sent events: `hello` first, then `changed`. */
export function eventStreamRoute({ changes, clock, version, mode }: EventStreamDeps): Route {
  const open = new Set<Response>();

  function begin(response: Response): void {
    response.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store',
      // Its end is the end of the connection, so that nobody waits for it when the service closes.
      Connection: 'close',
      // Some proxies keep an answer until it is complete unless they are told not to.
      'X-Accel-Buffering': 'no',
    });
  }

  function stream(request: Request, response: Response): void {
    readQuery(request.url, []);
    if (open.size >= MAX_STREAMS) {
      const detail = `At most ${MAX_STREAMS} streams are served at a time`;
      throw new HttpProblem('too_many_streams', detail, { headers: { 'Retry-After': '5' } });
    }
    begin(response);
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    serve(response);
  }

  function serve(response: Response): void {
    open.add(response);
    let cancelPing = () => {};
    let stopListening = () => {};
    const send = (text: string) => {
      // Where the reader is stalled, its end and its close are far apart.
      if (response.writableEnded) return;
      if (response.writableLength > MAX_UNREAD) response.destroy();
      else response.write(text);
    };
    const ping = () => {
      send(': ping\n\n');
      cancelPing = clock.schedule(PING_MS, ping);
    };
    response.on('close', () => {
      cancelPing();
      stopListening();
      open.delete(response);
    });
    send(eventText('hello', { version, mode, now: isoTime(clock.nowMs()) }));
    cancelPing = clock.schedule(PING_MS, ping);
    // May end at once.
    stopListening = changes.listen({
      changed: (runs) => send(eventText('changed', { runs: runsOf(runs) })),
      ended: () => {
        cancelPing();
        response.end();
      },
    });
  }

  return { method: 'get', path: '/v1/events/stream', access: 'operator', handle: stream };
}

function eventText(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

function runsOf(runs: ChangedRuns) {
  return runs === null ? null : runs.map(({ dagId, dagRunId }: RunKey) => ({ dag_id: dagId, dag_run_id: dagRunId }));
}
