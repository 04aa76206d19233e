import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { policyFileSchema } from '../../src/cli/policy.ts';
import { policyReference } from '../../src/cli/policy-reference.ts';
import { SETTINGS, type Setting } from '../../src/config/environment.ts';
import { alertMessages } from './alert-messages.ts';
import { commandsTable } from './commands-table.ts';
import { dashboard } from './dashboard/dashboard.ts';
import { httpTable } from './http-table.ts';
import { metricsTable } from './metrics-table.ts';
import { priorArtTable } from './prior-art.ts';

export const ROOT = join(import.meta.dirname, '../..');
const MONITORING = 'deploy/monitoring/README.md';

/** A file and what it must hold; `npm run docs` writes it. */
export interface GeneratedFile {
  readonly path: string;
  readonly text: string;
}

export function generatedFiles(): GeneratedFile[] {
  return [
    { path: 'deploy/policy/reference.md', text: policyReference() },
    { path: 'deploy/policy/policy.schema.json', text: `${JSON.stringify(policyFileSchema(), null, 2)}\n` },
    { path: 'deploy/monitoring/grafana/dagain.json', text: `${JSON.stringify(dashboard(), null, 2)}\n` },
    { path: MONITORING, text: replaceSection(MONITORING, read(MONITORING), 'metrics', metricsTable()) },
    { path: 'README.md', text: readme() },
  ];
}

/** The README with its generated tables put in anew; all else stays. */
function readme(): string {
  return [
    ['settings', settingsTable()],
    ['http', httpTable()],
    ['prior-art', priorArtTable()],
    ['alert-messages', alertMessages()],
    ['commands', commandsTable()],
  ].reduce((page, [name = '', table = '']) => replaceSection('README.md', page, name, table), read('README.md'));
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

function replaceSection(path: string, page: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}: made by npm run docs -->`, `<!-- /${name} -->`];
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${path} has no section "${begin}" to "${end}"`);
  return `${page.slice(0, from)}${begin}\n${content}\n${page.slice(to)}`;
}

function settingsTable(): string {
  const rows = Object.entries(SETTINGS as Record<string, Setting<unknown>>).map(([name, one]) => {
    const fallback = one.fallback === null ? '' : `\`${one.fallback}\``;
    return `| \`${name}\`${one.secret === true ? ' *' : ''} | ${fallback} | ${one.description} |`;
  });
  return ['| name | default | for |', '|---|---|---|', ...rows].join('\n');
}
