import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../docs/generated.ts';
import { type Operated, startOperated } from './operated.ts';
import type { Settings } from './run.ts';

let operated: Operated;
const run = (line: string) => operated.run(line);

beforeAll(async () => {
  operated = await startOperated();
  await Promise.all(['r1', 'r2', 'r3'].map((dagRunId) => operated.failRun('etl_daily', dagRunId)));
  await operated.failRun('etl_hourly', 'r1');
});
afterAll(() => operated.close());

const heldNow = async () => {
  const { out } = await run('runs list --held true -o json');
  return JSON.parse(out).runs.map((one: { dag_id: string; dag_run_id: string }) => `${one.dag_id}/${one.dag_run_id}`);
};

/** On a terminal of its own, where a person answers; what both sides have written. */
async function onTerminal(
  line: string,
  typed: string | null,
  more: Settings = {},
): Promise<{ code: number | null; shown: string }> {
  const command = `stty cols 100 rows 30; exec ${process.execPath} ${join(ROOT, 'src/main.ts')} ${line}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { PATH: process.env['PATH'], TERM: 'xterm', ...operated.settings, ...more },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    if (typed !== null && shown.includes('[y/N] ') && !child.stdin.writableEnded) child.stdin.end(typed);
  });
  const [code] = await once(child, 'close');
  return { code, shown };
}

describe('an operation on many runs', () => {
  test('asks nobody where nobody is there, and does nothing', async () => {
    expect(await run('runs pause --dag etl_*')).toEqual({
      code: 2,
      signal: null,
      out: '',
      err: 'dagain: nobody is there to confirm it: --yes does it without asking, --dry-run only shows\n',
    });
    expect(await heldNow()).toEqual([]);
  });

  test('only shows with --dry-run', async () => {
    const { code, out } = await run('runs pause --dag etl_* --dry-run');
    expect(code).toBe(0);
    expect(out).toContain('pause would change 4 runs of 4:\n  4 held (held_by_operator)\n');
    expect(await heldNow()).toEqual([]);
  });

  test.each([
    ['y\n', 0],
    ['n\n', 3],
    ['\n', 3],
    ['yes please\n', 3],
    ['\u0004', 3],
  ])('shows on a terminal what would be, and asks: %j', async (typed, expected) => {
    await run('runs resume --all --yes');
    const { code, shown } = await onTerminal("runs pause --dag 'etl_d*'", typed);
    expect(shown).toContain('pause would change 3 runs of 3:');
    expect(shown).toContain('pause 3 runs? [y/N] ');
    expect(code).toBe(expected);
    expect(await heldNow()).toHaveLength(expected === 0 ? 3 : 0);
  });

  test('asks nothing with --yes, and says how many it has changed', async () => {
    await run('runs resume --all --yes');
    const { code, out } = await run('runs pause --dag etl_daily --yes --comment Wait.');
    expect([code, out.split('\n').at(-2)]).toEqual([0, 'pause: 3 runs of 3 changed']);
    const preview = await run('runs pause --dag etl_* --dry-run');
    expect(preview.out).toMatch(
      /would change 1 run of 4:\n {2}4 held \(held_by_operator\)\n {2}3 of these would stay as they are\n$/,
    );
    const again = await run('runs pause --dag etl_* --yes -o json');
    expect(JSON.parse(again.out)).toMatchObject({ dry_run: false, matched: 4, changed: 1, is_complete: true });
    expect(await heldNow()).toHaveLength(4);
  });

  test('ends with 3 where nothing matches, or nothing would change', async () => {
    expect(await run('runs pause --dag nope --yes')).toMatchObject({ code: 3, out: 'No run matches.\n' });
    await run('runs pause --all --yes');
    expect((await run('runs pause --all --yes')).code).toBe(3);
  });

  test('does nothing where more match than --max-runs allows', async () => {
    await run('runs resume --all --yes');
    const { code, err } = await run('runs pause --all --yes --max-runs 3');
    expect([code, err]).toEqual([
      3,
      'dagain: 4 runs match, max_runs is 3: nothing was done (more_runs_than_expected)\n',
    ]);
    expect(await heldNow()).toEqual([]);
    expect((await run('runs pause --all --yes --max-runs 4')).code).toBe(0);
  });

  test.each([
    ['runs pause', 'runs pause takes a Dag id and a run id, a filter, or --all'],
    ['runs pause --all --dag etl_*', '--all goes with no filter'],
    ['runs grant --all --retries 1', 'runs grant takes many runs only of those given up: --phase giving_up,gave_up'],
    [
      'runs grant --phase waiting,gave_up --retries 1',
      'runs grant takes many runs only of those given up: --phase giving_up,gave_up',
    ],
    ['runs pause etl_daily', '<dag_run_id> is missing; --dag etl_daily means all its runs'],
    ['runs pause etl_daily r1 --phase waiting', 'a filter goes with no run id'],
    ['runs pause etl_daily r1 --dry-run', '--dry-run goes with no run id'],
    ['runs pause etl_daily r1 --max-runs 3', '--max-runs goes with no run id'],
  ])('"%s" is refused', async (line, problem) => {
    const command = line.split(' ', 2).join(' ');
    const err = `dagain: ${problem}\nSee "dagain ${command} --help".\n`;
    expect(await run(line)).toMatchObject({ code: 2, out: '', err });
  });
});

describe('on a terminal', () => {
  test('tables are cut to its width, and coloured', async () => {
    const { code, shown } = await onTerminal('runs list', null);
    expect(code).toBe(0);
    expect(shown).toContain('\u001b[33mwaiting\u001b[39m');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken away
    const lines = shown.replace(/\u001b\[\d+m/g, '').split('\r\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  test('NO_COLOR leaves the colours out', async () => {
    const { code, shown } = await onTerminal('runs list', null, { NO_COLOR: '1' });
    expect([code, shown.includes('waiting'), shown.includes('\u001b[')]).toEqual([0, true, false]);
  });
});
