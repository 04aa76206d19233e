import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../app/stack.ts';
import { ROOT } from '../docs/generated.ts';
import { openBrowser, visit } from './browser.ts';
import { TOKEN } from './stage.ts';

let service: ChildProcess;
let browser: Browser;
let folder: string;
let url = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dagain-built-'));
  browser = await openBrowser();
  service = spawn(process.execPath, ['dist/main.js', 'serve'], {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'],
      DAGAIN_PORT: '0',
      // Nobody is there: the page says so.
      DAGAIN_AIRFLOW_URL: 'http://127.0.0.1:9',
      DAGAIN_DATA_DIR: folder,
      DAGAIN_OPERATOR_TOKEN: TOKEN,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  service.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    url = /"msg":"listening on (http[^"]+)"/.exec(out)?.[1] ?? '';
  });
  await until(() => url !== '');
});
afterAll(async () => {
  service?.kill('SIGTERM');
  if (service !== undefined && service.exitCode === null) await once(service, 'exit');
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

describe('the page of what npm run build has made', () => {
  test('shows itself, and that Airflow cannot be reached', async () => {
    const { page, context, complaints } = await visit(browser);
    await page.goto(url);
    await page.getByText('Nothing: no run has been given up.').waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByText('Airflow cannot be reached.').waitFor();
    expect(complaints).toEqual([]);
    await context.close();
  });
});
