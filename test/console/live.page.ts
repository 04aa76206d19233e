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
    const answer = await fetch(`${stage.url}/v1/runs/${KNOWN.dagId}/${encodeURIComponent(KNOWN.dagRunId)}/cancel`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ actor: 'bob' }),
    });
    expect(answer.status).toBe(200);
    await row.waitFor({ state: 'detached' });
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

describe('signing in', () => {
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
