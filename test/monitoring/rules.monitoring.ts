import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../docs/generated.ts';
import { promtool } from './promtool.ts';
import { RULES, readAlerts } from './rule-files.ts';

const files = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => join(folder, name));

test('promtool finds the rules valid', () => {
  const checked = promtool(['check', 'rules', '--lint-fatal', ...files(RULES)]);
  expect(checked.output).not.toContain('FAILED');
  expect(checked.status).toBe(0);
});

test('each alert fires when it should, and is silent when it should', () => {
  const tested = promtool(['test', 'rules', ...files(join(RULES, 'tests'))]);
  expect(tested.output).not.toContain('FAILED');
  expect(tested.status).toBe(0);
});

test('each alert leads to a page of the runbook that there is', () => {
  const pages = [...new Set(readAlerts().map(({ annotations }) => annotations.runbook_url))];
  expect(pages.length).toBeGreaterThan(3);
  expect(pages.filter((page) => !existsSync(join(ROOT, 'deploy/runbook', page.replace(/#.*/, ''))))).toEqual([]);
});

test('the configuration of the documentation is one', () => {
  const readme = readFileSync(join(ROOT, 'deploy/monitoring/README.md'), 'utf8');
  const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(readme) ?? [];
  const folder = mkdtempSync(join(tmpdir(), 'dagain-promtool-'));
  try {
    // The rules lie beside it.
    cpSync(RULES, folder, { recursive: true });
    writeFileSync(join(folder, 'prometheus.yaml'), yaml);
    const checked = promtool(['check', 'config', join(folder, 'prometheus.yaml')]);
    expect(checked.status, checked.output).toBe(0);
    expect(checked.output).toContain('2 rule files found');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
