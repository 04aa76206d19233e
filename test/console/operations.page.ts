import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { RunRecord } from '../../src/core/record.ts';
import { openBrowser, visit } from './browser.ts';
import { KNOWN, type Stage, startStage, TOKEN } from './stage.ts';

let stage: Stage;
let browser: Browser;
let page: Page;
let context: BrowserContext;
beforeAll(async () => {
  [stage, browser] = await Promise.all([startStage({ runs: 120, recovered: 20 }), openBrowser()]);
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

const View = z.object({
  phase: z.string(),
  held: z.object({ actor: z.string(), comment: z.string() }).nullable(),
  max_retries: z.int(),
});
const Events = z.object({
  events: z.array(
    z.object({ action: z.string().nullable(), actor: z.string().nullable(), comment: z.string().nullable() }),
  ),
});

async function ask(path: string): Promise<unknown> {
  const answer = await fetch(`${stage.url}/${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });
  return answer.status === 404 ? null : await answer.json();
}

function pathOf({ dagId, dagRunId }: RunRecord): string {
  return `runs/${encodeURIComponent(dagId)}/${encodeURIComponent(dagRunId)}`;
}

async function stateOf(record: RunRecord) {
  return View.nullable().parse(await ask(`v1/${pathOf(record)}`));
}

/** Every test takes runs of its own. */
const taken = new Set<RunRecord>();
function takeRun(phase: RunRecord['phase'], fits: (record: RunRecord) => boolean = () => true): RunRecord {
  const found = stage.records.find(
    (record) => record.phase === phase && record.held === null && !taken.has(record) && fits(record),
  );
  if (found === undefined) throw new Error(`no run in ${phase} is left`);
  taken.add(found);
  return found;
}

/** What somebody else does meanwhile. */
async function pauseAsBob(record: RunRecord): Promise<void> {
  const body = JSON.stringify({ actor: 'bob', comment: '' });
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  const answer = await fetch(`${stage.url}/v1/${pathOf(record)}/pause`, { method: 'POST', headers, body });
  expect(answer.status).toBe(200);
}

async function confirm(label: string | RegExp, comment = ''): Promise<void> {
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  if (comment !== '') await dialog.getByLabel('Why').fill(comment);
  await dialog.getByRole('button', { name: label }).click();
  await dialog.waitFor({ state: 'detached' });
}

describe('one run', () => {
  test('is paused and resumed, with name and comment, and says so', async () => {
    const run = takeRun('waiting');
    await page.goto(`${stage.url}/${pathOf(run)}`);
    await page.getByRole('button', { name: 'Pause…' }).click();
    await confirm('Pause', 'the warehouse moves');
    await page.getByText(`Paused ${run.dagRunId}`).waitFor();
    expect((await stateOf(run))?.held).toEqual({ actor: 'ada', comment: 'the warehouse moves' });
    await page.getByText('by ada: the warehouse moves').first().waitFor();
    await page.getByRole('button', { name: 'Resume…' }).click();
    await confirm('Resume');
    await page.getByRole('button', { name: 'Pause…' }).waitFor();
    expect((await stateOf(run))?.held).toBeNull();
  });

  test('is granted more retries', async () => {
    const run = takeRun('gave_up');
    await page.goto(`${stage.url}/${pathOf(run)}`);
    await page.getByRole('button', { name: 'Grant retries…' }).click();
    await page.getByLabel('How many more').fill('2');
    await confirm('Grant retries');
    await page.getByText(`Granted more retries to ${run.dagRunId}: 3 of 5 retries used`).waitFor();
    await expect.poll(async () => (await stateOf(run))?.phase).not.toBe('gave_up');
  });

  test('is cancelled', async () => {
    const run = takeRun('waiting');
    await page.goto(`${stage.url}/${pathOf(run)}`);
    await page.getByRole('button', { name: 'Cancel retries…' }).click();
    await confirm('Cancel retries', 'will be fixed by hand');
    await expect.poll(async () => (await stateOf(run))?.phase).toBe('gave_up');
    await page.getByText('cancelled by operator').first().waitFor();
  });

  test('is forgotten', async () => {
    const run = takeRun('waiting', ({ clearsSent }) => clearsSent === 0);
    await page.goto(`${stage.url}/${pathOf(run)}`);
    await page.getByRole('button', { name: 'Forget the count…' }).click();
    await confirm('Forget the count');
    await expect.poll(() => stateOf(run)).toBeNull();
    await page.getByRole('button', { name: 'Forget the count…' }).waitFor({ state: 'detached' });
  });

  test('that has been cleared is forgotten too, and needs nobody afterwards', async () => {
    await stage.report(KNOWN);
    const path = `v1/runs/${KNOWN.dagId}/${encodeURIComponent(KNOWN.dagRunId)}`;
    await expect.poll(async () => View.nullable().parse(await ask(path))?.phase).toBe('watching');
    await page.goto(`${stage.url}/${path.slice(3)}`);
    await page.getByRole('button', { name: 'Forget the count…' }).click();
    await page.getByRole('dialog').getByText('the next failure of the run counts as its first').waitFor();
    await confirm('Forget the count');
    const verdict = page.getByRole('region', { name: 'Reset' });
    await verdict.waitFor();
    expect(await verdict.getAttribute('class')).not.toContain('bad');
    expect(await page.getByText('Gave up', { exact: true }).count()).toBe(0);
    await page.getByRole('link', { name: 'Overview' }).first().click();
    const person = page.getByRole('region', { name: 'Needs a person' });
    await person.getByRole('listitem').first().waitFor();
    expect(await person.getByText(KNOWN.dagRunId).count()).toBe(0);
  });

  test('is retried now', async () => {
    const run = takeRun('waiting');
    await page.goto(`${stage.url}/${pathOf(run)}`);
    await page.getByRole('button', { name: 'Retry now…' }).click();
    await confirm('Retry now');
    // The simulated Airflow does not have it: what is due now is looked up, and over.
    await expect.poll(async () => (await stateOf(run))?.phase ?? 'gone').not.toBe('waiting');
  });

  test('is left alone by Escape, and the focus returns to the button', async () => {
    const run = takeRun('watching');
    await page.goto(`${stage.url}/${pathOf(run)}`);
    const button = page.getByRole('button', { name: 'Cancel retries…' });
    await button.click();
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect(await button.evaluate((element) => element === document.activeElement)).toBe(true);
    expect((await stateOf(run))?.phase).toBe('watching');
  });

  test('that has moved on meanwhile is told apart from a failure, in the dialog', async () => {
    const run = takeRun('waiting');
    await page.goto(`${stage.url}/${pathOf(run)}`);
    await page.getByRole('button', { name: 'Retry now…' }).click();
    await page.getByRole('dialog').waitFor();
    await pauseAsBob(run);
    await page.getByRole('dialog').getByRole('button', { name: 'Retry now' }).click();
    const alert = page.getByRole('dialog').getByRole('alert');
    await alert.waitFor();
    expect(await alert.textContent()).toContain('an operator has paused the run');
    expect(await alert.textContent()).toContain('Resume the run first');
    await page.keyboard.press('Escape');
  });
});

describe('several runs', () => {
  test('that match are previewed and paused, not one more', async () => {
    await page.goto(`${stage.url}/runs?phase=watching&dag_id=daily_*`);
    await page.getByText(/^\d+ runs$/).waitFor();
    const shown = Number((await page.getByText(/^\d+ runs$/).textContent())?.split(' ')[0]);
    const expected = stage.records.filter(({ phase, dagId }) => phase === 'watching' && dagId === 'daily_sales');
    expect(shown).toBe(expected.length);
    const paused = takeRun('watching', (record) => expected.includes(record));
    await pauseAsBob(paused);
    const toChange = expected.filter((record) => record.held === null && record !== paused);
    await page.getByRole('button', { name: 'All that match…' }).click();
    await page.getByText(`of ${expected.length} that match would change`).waitFor();
    const unchanged = expected.length - toChange.length;
    await page.getByText(`${unchanged} of these would stay as they are`).waitFor();
    await confirm(`Pause: ${toChange.length} runs`, 'all at once');
    await page.getByText(`Paused ${toChange.length} runs`).waitFor();
    for (const record of toChange) expect((await stateOf(record))?.held?.comment).toBe('all at once');
    const others = stage.records.filter(
      (record) => record.phase === 'watching' && record.dagId !== 'daily_sales' && record.held === null,
    );
    for (const record of others.slice(0, 5)) expect((await stateOf(record))?.held).toBeNull();
  });

  test('that are more than the preview showed are left alone', async () => {
    await page.goto(`${stage.url}/runs?phase=confirming`);
    await page.getByRole('button', { name: 'All that match…' }).click();
    await page.getByText('that match would change').waitFor();
    await stage.report({ dagId: 'late_comer', dagRunId: 'manual__late' });
    const isThere = async () => (await ask('v1/runs/late_comer/manual__late')) !== null;
    await expect.poll(isThere).toBe(true);
    const dialog = page.getByRole('dialog');
    const changed = stage.records.filter(({ phase, held }) => phase === 'confirming' && held === null);
    // The page itself previews again when something changes; held back, as if that news had not come yet.
    await page.route('**/v1/runs/bulk', async (route) => {
      const body = z.looseObject({ dry_run: z.boolean() }).parse(route.request().postDataJSON());
      await route.continue({ postData: JSON.stringify(body.dry_run ? body : { ...body, max_runs: 1 }) });
    });
    await dialog.getByRole('button', { name: /^Pause: \d+ runs$/ }).click();
    await dialog.getByText('preview again').waitFor();
    for (const record of changed) expect((await stateOf(record))?.held).toBeNull();
  });

  test('that were picked are acted on one by one, and who refuses is named', async () => {
    const [one, two] = [takeRun('waiting'), takeRun('watching')];
    await page.goto(`${stage.url}/runs`);
    for (const { dagId, dagRunId } of [one, two]) {
      await page.getByLabel('Text').fill(dagRunId);
      await page.getByLabel(`Select ${dagId} ${dagRunId}`).check();
    }
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await page.getByLabel('Action').selectOption('Retry now');
    await page.getByRole('button', { name: '2 selected…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Retry now: 2 runs' }).click();
    await page.getByText('Not possible for 1 run').waitFor();
    expect(await page.getByRole('dialog').textContent()).toContain(two.dagRunId);
    await page.getByRole('button', { name: 'Close' }).click();
    await expect.poll(async () => (await stateOf(one))?.phase ?? 'gone').not.toBe('waiting');
  });
});

describe('Dags', () => {
  test('are paused and resumed, and everything too; the audit trail says by whom', async () => {
    await page.goto(`${stage.url}/dags`);
    await page.getByRole('button', { name: 'pause the retries of billing_close' }).click();
    await confirm('Pause retries', 'month end');
    await page.getByRole('button', { name: 'resume the retries of billing_close' }).waitFor();
    await page.getByText('month end').waitFor();
    const waiting = takeRun('waiting', ({ dagId }) => dagId === 'billing_close');
    await page.goto(`${stage.url}/${pathOf(waiting)}`);
    await page.getByRole('button', { name: 'Grant retries…' }).waitFor();
    expect(await page.getByRole('button', { name: 'Retry now…' }).count()).toBe(0);
    await page.getByRole('link', { name: 'Dags' }).first().click();
    await page.getByText('month end').waitFor();
    await page.getByRole('button', { name: 'Pause everything' }).click();
    await confirm('Pause retries');
    await page.getByRole('button', { name: 'Resume everything' }).waitFor();
    await page.getByRole('link', { name: 'Overview' }).first().click();
    const paused = page.getByRole('region', { name: 'Paused' });
    await paused.getByText('Everything').waitFor();
    await paused.getByRole('button', { name: 'Resume the retries of every Dag' }).click();
    await confirm('Resume retries');
    await paused.getByText('Everything').waitFor({ state: 'detached' });
    await paused.getByRole('button', { name: 'Resume the retries of billing_close' }).click();
    await confirm('Resume retries', 'month end is over');
    await paused.waitFor({ state: 'detached' });

    await page.getByRole('link', { name: 'Events' }).click();
    await page.getByLabel('What').selectOption('Operator');
    await page.getByText('“month end is over”').waitFor();
    const { events } = Events.parse(await ask('v1/events?type=operated&limit=4'));
    expect(events.map(({ action }) => action)).toEqual(['resume', 'resume', 'pause', 'pause']);
    expect(events.every(({ actor }) => actor === 'ada')).toBe(true);
  });
});

describe('the keyboard alone', () => {
  async function tabTo(name: string): Promise<void> {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press('Tab');
      const text = await page.evaluate(() => {
        const { activeElement: at } = document;
        return at?.getAttribute('aria-label') ?? at?.textContent?.trim() ?? '';
      });
      if (text === name) return;
    }
    throw new Error(`the focus never came to ${name}`);
  }

  test('leads from the overview to a paused run', async () => {
    const run = takeRun('waiting');
    await page.goto(stage.url);
    await page.getByText('Needs a person').waitFor();
    await tabTo('Runs');
    await page.keyboard.press('Enter');
    await page.getByText(/^\d+ runs$/).waitFor();
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
    await page.getByLabel('Text').focus();
    await page.keyboard.type(run.dagRunId);
    await page.getByText('1 run', { exact: true }).waitFor();
    await tabTo(`${run.dagId}${run.dagRunId}`);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Pause…' }).waitFor();
    await tabTo('Pause…');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.type('ada');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await expect.poll(async () => (await stateOf(run))?.held !== null).toBe(true);
  });

  test('skips to the content', async () => {
    await page.goto(`${stage.url}/dags`);
    await page.getByText('Runs by phase').waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
  });
});
