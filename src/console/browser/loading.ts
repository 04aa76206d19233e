import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, adviceFor } from './api.ts';
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
  const running = useRef<AbortController | null>(null);

  const reload = useCallback(() => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    latest.current.load(controller.signal).then(
      (data) => {
        if (!controller.signal.aborted) setState({ key, data, error: null });
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        setState((before) => ({ key, data: before.key === key ? before.data : null, error }));
      },
    );
  }, [key]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    reload();
    const stopListening = live.onChange((runs) => {
      if (timer !== null || !latest.current.concerns(runs)) return;
      timer = setTimeout(() => {
        timer = null;
        reload();
      }, RELOAD_AFTER_MS);
    });
    const refresh = setInterval(reload, REFRESH_MS);
    return () => {
      stopListening();
      clearInterval(refresh);
      if (timer !== null) clearTimeout(timer);
      running.current?.abort();
    };
  }, [live, reload]);

  return { data: state.key === key ? state.data : null, error: state.error, reload };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
