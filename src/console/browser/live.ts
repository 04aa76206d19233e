import { type Api, ApiError } from './api.ts';
import { createEventParser, type ServerEvent } from './server-sent.ts';

export interface RunId {
  readonly dag_id: string;
  readonly dag_run_id: string;
}

export interface LiveStatus {
  /** `broken`: what is shown may be old; it is tried again by itself. */
  readonly state: 'connecting' | 'live' | 'broken';
  readonly mode: 'active' | 'shadow' | null;
  readonly version: string | null;
  /** How far this browser's clock is behind the service's, in milliseconds. */
  readonly skewMs: number;
}

/** Hears from the service when something has changed. */
export interface Live {
  status(): LiveStatus;
  onStatus(listener: (status: LiveStatus) => void): () => void;
  /** Null: too many to name, or some may have been missed. */
  onChange(listener: (runs: readonly RunId[] | null) => void): () => void;
  start(): void;
  stop(): void;
}

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
/** The service says something every 15 s; a connection that is silent for longer is dead. */
const SILENCE_MS = 40_000;

/** A browser opens six connections to a service at most, for all its tabs: one that nobody sees keeps none. */
export function createLive(api: Pick<Api, 'stream'>, page: Pick<Document, 'hidden' | 'addEventListener'>): Live {
  const statusListeners = new Set<(status: LiveStatus) => void>();
  const changeListeners = new Set<(runs: readonly RunId[] | null) => void>();
  let status: LiveStatus = { state: 'connecting', mode: null, version: null, skewMs: 0 };
  let stopping: AbortController | null = null;
  let isWanted = false;

  function become(change: Partial<LiveStatus>): void {
    status = { ...status, ...change };
    for (const listener of statusListeners) listener(status);
  }

  function changed(runs: readonly RunId[] | null): void {
    for (const listener of changeListeners) listener(runs);
  }

  function take({ name, data }: ServerEvent): void {
    const content = JSON.parse(data);
    if (name === 'changed') changed(content.runs);
    if (name !== 'hello') return;
    const { mode, version, now } = content;
    become({ state: 'live', mode, version, skewMs: Date.parse(now) - Date.now() });
    // Whatever happened while nobody listened.
    changed(null);
  }

  async function listen(stopped: AbortSignal): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    const stream = await api.stream('v1/events/stream', AbortSignal.any([stopped, silence.signal]));
    const parse = createEventParser(take);
    const reader = stream.getReader();
    try {
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        parse(piece.value);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async function keepListening(stopped: AbortSignal): Promise<void> {
    let waitMs = FIRST_WAIT_MS;
    while (!stopped.aborted) {
      const startedAtMs = performance.now();
      const error: unknown = await listen(stopped).then(
        () => null,
        (reason: unknown) => reason,
      );
      if (stopped.aborted) return;
      become({ state: 'broken' });
      // Signing in begins anew.
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return;
      if (performance.now() - startedAtMs > LONGEST_WAIT_MS) waitMs = FIRST_WAIT_MS;
      // Not all pages at once when a service comes back.
      await pause(waitMs * (0.75 + Math.random() / 2), stopped);
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
    }
  }

  function begin(): void {
    stopping?.abort();
    stopping = null;
    if (!isWanted || page.hidden) return;
    stopping = new AbortController();
    become({ state: 'connecting' });
    void keepListening(stopping.signal);
  }
  page.addEventListener('visibilitychange', begin);

  return {
    status: () => status,
    onStatus: (listener) => subscribe(statusListeners, listener),
    onChange: (listener) => subscribe(changeListeners, listener),
    start() {
      isWanted = true;
      begin();
    },
    stop() {
      isWanted = false;
      begin();
    },
  };
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function pause(durationMs: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, durationMs);
    stopped.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
