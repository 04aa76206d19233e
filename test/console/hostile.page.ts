import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBrowser, visit } from './browser.ts';
import { type Stage, startStage, TOKEN } from './stage.ts';

let stage: Stage;
let browser: Browser;
beforeAll(async () => {
  [stage, browser] = await Promise.all([startStage({ runs: 3, recovered: 2 }), openBrowser()]);
});
afterAll(async () => {
  await browser?.close();
  await stage?.close();
});

const EVIL = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>';
const IN_AN_ID = '<img src=x onerror=alert(1)>"\'&amp;`{{1}}';
const RUN = { dagId: IN_AN_ID, dagRunId: `manual__${IN_AN_ID}` };

describe('texts from tasks and people', () => {
  test('are shown as text wherever they come to stand', async () => {
    await stage.report(RUN, {
      task_id: IN_AN_ID,
      operator: EVIL,
      exception: { type: EVIL, message: `${EVIL}\u202e\u0000 ${'long'.repeat(2_000)}` },
      log_url: 'javascript:document.title="owned"',
    });
    const path = `${encodeURIComponent(RUN.dagId)}/${encodeURIComponent(RUN.dagRunId)}`;
    const paused = await fetch(`${stage.url}/v1/runs/${path}/pause`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ actor: EVIL.slice(0, 200), comment: EVIL }),
    });
    expect(paused.status).toBe(200);

    const { page, context, complaints } = await visit(browser);
    let dialogs = 0;
    page.on('dialog', (dialog) => {
      dialogs++;
      void dialog.dismiss();
    });
    const views: readonly (readonly [string, string])[] = [
      [`/runs/${path}`, 'Timeline'],
      ['/runs', RUN.dagRunId],
      ['/', 'Most retried Dags'],
      ['/dags', RUN.dagId],
      ['/events', EVIL],
    ];
    for (const [address, shown] of views) {
      await page.goto(stage.url + address);
      await page.getByText(shown).first().waitFor();
      expect(await page.locator('img, iframe, script:not([src]), [onerror]').count()).toBe(0);
      expect(await page.locator('a[href^="javascript"]').count()).toBe(0);
      expect(await page.title()).not.toBe('owned');
    }
    await page.goto(`${stage.url}/runs/${path}`);
    await page
      .getByText(`by ${EVIL.slice(0, 200)}: ${EVIL}`)
      .first()
      .waitFor();
    await page.getByRole('button', { name: 'Resume…' }).click();
    await page.getByRole('dialog').getByText(RUN.dagRunId).waitFor();
    expect(dialogs).toBe(0);
    expect(complaints).toEqual([]);
    await context.close();
  });

  test('would be stopped by the policy all the same', async () => {
    const { page, context, complaints } = await visit(browser);
    await page.goto(stage.url);
    const outcome = await page.evaluate(() => {
      try {
        document.body.innerHTML += '<p>markup</p>';
        return 'taken';
      } catch (error) {
        return String(error);
      }
    });
    expect(outcome).toContain('TrustedHTML');
    expect(complaints.join()).toContain('Trusted');
    await context.close();
  });
});
