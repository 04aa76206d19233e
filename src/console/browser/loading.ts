import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { adviceFor, messageOf } from './advice.ts';
import { ApiError } from './api.ts';
import { usePage } from './context.ts';
import { html, type View } from './html.ts';
import type { RunId } from './live.ts';

export interface Loaded<T> {
  readonly data: T | null;
  readonly error: unknown;
  reload(): void;
}

/** Bursts of changes cost one request. */
const RELOAD_AFTER_MS = 400;
/** What takes long to answer is asked for less often: it rests so many times as long as it took. */
const REST = 5;
/** Also without a word from the service: what it shows changes with time alone, and live updates may be broken. */
const REFRESH_MS = 30_000;

/** Loads when `key` changes, when the service says that something `concerns` this, and now and then. */
export function useLoaded<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  concerns: (runs: readonly RunId[] | null) => boolean = () => true,
): Loaded<T> {
  const { live } = usePage();
  const [state, setState] = useState<{ key: string; data: T | null; error: unknown }>({ key, data: null, error: null });
  const latest = useRef({ load, concerns });
  latest.current = { load, concerns };
  const loader = useRef<Loader | null>(null);

  useEffect(() => {
    const current = createLoader(async (signal) => {
      try {
        const data = await latest.current.load(signal);
        if (!signal.aborted) setState({ key, data, error: null });
      } catch (error) {
        if (!signal.aborted) setState((before) => ({ key, data: before.key === key ? before.data : null, error }));
      }
    });
    loader.current = current;
    current.loadNow();
    const stopListening = live.onChange((runs) => {
      if (latest.current.concerns(runs)) current.loadSoon();
    });
    const refresh = setInterval(() => {
      if (!document.hidden) current.loadSoon();
    }, REFRESH_MS);
    return () => {
      stopListening();
      clearInterval(refresh);
      current.stop();
    };
  }, [live, key]);

  const reload = useCallback(() => loader.current?.loadNow(), []);
  return { data: state.key === key ? state.data : null, error: state.error, reload };
}

interface Loader {
  /** At once, or as soon as the load under way has ended, which may not know the latest. */
  loadNow(): void;
  loadSoon(): void;
  stop(): void;
}

/** One load at a time; a load is never given up for a newer one, or a busy service would never be seen. */
function createLoader(load: (signal: AbortSignal) => Promise<void>): Loader {
  const stopping = new AbortController();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let isLoading = false;
  let next: 'none' | 'soon' | 'now' = 'none';
  let waitMs = RELOAD_AFTER_MS;

  async function run(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    isLoading = true;
    next = 'none';
    const startedAtMs = performance.now();
    await load(stopping.signal);
    waitMs = Math.min(Math.max(RELOAD_AFTER_MS, REST * (performance.now() - startedAtMs)), REFRESH_MS);
    isLoading = false;
    goOn();
  }

  function goOn(): void {
    if (stopping.signal.aborted || isLoading) return;
    if (next === 'now') void run();
    else if (next === 'soon') timer ??= setTimeout(() => void run(), waitMs);
  }

  return {
    loadNow() {
      next = 'now';
      goOn();
    },
    loadSoon() {
      if (next === 'none') next = 'soon';
      goOn();
    },
    stop() {
      stopping.abort();
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** What went wrong and what to do about it; nothing where nothing did. */
export function Problem({ error }: { readonly error: unknown }): View {
  // Signing in is asked for by the page itself.
  if (error === null || (error instanceof ApiError && error.status === 401)) return null;
  return html`<div class="problem" role="alert">
    <strong>${messageOf(error)}</strong> <span>${adviceFor(error)}</span>
  </div>`;
}

/** While nothing is there yet. */
export function Waiting({ what }: { readonly what: string }): View {
  return html`<p class="quiet" role="status">Loading ${what}…</p>`;
}
