import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser, visit } from './browser.ts';
import { type Stage, startStage } from './stage.ts';

const MANY = 5_000;
/** Until the rows are drawn, in nine of ten steps, on a busy machine with two cores; a frame is 16 ms. */
const MOST_MS = 250;

let stage: Stage;
let browser: Browser;
beforeAll(async () => {
  [stage, browser] = await Promise.all([startStage({ runs: MANY, recovered: 0 }), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await stage?.close();
});

describe(`a list of ${MANY} runs`, () => {
  test('holds a screenful of rows, and scrolls to its end without lag', async () => {
    const { page, context } = await visit(browser);
    await page.goto(`${stage.url}/runs?sort=dag`);
    await page.getByText('5,000 runs').waitFor();
    const rows = page.locator('.runs tbody tr:not(.space)');
    expect(await rows.count()).toBeLessThan(60);

    const mostlyMs = await page.locator('.window').evaluate(async (element) => {
      const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      const took: number[] = [];
      for (let step = 1; step <= 100; step++) {
        const from = performance.now();
        element.scrollTop = (step / 100) * element.scrollHeight;
        await frame();
        took.push(performance.now() - from);
      }
      return took.toSorted((a, b) => a - b)[90] ?? Number.POSITIVE_INFINITY;
    });
    expect(mostlyMs).toBeLessThan(MOST_MS);

    const ids = stage.records.map(({ dagId, dagRunId }) => `${dagId} ${dagRunId}`).toSorted((a, b) => (a < b ? -1 : 1));
    await page.getByLabel(`Select ${ids.at(-1)}`).waitFor();
    expect(await rows.last().getAttribute('aria-rowindex')).toBe(String(MANY + 1));
    expect(await rows.count()).toBeLessThan(60);
    await context.close();
  });

  test('finds what is typed, and orders it', async () => {
    const { page, context } = await visit(browser);
    await page.goto(`${stage.url}/runs`);
    await page.getByText('5,000 runs').waitFor();
    const wanted = stage.records[4_321];
    if (wanted === undefined) throw new Error('there are fewer');
    await page.getByLabel('Text').fill(wanted.dagRunId);
    await page.getByText('1 run', { exact: true }).waitFor();
    await page.getByLabel('Text').fill('killedworker');
    await page.getByText(/^[1-9][\d,]* runs$/).waitFor();
    await page.getByLabel('Order', { exact: true }).selectOption('Most retries first');
    await page.locator('.runs tbody tr').first().getByText('3 of 3').waitFor();
    await context.close();
  });

  test('is a list of cards on a phone', async () => {
    const { page, context } = await visit(browser, { viewport: { width: 360, height: 740 }, isMobile: true });
    await page.goto(`${stage.url}/runs?sort=dag`);
    await page.getByText('5,000 runs').waitFor();
    const heights = await page
      .locator('.runs tbody tr:not(.space)')
      .evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().height));
    expect(new Set(heights)).toEqual(new Set([176]));
    const hidden = await page
      .locator('.runs tbody tr:not(.space)')
      .evaluateAll((rows) => rows.filter((row) => row.scrollHeight > row.clientHeight + 1).length);
    expect(hidden).toBe(0);
    await context.close();
  });
});
