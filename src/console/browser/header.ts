import { h } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useLiveStatus, usePage } from './context.ts';
import { typedIn } from './dialogs/act-form.ts';
import { html, type View } from './html.ts';
import { Link } from './link.ts';
import { pathTo, type Route } from './router.ts';
import type { Theme } from './session.ts';

export interface HeaderProps {
  readonly route: Route;
  readonly signOut: () => void;
}

/** Where one is, where one can go, and whether what one sees is live. */
export function Header({ route, signOut }: HeaderProps): View {
  const { session } = usePage();
  const { mode } = useLiveStatus();
  const link = (view: '' | 'runs' | 'dags' | 'events', label: string, isCurrent: boolean) =>
    h(Link, { to: pathTo(view), current: isCurrent, children: label });
  return html`<header class="top">
      <div class="brand">${h(Link, { to: '', label: 'dagain, overview', children: html`<span aria-hidden="true">dag<b>ain</b></span>` })}</div>
      <nav aria-label="Views">
        ${link('', 'Overview', route.view === 'overview')}
        ${link('runs', 'Runs', route.view === 'runs' || route.view === 'run')}
        ${link('dags', 'Dags', route.view === 'dags')} ${link('events', 'Events', route.view === 'events')}
      </nav>
      <div class="tools">
        ${h(LiveMark, {})} ${h(ThemeSwitch, {})}
        ${session.token() !== null && html`<button class="plain" onClick=${signOut}>Sign out</button>`}
      </div>
    </header>
    ${h(StaleBar, {})}
    ${
      mode === 'shadow' &&
      html`<p class="bar shadow"><strong>Shadow mode.</strong> Everything is decided and shown; nothing is cleared.</p>`
    }`;
}

const LIVE_TEXT = { connecting: 'Connecting', live: 'Live', broken: 'Not live' } as const;

function LiveMark(): View {
  const { state, version } = useLiveStatus();
  const title = version === null ? '' : `dagain ${version}`;
  return html`<span class="live is-${state}" title=${title}>${LIVE_TEXT[state]}</span>`;
}

function StaleBar(): View {
  const { state } = useLiveStatus();
  const isBroken = state === 'broken';
  return html`<div role="status">
    ${
      isBroken &&
      html`<p class="bar stale">
        <strong>Not live.</strong> The service cannot be heard; what you see may be old. The page keeps trying.
      </p>`
    }
  </div>`;
}

const THEME_TEXT: Readonly<Record<Theme, string>> = { system: 'Auto', light: 'Light', dark: 'Dark' };
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

function ThemeSwitch(): View {
  const { session } = usePage();
  const [theme, setTheme] = useState(session.theme());
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  const change = (event: Event) => {
    const chosen = THEMES.find((one) => one === typedIn(event)) ?? 'system';
    session.setTheme(chosen);
    setTheme(chosen);
  };
  return html`<select class="theme" aria-label="Theme" value=${theme} onChange=${change}>
    ${THEMES.map((one) => html`<option key=${one} value=${one} selected=${one === theme}>${THEME_TEXT[one]}</option>`)}
  </select>`;
}
