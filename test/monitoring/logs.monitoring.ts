import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DAGS, tellStory } from '../app/log-story.ts';
import { startStack } from '../app/stack.ts';
import { ROOT } from '../docs/generated.ts';

const README = readFileSync(join(ROOT, 'deploy/monitoring/README.md'), 'utf8');
const COMMANDS = [...README.matchAll(/```sh\n([\s\S]*?)```/g)]
  .flatMap((match) => (match[1] ?? '').split('\n'))
  .filter((line) => line.startsWith('jq '));

let folder: string;
let fields: ReadonlySet<string>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-logs-'));
  const stack = await startStack(DAGS);
  try {
    const { raw, lines } = await tellStory(stack, folder);
    writeFileSync(join(folder, 'dagain.log'), raw.join(''));
    fields = new Set(lines.flatMap((line) => Object.keys(line)));
  } finally {
    await stack.close();
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('every command of the documentation finds something in the log of a whole story', () => {
  test.each(COMMANDS)('%s', (command) => {
    const { status, stdout, stderr, error } = spawnSync('bash', ['-o', 'pipefail', '-c', command], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect({ status, stderr, error }).toEqual({ status: 0, stderr: '', error: undefined });
    expect(stdout.trim()).not.toBe('');
  });

  test('there are some', () => expect(COMMANDS.length).toBeGreaterThanOrEqual(5));
});

test('the table of fields holds every field of that log', () => {
  const listed = new Set(
    [...README.matchAll(/^\| ((?:`[a-z_]+`(?:, )?)+) \|/gm)].flatMap((row) => (row[1] ?? '').match(/[a-z_]+/g) ?? []),
  );
  expect([...fields].filter((name) => !listed.has(name))).toEqual([]);
});
