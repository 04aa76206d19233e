import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser, visit } from './browser.ts';
import { type Stage, startProxy, startStage } from './stage.ts';

let stage: Stage;
let browser: Browser;
beforeAll(async () => {
  const settings = { DAGAIN_PUBLIC_URL: 'https://tools.example/ops/dagain' };
  [stage, browser] = await Promise.all([startStage({ runs: 20, recovered: 3, settings }), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await stage?.close();
});

/** Everything that an id may hold and an address gives a meaning to. */
const ODD = { dagId: 'odd & <dag>;=+', dagRunId: 'manual__2026-01-01T00:00:00+00:00 ~@!$\'()*,[]"ü日' };

describe.each([
  ['/ops/dagain', false],
  ['/some/where/else', true],
])('behind a proxy under %s (which it strips: %s)', (prefix, strips) => {
  test('every view loads, by link and by deep link, and back again', async () => {
    const proxy = await startProxy(stage.url, prefix, strips);
    await stage.report(ODD);
    const { page, context, complaints } = await visit(browser);
    const run = `${proxy.url}/runs/${encodeURIComponent(ODD.dagId)}/${encodeURIComponent(ODD.dagRunId)}`;
    await page.goto(run);
    await page.getByRole('heading', { level: 1 }).getByText(ODD.dagRunId).waitFor();
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('link', { name: 'Runs' }).first().click();
    await page.getByText(/^\d+ runs$/).waitFor();
    expect(page.url()).toBe(`${proxy.url}/runs`);
    await page.getByRole('link', { name: 'Dags' }).click();
    await page.getByText('Runs by phase').waitFor();
    await page.goBack();
    await page.getByText(/^\d+ runs$/).waitFor();
    await page.goBack();
    await page.getByRole('heading', { level: 1 }).getByText(ODD.dagRunId).waitFor();
    expect(page.url()).toBe(new URL(run).href);
    await page.reload();
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
    expect(complaints).toEqual([]);
    await context.close();
    proxy.close();
  });
});

describe('an address', () => {
  test('holds the filters, so that it can be passed on', async () => {
    const { page, context } = await visit(browser);
    await page.goto(`${stage.url}/runs`);
    await page.getByLabel('Waiting').check();
    await page.getByLabel('Dag', { exact: true }).fill('etl_*');
    await page.getByLabel('First failed').selectOption('More than 1 hour ago');
    await expect.poll(() => page.url()).toContain('dag_id=etl_*');
    const url = page.url();
    expect(url).toContain('phase=waiting');
    expect(url).toContain('older_than=1h');
    const text = await page.getByText(/^\d+ runs?$/).textContent();
    const other = await visit(browser);
    await other.page.goto(url);
    await other.page.getByText(text ?? '', { exact: true }).waitFor();
    expect(await other.page.getByLabel('Waiting').isChecked()).toBe(true);
    await other.context.close();
    await context.close();
  });

  test('with a slash at its end shows the same view', async () => {
    const { page, context, complaints } = await visit(browser);
    for (const [path, heading] of [
      ['runs/', 'Runs'],
      ['dags/', 'Dags'],
      ['events/', 'Events'],
      ['ops/dagain/runs/', 'Runs'],
    ] as const) {
      await page.goto(`${stage.url}/${path}`);
      await page.getByRole('heading', { level: 1, name: heading }).waitFor();
    }
    await stage.report(ODD);
    await page.goto(`${stage.url}/runs/${encodeURIComponent(ODD.dagId)}/${encodeURIComponent(ODD.dagRunId)}/`);
    await page.getByRole('heading', { name: 'Timeline' }).waitFor();
    await page.getByRole('link', { name: 'Dags' }).click();
    await page.getByText('Runs by phase').waitFor();
    expect(page.url()).toBe(`${stage.url}/dags`);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('that is no view says so', async () => {
    const { page, context } = await visit(browser);
    for (const path of ['nope', 'runs/only_a_dag', 'nope/deep/er/']) {
      const answer = await page.goto(`${stage.url}/${path}`);
      expect(answer?.status()).toBe(404);
      await page.getByRole('heading', { name: 'Nothing here' }).waitFor();
      await page.getByRole('link', { name: 'Runs' }).first().click();
      expect(page.url()).toBe(`${stage.url}/runs`);
    }
    await page.goto(`${stage.url}/runs`);
    await page.evaluate(() => history.pushState(null, '', 'nowhere'));
    await page.goBack();
    await page.goForward();
    await page.getByRole('heading', { name: 'Nothing here' }).waitFor();
    await context.close();
  });
});
