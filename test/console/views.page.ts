import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openBrowser, visit } from './browser.ts';
import { KNOWN, type Stage, startStage } from './stage.ts';

let stage: Stage;
let browser: Browser;
beforeAll(async () => {
  [stage, browser] = await Promise.all([startStage(), openBrowser()]);
  await stage.report(KNOWN);
});
afterAll(async () => {
  await browser?.close();
  await stage?.close();
});

const RUN = `/runs/${KNOWN.dagId}/${encodeURIComponent(KNOWN.dagRunId)}`;
const VIEWS: readonly (readonly [name: string, path: string, shown: RegExp])[] = [
  ['overview', '/', /Most retried Dags/],
  ['runs', '/runs', /\d+ runs/],
  ['run', RUN, /Policy in force/],
  ['never reported run', '/runs/no_such_dag/manual__1', /Airflow knows no such run/],
  ['dags', '/dags', /Runs by phase/],
  ['events', '/events', /run succeeded/],
  ['no view', '/runs?phase=nonsense', /Correct what is named/],
];

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const Violations = z.array(
  z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string(), failureSummary: z.string() })) }),
);

async function violationsOn(page: Page) {
  // Evaluated from outside: the page's own policy would not let the script in.
  await page.evaluate(AXE);
  const found: unknown = await page.evaluate(
    'axe.run(document, { resultTypes: ["violations"] }).then((found) => found.violations)',
  );
  return Violations.parse(found).map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('; ')}`,
  );
}

describe.each(VIEWS)('the view of %s', (_name, path, shown) => {
  test.each(['light', 'dark'] as const)('shows itself, without complaint or axe violation, %s', async (colorScheme) => {
    const { page, context, complaints } = await visit(browser, { colorScheme, reducedMotion: 'reduce' });
    await page.goto(stage.url + path);
    await page.getByText(shown).first().waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    expect(await violationsOn(page)).toEqual([]);
    expect(complaints.filter((line) => !line.includes('status of 400'))).toEqual([]);
    await context.close();
  });

  test('fits on a phone of 360 pixels, also for axe', async () => {
    const { page, context } = await visit(browser, {
      viewport: { width: 360, height: 740 },
      isMobile: true,
      hasTouch: true,
    });
    await page.goto(stage.url + path);
    await page.getByText(shown).first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
    expect(await violationsOn(page)).toEqual([]);
    await context.close();
  });
});

describe('a dialog', () => {
  test.each(['light', 'dark'] as const)('has no axe violation, %s', async (colorScheme) => {
    const { page, context } = await visit(browser, { colorScheme });
    await page.goto(stage.url + RUN);
    await page.getByRole('button', { name: 'Cancel retries…' }).click();
    await page.getByRole('dialog').waitFor();
    expect(await violationsOn(page)).toEqual([]);
    await context.close();
  });
});

describe('the overview', () => {
  test('ranks Dags by retries and tasks by failures, over the chosen time', async () => {
    const { page, context } = await visit(browser);
    await page.goto(stage.url);
    const dags = page.getByRole('region', { name: 'Most retried Dags' });
    const tasks = page.getByRole('region', { name: 'Tasks that fail most' });
    /** Failures of each task; retries and give-ups of each Dag. */
    const figuresOf = async (region: typeof dags) => {
      const rows = await region.locator('tbody tr').all();
      const cells = await Promise.all(rows.map((row) => row.locator('td').allTextContents()));
      return cells.map(([first, _recovered, gaveUp = '0']) => Number(first) + Number(gaveUp));
    };
    await dags.waitFor();
    for (const region of [dags, tasks]) {
      const figures = await figuresOf(region);
      expect(figures.length).toBeGreaterThan(4);
      expect(figures).toEqual(figures.toSorted((a, b) => b - a));
    }
    const [mostInADay = 0] = await figuresOf(dags);
    await page.getByLabel('Time').selectOption('Last hour');
    await expect.poll(async () => (await figuresOf(dags))[0] ?? 0).toBeLessThan(mostInADay);
    expect(page.url()).toContain('window=1h');
    await context.close();
  });

  test('tells by its figures what the store holds', async () => {
    const { page, context } = await visit(browser);
    await page.goto(stage.url);
    const many = stage.records.filter(({ phase }) => phase === 'gave_up').length;
    const tile = page.getByRole('region', { name: 'Now' }).getByRole('link').filter({ hasText: 'Gave up' });
    await expect.poll(async () => Number((await tile.locator('.figure').textContent()) ?? '')).toBe(many);
    await tile.click();
    await page.getByText(`${many} runs`, { exact: true }).waitFor();
    await context.close();
  });
});

describe('times', () => {
  test('stand in the zone of who reads, and in UTC', async () => {
    const { page, context } = await visit(browser, { timezoneId: 'Asia/Kolkata' });
    await page.goto(stage.url + RUN);
    const title = await page.locator('time').first().getAttribute('title');
    const at = Date.parse((await page.locator('time').first().getAttribute('datetime')) ?? '');
    const utc = new Date(at).toISOString().slice(11, 19);
    const local = new Date(at + 5.5 * 3_600_000).toISOString().slice(11, 19);
    expect(title).toContain(local);
    expect(title).toContain(`${utc} UTC`);
    await context.close();
  });
});

describe('the theme', () => {
  test('is the one that was chosen, also after loading again', async () => {
    const { page, context } = await visit(browser, { colorScheme: 'light' });
    const ground = () =>
      page.evaluate(() => getComputedStyle(document.body.parentElement ?? document.body).backgroundColor);
    await page.goto(stage.url);
    const light = await ground();
    await page.getByLabel('Theme').selectOption('Dark');
    // The choice takes effect with the next rendering.
    await expect.poll(ground).not.toBe(light);
    const dark = await ground();
    await page.reload();
    await page.getByLabel('Theme').waitFor();
    await expect.poll(ground).toBe(dark);
    await context.close();
  });
});
