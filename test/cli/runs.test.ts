import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { type Operated, startOperated, TOKEN } from './operated.ts';

let operated: Operated;
const run = (line: string, more: Record<string, string> = {}) => operated.run(line, more);

beforeAll(async () => {
  operated = await startOperated();
  for (const [dagId, dagRunId] of [
    ['etl_daily', 'r1'],
    ['etl_daily', 'r2'],
    ['etl_hourly', 'manual__2026-01-01T00:00:00+00:00'],
  ] as const) {
    await operated.failRun(dagId, dagRunId);
  }
  await operated.failRun('never_heals', 'r1', 'gave_up');
});
afterAll(() => operated.close());

/** The API's own answer to a person with the token. */
async function answered(path: string): Promise<unknown> {
  const answer = await fetch(`${operated.url}${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(answer.status).toBe(200);
  return await answer.json();
}

/**
 * That the command line prints what the API answers. The service goes on working meanwhile (a run that was given up is
 * looked at again), so both are asked until nothing has happened between the two.
 */
async function expectTheAnswerOf(path: string, line: string): Promise<void> {
  await vi.waitFor(
    async () => {
      const { out } = await run(line);
      expect(JSON.parse(out)).toEqual(await answered(path));
    },
    { timeout: 20_000, interval: 100 },
  );
}

const rowsOf = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));

describe('runs list', () => {
  test('shows each run in a row, aligned, with what is next', async () => {
    const { code, out, err } = await run('runs list');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [titles, ...rows] = rowsOf(out);
    expect(titles?.slice(0, 6)).toEqual(['dag', 'run', 'phase', 'retries', 'next retry', 'first failed']);
    expect(rows.map(([dag, id, phase, retries]) => [dag, id, phase, retries])).toEqual([
      ['etl_daily', 'r1', 'waiting', '0/2'],
      ['etl_daily', 'r2', 'waiting', '0/2'],
      ['etl_hourly', 'manual__2026-01-01T00:00:00+00:00', 'waiting', '0/2'],
      ['never_heals', 'r1', 'gave_up', '1/1'],
    ]);
    expect(out).toMatch(/etl_daily {4}r1 .* in 59m \d+s /);
    expect(out).toMatch(/never_heals .* max_retries_reached\n/);
    const starts = out.split('\n').flatMap((line) => (line === '' ? [] : [line.search(/waiting|gave_up|phase/)]));
    expect(new Set(starts).size).toBe(1);
  });

  test.each([
    ['--dag etl_*', 3],
    ['--phase gave_up,watching', 1],
    ['--class infra', 0],
    ['--reason max_retries_reached', 1],
    ['--held true', 0],
    ['--older-than 1h', 0],
    ['--newer-than 1h --dag etl_daily', 2],
  ])('takes the filter %s', async (filter, count) => {
    const { code, out } = await run(`runs list ${filter} -o json`);
    expect(code).toBe(0);
    expect(z.object({ runs: z.array(z.unknown()) }).parse(JSON.parse(out)).runs).toHaveLength(count);
  });

  test('prints with -o json what the service answers', async () => {
    await expectTheAnswerOf('/v1/runs?view=summary', 'runs list -o json');
    await expectTheAnswerOf('/v1/runs', 'runs list -o json --view full');
  });

  test('stops at the limit, says that there is more, and gives the cursor to scripts', async () => {
    const { out } = await run('runs list --limit 3');
    expect(rowsOf(out)).toHaveLength(5);
    expect(out).toMatch(/\nThere are more: --limit all shows them\.\n$/);
    const { next_cursor } = z
      .object({ next_cursor: z.string() })
      .parse(JSON.parse((await run('runs list --limit 3 -o json')).out));
    expect(await answered(`/v1/runs?view=summary&cursor=${next_cursor}`)).toMatchObject({ runs: [{}] });
  });
});

describe('runs show', () => {
  test('shows where the run stands, its failures and its timeline', async () => {
    const { code, out } = await run('runs show never_heals r1');
    expect(code).toBe(0);
    expect(out).toContain('phase          gave_up: max_retries_reached\n');
    expect(out).toContain('retries        1 of 1 used\n');
    expect(out).toMatch(/Failures of attempt 2\n.*\n.*load +task_error +ValueError: boom\n/);
    expect(out).toMatch(/Timeline\n(.*\n)*.* gave_up +max_retries_reached/);
  });

  test('prints with -o json what the service answers', async () => {
    await expectTheAnswerOf('/v1/runs/etl_daily/r1', 'runs show etl_daily r1 -o json');
  });

  test('finds run ids with a time zone', async () => {
    const { code, out } = await run('runs show etl_hourly manual__2026-01-01T00:00:00+00:00');
    expect([code, out.split('\n')[1]]).toEqual([0, 'run            manual__2026-01-01T00:00:00+00:00']);
  });
});

describe('runs explain', () => {
  test('says why, of a run that was given up', async () => {
    const { code, out } = await run('runs explain never_heals r1');
    expect(code).toBe(0);
    expect(out).toMatch(/^gave_up: Given up at /);
    expect(out).toMatch(/\nBecause\n {2}- .*\n/);
    expect(out).toMatch(/\nWhat you can do\n {2}- .*\n/);
    expect(out).toMatch(/\nWhat happened\nwhen .*\n.* gave_up /);
  });

  test('says why, of a run that was never reported', async () => {
    operated.stack.model.trigger({ dagId: 'silent', dagRunId: 's1' });
    await expect.poll(() => operated.stack.model.stateOf({ dagId: 'silent', dagRunId: 's1' })).toBe('failed');
    const { code, out } = await run('runs explain silent s1');
    expect([code, out.split(':')[0]]).toEqual([0, 'never_reported']);
  });

  test('ends with 3 where nobody knows the run', async () => {
    const { code, out } = await run('runs explain nope nope');
    expect([code, out.split(':')[0]]).toEqual([3, 'unknown_run']);
  });
});

describe('what people do to one run', () => {
  test('pause and resume, by whom and why', async () => {
    const paused = await run('runs pause etl_daily r1 --comment Wait.');
    expect(paused).toMatchObject({ code: 0, err: '' });
    expect(paused.out).toBe('etl_daily r1: held (held_by_operator); now waiting, next retry when resumed\n');
    expect(await answered('/v1/runs/etl_daily/r1')).toMatchObject({ held: { actor: 'ada', comment: 'Wait.' } });
    expect((await run('runs list --held true')).out).toMatch(/etl_daily .* when resumed .* held by ada\n/);
    expect((await run('runs show etl_daily r1')).out).toMatch(/\nheld by +ada, (?:now|\S+ ago): "Wait\."\n/);
    const resumed = await run('runs resume etl_daily r1 --actor bob -o json');
    expect(JSON.parse(resumed.out)).toMatchObject({ decision: 'retry_scheduled', reason: 'resumed_by_operator' });
    const { out } = await run('events --type operated --run r1 --dag etl_daily');
    expect(rowsOf(out).slice(1)).toEqual([
      [expect.any(String), 'resume', 'etl_daily', 'r1', '1', 'resumed_by_operator', 'load', 'bob'],
      [expect.any(String), 'pause', 'etl_daily', 'r1', '1', 'held_by_operator', 'load', 'ada', 'Wait.'],
    ]);
  });

  test('without a name for whoever acts it takes the login name', async () => {
    expect((await run('runs pause etl_daily r2', { DAGAIN_ACTOR: '' })).code).toBe(0);
    const view = z.looseObject({ held: z.looseObject({ actor: z.string().min(1) }) });
    expect(view.parse(await answered('/v1/runs/etl_daily/r2')).held.actor).not.toBe('ada');
    await run('runs resume etl_daily r2');
  });

  test('grant retries to a run that was given up, and cancel it', async () => {
    const granted = await run('runs grant never_heals r1 --retries 3');
    expect(granted.out).toMatch(/^never_heals r1: \S+ \(granted_by_operator\); now \w+, \d of [34] retries used/);
    expect((await run('events --type operated --run r1 --dag never_heals')).out).toMatch(/ grant 3 /);
    const { code, out } = await run('runs cancel never_heals r1');
    expect([code, out]).toEqual([0, expect.stringContaining('never_heals r1: ')]);
  });

  test('what is not possible now ends with 3 and the service’s own words', async () => {
    expect(await run('runs retry-now etl_daily nope')).toMatchObject({
      code: 3,
      out: '',
      err: 'dagain: Nothing is kept of this run (run_not_found)\n',
    });
    await operated.failRun('never_heals', 'r9', 'gave_up');
    const refused = await run('runs retry-now never_heals r9');
    expect(refused).toMatchObject({ code: 3, out: '' });
    expect(refused.err).toMatch(/^dagain: retry_now is not possible now: .* \(operation_not_possible\)\n$/);
  });

  test('reset a run that was cleared before', async () => {
    const { code, out } = await run('runs reset never_heals r9');
    const said = 'never_heals r9: cleaned_up (reset_by_operator); the next failure counts as its first\n';
    expect([code, out]).toEqual([0, said]);
    expect(await answered('/v1/runs/never_heals/r9')).toMatchObject({ reason: 'reset_by_operator', retries_used: 0 });
  });
});

describe('Dags, events, stats and status', () => {
  test('a Dag is paused, listed so, and resumed', async () => {
    expect(await run('dags pause etl_daily --comment Upgrade')).toMatchObject({
      code: 0,
      out: 'etl_daily: paused by ada\n',
    });
    expect((await run('dags pause etl_daily')).out).toBe('etl_daily: was so already, paused by ada\n');
    expect((await run('dags list')).out).toMatch(/\netl_daily .* by ada (?:now|\S+ ago): "Upgrade"\n/);
    expect((await run('runs list --dag etl_daily')).out).toContain('when its Dag resumes');
    expect(await run('dags resume etl_daily')).toMatchObject({ code: 0, out: 'etl_daily: not paused\n' });
    expect(JSON.parse((await run('dags list -o json')).out)).toMatchObject({ dags: [{}, {}, {}], next_cursor: null });
  });

  test('everything is paused and resumed', async () => {
    expect((await run('dags pause --all')).out).toBe('everything: paused by ada\n');
    expect((await run('status')).out).toMatch(/\npaused +everything by ada, /);
    expect((await run('dags resume --all')).out).toBe('everything: not paused\n');
  });

  test.each(['dags pause', 'dags pause etl_daily --all'])('"%s" says neither what nor all', async (line) => {
    const { code, err } = await run(line);
    expect([code, err]).toEqual([
      2,
      'dagain: dags pause takes one Dag id, or --all for everything\nSee "dagain dags pause --help".\n',
    ]);
  });

  test('events are newest first, and as the service has them', async () => {
    await expectTheAnswerOf('/v1/events?limit=500', 'events --limit all -o json');
    expect((await run('events --since 1h --type gave_up --dag never_*')).out).toContain('max_retries_reached');
    expect((await run('events --by nobody')).out).toBe('Nothing like that happened.\n');
  });

  test('stats count', async () => {
    const { code, out } = await run('stats --window 2h');
    expect(code).toBe(0);
    expect(out).toMatch(/\nlast 2h +\d+ failed, /);
    expect(out).toMatch(/\ngave up .*[▁▂▃▄▅▆▇█]/);
    expect(JSON.parse((await run('stats -o json')).out)).toMatchObject({ window_seconds: 86_400 });
  });

  test('status tells version, store and Airflow', async () => {
    const { code, out } = await run('status');
    expect(code).toBe(0);
    expect(out).toMatch(/^version +\d.*\nmode +active\nstore +sqlite\nairflow +airflow 3\.3\.2\nrunning since /);
  });
});
