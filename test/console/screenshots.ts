import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { until } from '../app/stack.ts';
import { openBrowser, visit } from './browser.ts';
import { KNOWN, startStage, TOKEN } from './stage.ts';

/** The README's pictures, from the same data at the same moment each time. */
const FOLDER = join(import.meta.dirname, '../../deploy/screenshots');
const NOW_MS = Date.UTC(2026, 10, 20, 14, 30);

const only = process.argv[2] ?? '';
const stage = await startStage({
  frozenAtMs: NOW_MS,
  runs: 240,
  settings: { DAGAIN_RETRY_DELAY: '45m' },
});
const FAILED_AT_MS = NOW_MS - 37 * 60_000;
stage.standAt(FAILED_AT_MS + 10_000);
await stage.report(KNOWN, {
  operator: 'PythonOperator',
  try_number: 1,
  failed_at: new Date(FAILED_AT_MS).toISOString(),
});
const run = `/runs/${KNOWN.dagId}/${encodeURIComponent(KNOWN.dagRunId)}`;
const headers = { authorization: `Bearer ${TOKEN}` };
await until(async () =>
  (await (await fetch(`${stage.url}/v1${run}`, { headers })).text()).includes('"phase":"waiting"'),
);
stage.standAt(NOW_MS);
const browser = await openBrowser();
await mkdir(FOLDER, { recursive: true });

async function shoot(
  name: string,
  path: string,
  options: Parameters<typeof visit>[1] = {},
  act?: (page: Page) => Promise<void>,
) {
  if (!name.includes(only)) return;
  const { page, context, complaints } = await visit(browser, { ...options, reducedMotion: 'reduce' });
  await page.clock.setFixedTime(NOW_MS);
  await page.goto(stage.url + path);
  await page.getByText('Live', { exact: true }).waitFor();
  await page.waitForTimeout(1_500);
  await act?.(page);
  await page.screenshot({ path: join(FOLDER, `${name}.png`) });
  for (const complaint of complaints) process.stderr.write(`${name}: ${complaint}\n`);
  await context.close();
}

await shoot('overview', '/', { viewport: { width: 1280, height: 860 } });
await shoot('runs', '/runs', { colorScheme: 'dark' });
await shoot('run', run, { viewport: { width: 1280, height: 900 } });
await shoot('phone', run, { viewport: { width: 390, height: 844 }, isMobile: true });
if (only !== '') {
  await shoot('dags', '/dags');
  await shoot('events', '/events');
  await shoot('narrow-runs', '/runs', { viewport: { width: 360, height: 740 }, isMobile: true });
  await shoot('narrow-overview', '/', { viewport: { width: 360, height: 740 }, isMobile: true });
}

await browser.close();
await stage.close();
