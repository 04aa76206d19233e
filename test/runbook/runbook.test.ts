import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { REFUSALS } from '../../src/core/reason.ts';
import { METRICS } from '../../src/http/metrics/catalogue.ts';
import { createShell, type Shell } from '../cli/shell.ts';
import { ROOT } from '../docs/generated.ts';
import { shellCommands } from '../docs/shell-blocks.ts';
import type { Situation } from './situations.ts';
import { PAGES } from './steps.ts';

const FOLDER = join(ROOT, 'deploy/runbook');
const read = (name: string) => readFileSync(join(FOLDER, name), 'utf8');
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.md'));

let shell: Shell;
beforeAll(() => {
  shell = createShell();
});
afterAll(() => shell.remove());

describe('no page has a command that is not run', () => {
  test.each(FILES)('%s', (name) => {
    const steps = PAGES.find((page) => page.name === name)?.steps ?? [];
    expect(steps.map(([command]) => command)).toEqual(shellCommands(read(name)));
  });
});

describe('each page for an alert', () => {
  const OF_OTHER_FORM = ['README.md', 'service-trouble.md'];
  const pages = PAGES.map(({ name }) => name).filter((name) => !OF_OTHER_FORM.includes(name));

  test.each(pages)('begins with what to type, and has the same parts: %s', (name) => {
    const text = read(name);
    const titles = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
    expect(titles.slice(0, 5)).toEqual(['Meaning', 'Impact', 'Diagnosis', 'Mitigation', 'Verify']);
    expect(text.indexOf('```sh')).toBeLessThan(text.indexOf('## Meaning'));
  });

  test('has these parts for each of its alerts, where it is for many', () => {
    const [top = '', ...parts] = read('service-trouble.md').split('\n## ');
    expect(top).toContain('```sh');
    for (const part of parts)
      expect(part.match(/^\*\*\w+\*\*/gm), part).toEqual(['**Meaning**', '**Do**', '**Verify**']);
  });

  test('is in the index, and so is every other page', () => {
    const linked = [...read('README.md').matchAll(/\]\(([^)]+\.md)\)/g)].map(([, target]) => target);
    expect(linked.toSorted()).toEqual(FILES.filter((name) => name !== 'README.md').toSorted());
  });

  test('is where the Prometheus rules lead, by the name of each alert', () => {
    const rules = readFileSync(join(ROOT, 'deploy/monitoring/prometheus/alerts.yaml'), 'utf8');
    const alerts = rules.split('- alert: ').slice(1);
    expect(alerts.length).toBeGreaterThan(10);
    for (const alert of alerts) {
      const [, page = '', anchor] = /runbook_url: ([^\s#]+)(?:#(\S+))?/.exec(alert) ?? [];
      const name = alert.split('\n')[0] ?? '';
      expect(FILES, name).toContain(page);
      expect(read(page), name).toContain(`\`${name}\``);
      if (anchor === undefined) continue;
      const titles = [...read(page).matchAll(/^## (.+)$/gm)].map(([, title = '']) => title);
      const title = titles.find((one) => toAnchor(one) === anchor);
      expect(title?.split(', '), name).toContain(name);
    }
  });
});

test('the page about give-ups says of each reason what to do', () => {
  const others = ['settle_timeout', 'clear_refused', 'clear_had_no_effect', 'stopped_by_person', 'state_lost'];
  const rows = read('given-up.md').match(/^\| `.+$/gm) ?? [];
  const told = rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`(\w+)`/g)].map(([, reason]) => reason));
  expect(told.toSorted()).toEqual([...REFUSALS, ...others].toSorted());
});

test('every metric that a page names exists', () => {
  const known = Object.values(METRICS).map(({ name }) => name);
  const named = FILES.flatMap((file) => [...read(file).matchAll(/\bdagain_[a-z_]+/g)].map(([name]) => name));
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !known.some((one) => name === one || name.startsWith(`${one}_`)))).toEqual([]);
});

describe.each(PAGES)('the commands of $name, where it is so', ({ situation: set, steps }) => {
  let situation: Situation;
  beforeAll(async () => {
    situation = await set();
  }, 120_000);
  afterAll(() => situation?.close());

  const rows = steps.map(([command, code, shows, after]) => ({ command, code, shows, after }));
  test.each(rows)('$command ends with $code', { timeout: 120_000 }, async ({ command, code, shows, after }) => {
    if (after !== undefined) await situation.events[after]?.();
    const ran = await shell.run(command, situation.settings);
    expect({ code: ran.code, err: ran.code === 0 ? ran.err : '' }, ran.out + ran.err).toEqual({ code, err: '' });
    expect(ran.out).toMatch(shows);
  });

  test('everything that is to happen has happened', () => {
    const happened = steps.flatMap(([, , , after]) => (after === undefined ? [] : [after]));
    expect(happened).toEqual(Object.keys(situation.events));
  });
});

function toAnchor(title: string): string {
  return title.toLowerCase().replaceAll(',', '').replaceAll(' ', '-');
}
