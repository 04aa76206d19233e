import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../docs/generated.ts';
import { sectionCommands } from '../docs/shell-blocks.ts';
import { type Operated, startOperated } from './operated.ts';
import { createShell, type Shell } from './shell.ts';

let operated: Operated;
let shell: Shell;
beforeAll(async () => {
  shell = createShell();
  operated = await startOperated();
  await operated.failRun('etl_daily', 'manual__2026-11-21T06:00:00+00:00');
});
afterAll(async () => {
  await operated.close();
  shell.remove();
});

/** What each of them shows there. */
const SHOWN: Readonly<Record<string, RegExp>> = {
  'runs list': /^No run matches/,
  'runs explain': /^retry_pending: /,
  'runs pause': /pause would change 1 run of 1:/,
  'dags pause': /^everything: paused by ada\n$/,
  'runs watch': /etl_daily manual__2026-11-21T06:00:00\+00:00 waiting/,
};

test.each(sectionCommands('Command line'))('%s', async (command) => {
  const [, group, action] = command.split(' ');
  const isWatch = action === 'watch';
  const { code, signal, out, err } = await shell.run(command, operated.settings, (text) => isWatch && text !== '');
  expect({ code, signal, err }).toEqual(
    isWatch ? { code: null, signal: 'SIGINT', err: '' } : { code: 0, signal: null, err: '' },
  );
  expect(out).toMatch(SHOWN[`${group} ${action}`] ?? /^$/);
});

test('the section has commands', () => {
  expect(sectionCommands('Command line').length).toBeGreaterThanOrEqual(5);
});

test('the line for a checkout makes the command', async () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, line = ''] = /^```bash\n(dagain\(\).*)\n```$/m.exec(readme) ?? [];
  expect(line).toContain('/path/to/dagain');
  const script = `${line.replace('/path/to/dagain', `'${ROOT}'`)}\ncd / && dagain completion bash && dagain runs pause`;
  const ran = promisify(execFile)('bash', ['-c', script]);
  await expect(ran).rejects.toMatchObject({
    code: 2,
    stdout: expect.stringContaining('complete -F'),
    stderr: expect.stringContaining('See "dagain runs pause --help".'),
  });
});
