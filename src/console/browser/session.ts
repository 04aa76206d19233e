export type Theme = 'system' | 'light' | 'dark';
const THEMES: readonly Theme[] = ['system', 'light', 'dark'];

/** What the page remembers: the token until the tab is closed, name and theme for longer. */
export interface Session {
  token(): string | null;
  setToken(token: string | null): void;
  /** Who acts, as last typed in. */
  actor(): string;
  setActor(actor: string): void;
  theme(): Theme;
  setTheme(theme: Theme): void;
}

const TOKEN = 'dagain.token';
const ACTOR = 'dagain.actor';
const THEME = 'dagain.theme';

export interface SessionDeps {
  /** Gone with the tab. */
  readonly tab: Storage;
  readonly lasting: Storage;
}

export function createSession({ tab, lasting }: SessionDeps): Session {
  return {
    token: () => tab.getItem(TOKEN),
    setToken(token) {
      if (token === null) tab.removeItem(TOKEN);
      else tab.setItem(TOKEN, token);
    },
    actor: () => lasting.getItem(ACTOR) ?? '',
    setActor: (actor) => lasting.setItem(ACTOR, actor),
    theme: () => THEMES.find((theme) => theme === lasting.getItem(THEME)) ?? 'system',
    setTheme: (theme) => lasting.setItem(THEME, theme),
  };
}
