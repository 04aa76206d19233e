import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLineWriter } from '../../src/app/log.ts';
import { ROOT } from '../docs/generated.ts';
import { until } from './stack.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dagain-log-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs code with a log in a process of its own, whose output goes through this shell pipeline. */
function run(code: string, pipeline = 'cat') {
  const script = `import { createLog } from ${JSON.stringify(join(ROOT, 'src/app/log.ts'))}; const log = createLog('info'); ${code}`;
  const command = `"$NODE" --input-type=module-typescript --eval "$SCRIPT" | ${pipeline}; echo "exit $?"`;
  const { stdout } = spawnSync('bash', ['-c', `set -o pipefail; ${command}`], {
    env: { PATH: process.env['PATH'], NODE: process.execPath, SCRIPT: script },
    encoding: 'utf8',
    timeout: 20_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  const lines = stdout.trimEnd().split('\n');
  return { lines: lines.slice(0, -1), exit: lines.at(-1) };
}

describe('lines', () => {
  test('are JSON, with time, level in words and the service', () => {
    const { lines, exit } = run(`log.warn({ run: 'a/b' }, 'careful'); log.debug({}, 'not told')`);
    expect(exit).toBe('exit 0');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { level: 'warn', time: expect.stringMatching(/^\d{4}-.*Z$/), service: 'dagain', run: 'a/b', msg: 'careful' },
    ]);
  });

  test.each([
    ['the process ends by itself', ''],
    ['it is ended at once', 'process.exit(0)'],
    ['it throws', 'process.on("uncaughtException", () => process.exit(0)); throw new Error("x")'],
  ])('are all there when %s', (_name, ending) => {
    const { lines } = run(`for (let n = 0; n < 5; n += 1) log.info({ n }, 'x'); ${ending}`);
    expect(lines.map((line) => JSON.parse(line).n)).toEqual([0, 1, 2, 3, 4]);
  });

  test.each([
    ['', ''],
    [', into a pipe that takes only so much at a time', 'process.stdout;'],
  ])('are all there, whole and in order, however many and however slowly they are read%s', (_name, before) => {
    // Node makes the pipe non-blocking when its own stream is touched.
    const code = `${before} for (let n = 0; n < 20_000; n += 1) log.info({ n, pad: 'ü'.repeat(50) }, 'x');`;
    const { lines } = run(`${code} await new Promise((resolve) => setTimeout(resolve, 1_500));`, `(sleep 0.3; cat)`);
    expect(lines).toHaveLength(20_000);
    expect(lines.every((line, n) => JSON.parse(line).n === n)).toBe(true);
  });

  test('are written before long, though few come', async () => {
    const path = join(folder, 'few');
    const fd = openSync(path, 'w');
    const writer = createLineWriter(fd);
    writer.write('one\n');
    writer.write('two\n');
    await until(() => readFileSync(path, 'utf8') === 'one\ntwo\n');
    writer.write('three\n');
    await until(() => readFileSync(path, 'utf8') === 'one\ntwo\nthree\n');
    closeSync(fd);
  });
});

describe('a reader that is gone', () => {
  test.each([
    ['before anything was written', ''],
    ['and the process ends at once', 'process.exit(0);'],
    ['while much is written', `for (let n = 0; n < 100_000; n += 1) log.info({ n }, 'x');`],
  ])('holds nothing up: %s', (_name, more) => {
    const { exit } = run(
      `log.info({}, 'first'); await new Promise((r) => setTimeout(r, 300)); log.info({}, 'x'); ${more}`,
      'true',
    );
    expect(exit).toBe('exit 0');
  });
});
