import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openBrowser, visit } from './browser.ts';
import { KNOWN, type Stage, startStage, TOKEN } from './stage.ts';

let stage: Stage;
let browser: Browser;
let page: Page;
let context: BrowserContext;
beforeAll(async () => {
  [stage, browser] = await Promise.all([startStage({ runs: 30, recovered: 5 }), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await stage?.close();
});
beforeEach(async () => {
  ({ page, context } = await visit(browser));
});
afterEach(async () => {
  await context.close();
});

/** What somebody else does meanwhile. */
async function operate(path: string): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const answer = await fetch(`${stage.url}/${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ actor: 'bob' }),
  });
  expect(answer.status).toBe(200);
}

describe('what is shown', () => {
  test('changes by itself: a new run, and its phases', async () => {
    await page.goto(`${stage.url}/runs?dag_id=${KNOWN.dagId}&phase=confirming,waiting,watching`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText(/^\d+ runs$/).waitFor();
    expect(await page.getByText(KNOWN.dagRunId).count()).toBe(0);
    await stage.report(KNOWN);
    await page.getByText(KNOWN.dagRunId).waitFor();
    const row = page.getByRole('row').filter({ hasText: KNOWN.dagRunId });
    await row.getByText('Watching').waitFor();
    // It no longer belongs to what was asked for.
    await operate(`v1/runs/${KNOWN.dagId}/${encodeURIComponent(KNOWN.dagRunId)}/cancel`);
    await row.waitFor({ state: 'detached' });
  });

  test('is the newest also where a run changes while the whole list is loaded', async () => {
    const run = stage.records.find(({ phase, held }) => phase === 'watching' && held === null);
    if (run === undefined) throw new Error('no run is watched');
    const path = `v1/runs/${run.dagId}/${encodeURIComponent(run.dagRunId)}`;
    await page.goto(`${stage.url}/runs`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText(/^\d+ runs$/).waitFor();
    // The list as it was before the change, arriving after what was read of the run itself.
    const held = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    await page.route('**/v1/runs?*', async (route) => {
      const response = await route.fetch();
      held.resolve();
      await released.promise;
      await route.fulfill({ response });
    });
    await page.getByLabel('Watching').check();
    await held.promise;
    const single = page.waitForResponse(`${stage.url}/${path}`);
    await operate(`${path}/pause`);
    await (await single).finished();
    // The journal's tail tells of it once more within 2 s: that must not be what mends it.
    await page.waitForTimeout(3_000);
    released.resolve();
    const row = page.getByRole('row').filter({ hasText: run.dagRunId });
    await row.waitFor();
    // Not for a moment only, while one takes the place of the other.
    await page.waitForTimeout(500);
    expect(await row.getByText('Paused', { exact: true }).isVisible()).toBe(true);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  });

  test('is said to be old while the service cannot be heard, and is live again when it can', async () => {
    await page.goto(stage.url);
    await page.getByText('Live', { exact: true }).waitFor();
    await stage.stopService();
    await page.getByText('what you see may be old').waitFor();
    expect(await page.getByText('Not live', { exact: true }).isVisible()).toBe(true);
    // The figures stay: old ones are better than none.
    expect(await page.getByRole('heading', { name: 'Now' }).isVisible()).toBe(true);
    await stage.startService();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('what you see may be old').waitFor({ state: 'detached' });
  });

  test('is marked as live only once it is', async () => {
    const held = Promise.withResolvers<void>();
    await page.route('**/v1/events/stream', async (route) => {
      await held.promise;
      await route.continue();
    });
    await page.goto(stage.url);
    const colour = (text: string) =>
      page.getByText(text, { exact: true }).evaluate((mark) => getComputedStyle(mark, '::before').backgroundColor);
    const whileConnecting = await colour('Connecting');
    held.resolve();
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await colour('Live')).not.toBe(whileConnecting);
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  });

  test('counts down to the retry', async () => {
    const run = stage.records.find(({ phase, held }) => phase === 'waiting' && held === null);
    if (run === undefined) throw new Error('no run waits');
    await page.goto(`${stage.url}/runs/${run.dagId}/${encodeURIComponent(run.dagRunId)}`);
    const countdown = page.locator('.countdown').first();
    await countdown.waitFor();
    const before = await countdown.textContent();
    expect(before).toMatch(/^in (\d+ h )?\d+ min( \d+ s)?$/);
    if (before?.includes(' s') === true) await expect.poll(() => countdown.textContent()).not.toBe(before);
  });
});

describe('tabs', () => {
  /** What a browser does to a tab when another one comes to the front; it says of all pages here that they are seen. */
  async function show(tab: Page, isSeen: boolean): Promise<void> {
    await tab.evaluate((isHidden) => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
      document.dispatchEvent(new Event('visibilitychange'));
    }, !isSeen);
  }

  test('may be as many as one likes: only those that are seen hold a connection', async () => {
    const tabs = [page];
    for (let opened = 1; opened <= 8; opened++) {
      const tab = tabs.at(-1) ?? page;
      await tab.goto(`${stage.url}/runs?held=true`);
      await tab.getByText(/^\d+ runs?$/).waitFor({ timeout: 10_000 });
      await tab.getByText('Live', { exact: true }).waitFor({ timeout: 10_000 });
      await show(tab, false);
      tabs.push(await context.newPage());
    }
    // What has happened meanwhile is there as soon as the first one is looked at again.
    const run = stage.records.findLast(({ phase, held }) => phase === 'watching' && held === null);
    if (run === undefined) throw new Error('no run is watched');
    await operate(`v1/runs/${run.dagId}/${encodeURIComponent(run.dagRunId)}/pause`);
    await show(page, true);
    await page.getByText(run.dagRunId).waitFor({ timeout: 10_000 });
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 10_000 });
  });
});

describe('a service in shadow mode that asks for no token', () => {
  test('says so on every view, and lets in', async () => {
    const settings = { DAGAIN_MODE: 'shadow', DAGAIN_OPERATOR_TOKEN: '', DAGAIN_CALLBACK_TOKEN: '' };
    const shadow = await startStage({ runs: 5, recovered: 1, settings });
    const fresh = await visit(browser, { isSignedIn: false });
    for (const path of ['', 'runs', 'dags', 'events']) {
      await fresh.page.goto(`${shadow.url}/${path}`);
      await fresh.page.getByText('Shadow mode.').waitFor();
    }
    expect(await fresh.page.getByRole('button', { name: 'Sign out' }).count()).toBe(0);
    await shadow.report(KNOWN);
    await fresh.page.goto(`${shadow.url}/runs/${KNOWN.dagId}/${encodeURIComponent(KNOWN.dagRunId)}`);
    await fresh.page.getByText('Would have retried').first().waitFor();
    await fresh.page.goto(shadow.url);
    const person = fresh.page.getByRole('region', { name: 'Needs a person' });
    await person.waitFor();
    expect(await person.getByText(KNOWN.dagRunId).count()).toBe(0);
    expect(fresh.complaints).toEqual([]);
    await fresh.context.close();
    await shadow.close();
  });
});

describe('signing in', () => {
  test('names what is wrong with the token, whichever of several refusals comes first', async () => {
    const fresh = await visit(browser, { isSignedIn: false });
    await fresh.page.goto(stage.url);
    const field = fresh.page.getByLabel('Operator token');
    await field.waitFor();
    for (let round = 0; round < 10; round++) {
      await field.fill(`wrong-${round}`);
      // The page asks for four things at once, and all of them are refused.
      const refused = fresh.page.waitForResponse((answer) => answer.status() === 401);
      await fresh.page.keyboard.press('Enter');
      await refused;
      await fresh.page.waitForLoadState('networkidle');
      await field.waitFor();
      expect(await fresh.page.getByRole('alert').textContent()).toBe('The bearer token is not valid here');
    }
    await fresh.context.close();
  });

  test.each(['tökén', 'two words', 'token-日本', 'tab\tinside'])(
    'with what no header can hold is refused at once: %s',
    async (token) => {
      const fresh = await visit(browser, { isSignedIn: false });
      await fresh.page.goto(stage.url);
      const field = fresh.page.getByLabel('Operator token');
      await field.waitFor();
      await fresh.page.waitForLoadState('networkidle');
      let asked = 0;
      fresh.page.on('request', () => asked++);
      await field.fill(token);
      await fresh.page.keyboard.press('Enter');
      await fresh.page.getByRole('alert').getByText('letters beyond ASCII').waitFor();
      expect(asked).toBe(0);
      expect(await fresh.page.evaluate(() => sessionStorage.getItem('dagain.token'))).toBeNull();
      await field.fill(TOKEN);
      await fresh.page.keyboard.press('Enter');
      await fresh.page.getByText('Live', { exact: true }).waitFor();
      await fresh.context.close();
    },
  );

  test('is asked for, told why a token is wrong, remembered in the tab, and ended', async () => {
    const fresh = await visit(browser, { isSignedIn: false });
    await fresh.page.goto(`${stage.url}/runs?phase=waiting`);
    const field = fresh.page.getByLabel('Operator token');
    await field.waitFor();
    expect(await field.evaluate((element) => element === document.activeElement)).toBe(true);
    await field.fill('wrong');
    await fresh.page.keyboard.press('Enter');
    await fresh.page.getByText('The bearer token is not valid here').waitFor();
    await field.fill('callback-token-of-the-page-tests');
    await fresh.page.keyboard.press('Enter');
    await fresh.page.getByText('operations need the operator token').waitFor();
    await field.fill(TOKEN);
    await fresh.page.keyboard.press('Enter');
    await fresh.page.getByText(/^\d+ runs$/).waitFor();
    await fresh.page.getByText('Live', { exact: true }).waitFor();
    expect(fresh.page.url()).toBe(`${stage.url}/runs?phase=waiting`);
    expect(await fresh.context.cookies()).toEqual([]);
    expect(await fresh.page.evaluate(() => JSON.stringify(localStorage))).not.toContain(TOKEN);

    await fresh.page.reload();
    await fresh.page.getByText(/^\d+ runs$/).waitFor();
    await fresh.page.getByRole('button', { name: 'Sign out' }).click();
    await field.waitFor();
    expect(await fresh.page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain(TOKEN);
    await fresh.page.reload();
    await field.waitFor();
    await fresh.context.close();
  });
});
