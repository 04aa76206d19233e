import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { TOKEN } from './stage.ts';

/** Where Debian puts it; `apt-get install chromium`. */
const CHROMIUM = '/usr/bin/chromium';

export async function openBrowser(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-dev-shm-usage'];
  return await chromium.launch({ executablePath: CHROMIUM, headless: true, args });
}

export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the browser has complained of: errors, refused scripts and styles, failed requests. */
  readonly complaints: string[];
}

export interface VisitOptions extends BrowserContextOptions {
  /** Signed in by default. */
  readonly isSignedIn?: boolean;
}

/** A new tab, as of somebody who has typed in the token and a name before. */
export async function visit(browser: Browser, { isSignedIn = true, ...options }: VisitOptions = {}): Promise<Visit> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    ...options,
  });
  if (isSignedIn) {
    await context.addInitScript((token) => {
      sessionStorage.setItem('dagain.token', token);
      if (localStorage.getItem('dagain.actor') === null) localStorage.setItem('dagain.actor', 'ada');
    }, TOKEN);
  }
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return { page, context, complaints };
}
