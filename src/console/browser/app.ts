import { h } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Api } from './api.ts';
import { Now, Page, type PageContext, usePage } from './context.ts';
import { DagsView } from './dags.ts';
import { EventsView } from './events.ts';
import { Header } from './header.ts';
import { html, type View } from './html.ts';
import type { Live } from './live.ts';
import { OverviewView } from './overview/overview.ts';
import type { Route, Router } from './router.ts';
import { RunView } from './run/run.ts';
import { RunsView } from './runs/runs.ts';
import type { Session } from './session.ts';
import { SignIn } from './sign-in.ts';

export interface AppProps {
  readonly api: Api;
  readonly live: Live;
  readonly router: Router;
  readonly session: Session;
  /** Tells by `refused` that the service wants another token. */
  readonly unauthorized: EventTarget;
}

/** How long a message stays to be read. */
const MESSAGE_MS = 10_000;

export function App({ api, live, router, session, unauthorized }: AppProps): View {
  const [route, setRoute] = useState(router.current());
  const [refusal, setRefusal] = useState<string | null>(null);
  const [message, setMessage] = useState('');
  const messageTimer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const main = useRef<HTMLElement>(null);

  const announce = useCallback((text: string) => {
    clearTimeout(messageTimer.current);
    setMessage(text);
    messageTimer.current = setTimeout(() => setMessage(''), MESSAGE_MS);
  }, []);
  const page = useMemo<PageContext>(
    () => ({ api, live, router, session, announce }),
    [api, live, router, session, announce],
  );

  useEffect(() => router.listen(setRoute), [router]);
  useEffect(() => {
    const refused = (event: Event) => {
      live.stop();
      setRefusal(event instanceof CustomEvent ? String(event.detail) : '');
    };
    unauthorized.addEventListener('refused', refused);
    live.start();
    return () => unauthorized.removeEventListener('refused', refused);
  }, [unauthorized, live]);

  const place = route.view === 'run' ? `run ${route.dagId} ${route.dagRunId}` : route.view;
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${titleOf(route)} · dagain`;
    // As a browser does when it loads another page: reading begins at the top.
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
    // Only another place counts: `route` also changes with every filter.
  }, [place]);

  function signIn(token: string): void {
    session.setToken(token);
    setRefusal(null);
    live.start();
  }
  function signOut(): void {
    session.setToken(null);
    live.stop();
    setRefusal('');
  }

  const content =
    refusal === null
      ? html`${h(Header, { route, signOut })}
          <main id="main" tabindex="-1" ref=${main}>${viewOf(route)}</main>`
      : html`<main id="main" tabindex="-1" ref=${main}>
          ${h(SignIn, { problem: session.token() === null ? null : refusal, onToken: signIn })}
        </main>`;
  return h(Page.Provider, {
    value: page,
    children: h(Clock, {
      children: html`<button class="skip" onClick=${() => main.current?.focus()}>Skip to content</button>
        ${content}
        <div class="message" role="status" data-shown=${message !== ''}>${message}</div>`,
    }),
  });
}

function titleOf(route: Route): string {
  switch (route.view) {
    case 'overview':
      return 'Overview';
    case 'runs':
      return 'Runs';
    case 'run':
      return `${route.dagId} ${route.dagRunId}`;
    case 'dags':
      return 'Dags';
    case 'events':
      return 'Events';
    case 'missing':
      return 'Nothing here';
  }
}

function viewOf(route: Route): View {
  switch (route.view) {
    case 'overview':
      return h(OverviewView, { query: route.query });
    case 'runs':
      return h(RunsView, { query: route.query });
    case 'run':
      return h(RunView, { dagId: route.dagId, dagRunId: route.dagRunId });
    case 'dags':
      return h(DagsView, {});
    case 'events':
      return h(EventsView, { query: route.query });
    case 'missing':
      return html`<h1>Nothing here</h1><p>The page has no such view. The header links to those that it has.</p>`;
  }
}

/** One clock for all times on the page, set by the service's. */
function Clock({ children }: { readonly children?: View }): View {
  const [nowMs, setNowMs] = useState(Date.now());
  const { live } = usePage();
  useEffect(() => {
    const tick = () => setNowMs(Date.now() + live.status().skewMs);
    const timer = setInterval(tick, 1_000);
    const stop = live.onStatus(tick);
    return () => {
      clearInterval(timer);
      stop();
    };
  }, [live]);
  return h(Now.Provider, { value: nowMs, children });
}
