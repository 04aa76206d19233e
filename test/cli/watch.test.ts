import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../app/stack.ts';
import { ROOT } from '../docs/generated.ts';
import { type Operated, startOperated } from './operated.ts';
import { dagain } from './run.ts';

let operated: Operated;
beforeAll(async () => {
  operated = await startOperated();
});
afterAll(() => operated.close());

const started: ReturnType<typeof spawn>[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** `runs watch` until somebody ends it. */
function watch(
  line: string,
  command = process.execPath,
  args = [join(ROOT, 'src/main.ts'), ...`runs watch ${line}`.trim().split(' ')],
) {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'], TERM: 'xterm', ...operated.settings },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  started.push(child);
  const shown = { text: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown.text += text;
  });
  return { child, shown, ended: once(child, 'close') };
}

/** Fails run r1, which is retried only once it is watched: or it might have ended before anybody looks. */
async function watchFailed(dagId: string) {
  await operated.run(`dags pause ${dagId}`);
  await operated.failRun(dagId, 'r1');
  const watched = watch(`${dagId} r1`);
  await until(() => watched.shown.text.includes('attempt 1: failed'));
  await operated.run(`dags resume ${dagId}`);
  return watched;
}

describe('runs watch of one run', () => {
  test('prints each step and ends with 0 when it has recovered', async () => {
    const { shown, ended } = await watchFailed('heals');
    expect(await ended).toEqual([0, null]);
    const lines = shown.text.trimEnd().split('\n');
    for (const line of lines) expect(line).toMatch(/^2\d{3}-\d\d-\d\dT[\d:.]+Z /);
    expect(shown.text).toMatch(/attempt 1: failed \(settled\): task load: ValueError/);
    expect(lines.at(-1)).toMatch(/ recovered \(run_succeeded\)$/);
    expect(new Set(lines).size).toBe(lines.length);
  });

  test('ends with 1 when it is given up', async () => {
    const { shown, ended } = await watchFailed('never_heals');
    expect(await ended).toEqual([1, null]);
    expect(shown.text).toMatch(/ attempt 2: gave_up \(max_retries_reached\)\n/);
  });

  test('ends with 3 when nobody knows it', async () => {
    const { code, err } = await operated.run('runs watch nope nope');
    expect([code, err]).toEqual([
      3,
      'dagain: nothing is known of this run\n"dagain runs explain nope nope" says why.\n',
    ]);
  });

  test.each([
    ['runs watch etl_daily', '<dag_run_id> is missing; --dag etl_daily watches all its runs'],
    ['runs watch etl_daily r1 --phase waiting', 'a filter goes with no run id'],
  ])('"%s" is refused', async (line, problem) => {
    expect(await operated.run(line)).toMatchObject({
      code: 2,
      err: `dagain: ${problem}\nSee "dagain runs watch --help".\n`,
    });
  });
});

describe('runs watch of many', () => {
  test('prints a line for each change of those that the filter leaves in', async () => {
    const { child, shown, ended } = watch('--dag etl_*');
    await operated.failRun('etl_daily', 'w1');
    await until(() => shown.text.includes('etl_daily w1 waiting, attempt 1, 0/2 retries, next retry in 59m'));
    await operated.run('runs pause etl_daily w1');
    await until(() => shown.text.includes('etl_daily w1 waiting, attempt 1, 0/2 retries, next retry when resumed\n'));
    await operated.run('runs reset etl_daily w1');
    await until(() => shown.text.includes('etl_daily w1 gone'));
    expect(shown.text).not.toContain('heals');
    child.kill('SIGINT');
    expect(await ended).toEqual([null, 'SIGINT']);
  });

  test('draws the list anew on a terminal, until Ctrl+C', async () => {
    await operated.failRun('etl_hourly', 'w2');
    const command = `stty cols 100 rows 30; exec ${process.execPath} ${join(ROOT, 'src/main.ts')} runs watch --dag etl_hourly`;
    const { child, shown, ended } = watch('', 'script', ['-qec', command, '/dev/null']);
    await until(() => shown.text.includes('\u001b[H\u001b[2J') && shown.text.includes('waiting'));
    expect(shown.text).toContain('1 runs  (Ctrl+C ends)');
    const drawn = shown.text.length;
    await operated.run('runs pause etl_hourly w2');
    await until(() => shown.text.slice(drawn).includes('held by ada'));
    child.stdin?.write('\u0003');
    expect((await ended)[0]).toBe(130);
  });

  test('goes on when the service is restarted, and reads what it has missed', async () => {
    const first = await startOperated({ DAGAIN_PORT: '0' });
    const port = new URL(first.url).port;
    const child = spawn(process.execPath, [join(ROOT, 'src/main.ts'), 'runs', 'watch'], {
      env: { PATH: process.env['PATH'], ...first.settings },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(child);
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
    });
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      told += text;
    });
    await first.failRun('etl_daily', 'before');
    await until(() => shown.includes('etl_daily before waiting'));
    await first.close();
    await until(() => told.includes('; trying again\n'));
    const second = await startOperated({ DAGAIN_PORT: port });
    try {
      await second.failRun('etl_daily', 'after');
      await until(() => shown.includes('etl_daily after waiting') && shown.includes('etl_daily before gone'));
    } finally {
      await second.close();
    }
  });

  test('ends with 4 at once where nobody has been there yet', async () => {
    const { code, err } = await dagain(['runs', 'watch'], { DAGAIN_URL: 'http://127.0.0.1:1' });
    expect([code, err.includes('trying again')]).toEqual([4, false]);
  });

  test('ends with 4 at once where the token is refused', async () => {
    const { code } = await dagain(['runs', 'watch'], {
      DAGAIN_URL: operated.url,
      DAGAIN_OPERATOR_TOKEN: 'wrong-token-0001',
    });
    expect(code).toBe(4);
  });
});
