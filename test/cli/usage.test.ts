import { describe, expect, test } from 'vitest';
import { SETTINGS } from '../../src/config/environment.ts';
import { VERSION } from '../../src/version.ts';
import { dagain } from './run.ts';

describe('help', () => {
  test('lists every setting with its default, and every command', async () => {
    const { code, out, err } = await dagain(['--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const [name, { description, fallback }] of Object.entries(SETTINGS)) {
      const [line] = out.split('\n').filter((one) => one.trim().split(' ')[0] === name);
      expect(line, name).toContain(description);
      if (fallback !== null) expect(line).toContain(`(${fallback})`);
    }
    for (const command of [
      'serve',
      'policy check <file>',
      'policy explain <dag_id>',
      'policy schema',
      'policy reference',
      'alerts test [channel]',
      'doctor',
    ]) {
      expect(out).toContain(`  ${command} `);
    }
    expect(out).toContain('Exit codes: 0 done; 1 it did not work; 2 wrong usage or settings.');
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(140);
  });

  test.each(['help', '-h', 'serve --help', 'policy check -h'])('is what "%s" prints', async (line) => {
    const { code, out } = await dagain(line.split(' '));
    expect([code, out.split('\n')[0]]).toEqual([0, 'dagain: retries whole Dag runs of Apache Airflow']);
  });
});

test.each(['version', '--version'])('%s prints the version alone', async (argument) => {
  expect(await dagain([argument])).toEqual({ code: 0, signal: null, out: `${VERSION}\n`, err: '' });
});

describe('misuse ends with 2, one line that says what is wrong, and the way to the help', () => {
  test.each([
    [[], 'a command is missing'],
    [['sevre'], 'there is no command "sevre"'],
    [['serve', 'now'], 'serve takes no arguments'],
    [['alerts'], 'alerts takes: test [channel]'],
    [['alerts', 'test', 'slack', 'teams'], 'alerts takes: test [channel]'],
    [['policy'], 'policy takes: check <file>, explain <dag_id>, schema, or reference'],
    [['policy', 'chekc', 'x.yaml'], 'there is no command "policy chekc"'],
    [['policy', 'check'], 'policy check takes one file'],
    [['policy', 'check', 'a.yaml', 'b.yaml'], 'policy check takes one file'],
    [['policy', 'explain'], 'policy explain takes one Dag id'],
    [['policy', 'explain', '../etl'], 'the Dag id must not hold the character "/" (U+002F)'],
    [['policy', 'schema', 'x'], 'policy schema takes no arguments'],
    [['policy', 'reference', 'x'], 'policy reference takes no arguments'],
    [['policy', 'explain', 'etl', '-o', 'yaml'], '--output must be text or json'],
  ])('%j', async (args, problem) => {
    expect(await dagain(args)).toEqual({
      code: 2,
      signal: null,
      out: '',
      err: `dagain: ${problem}\nSee "dagain --help".\n`,
    });
  });

  test.each([
    [['serve', '--port', '8484'], /^dagain: Unknown option '--port'/],
    [['policy', 'explain', 'etl', '-o'], /^dagain: Option '-o, --output <value>' argument missing/],
  ])('%j', async (args, problem) => {
    const { code, out, err } = await dagain(args);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(problem);
    expect(err.split('\n').slice(1)).toEqual(['See "dagain --help".', '']);
  });
});
