import { describe, expect, test } from 'vitest';
import { EXIT_CODES } from '../../src/cli/command.ts';
import { commandTree } from '../../src/cli/commands.ts';
import { isOptional, type Parameter, synopsisOf } from '../../src/cli/tree/spec.ts';
import { SETTINGS } from '../../src/config/environment.ts';
import { VERSION } from '../../src/version.ts';
import { COMMANDS } from './commands.ts';
import { dagain } from './run.ts';

describe('help', () => {
  test('lists every setting with its default, every command and every exit code', async () => {
    const { code, out, err } = await dagain(['--help']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const flowing = out.replace(/\s+/g, ' ');
    for (const [name, one] of Object.entries(SETTINGS)) {
      const mark = 'secret' in one && one.secret === true ? ' *' : '';
      const fallback = one.fallback === null ? '' : ` (${one.fallback})`;
      expect(flowing).toContain(` ${name}${mark} ${one.description}${fallback} `);
    }
    for (const command of COMMANDS) expect(out).toContain(`\n  ${synopsisOf(command)} `);
    for (const [code, meaning] of Object.entries(EXIT_CODES)) expect(out).toContain(`\n  ${code}  ${meaning}\n`);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
  });

  test.each(['help', '-h', '--help'])('is what "%s" prints', async (line) => {
    const { code, out } = await dagain(line.split(' '));
    expect([code, out.split('\n')[0]]).toEqual([0, 'dagain: retries whole Dag runs of Apache Airflow']);
  });

  test.each([
    ['serve --help', 'Run the service until SIGTERM or SIGINT; SIGHUP reads the policy file again.'],
    ['runs list -h', 'List the runs that are being retried, or were given up.'],
    ['help runs pause', 'Hold runs: nothing but their alerts is done for them until they are resumed.'],
    ['help runs', 'Usage: dagain runs <command>'],
    ['runs --help', 'Usage: dagain runs <command>'],
  ])('of one command or group: %s', async (line, first) => {
    const { code, out, err } = await dagain(line.split(' '));
    expect([code, out.split('\n')[0], err]).toEqual([0, first, '']);
  });

  test('of a command names its arguments, its options with their words, and the exit codes', async () => {
    const { out } = await dagain(['runs', 'grant', '--help']);
    expect(out).toContain('Usage: dagain runs grant [dag_id] [dag_run_id] [options]');
    expect(out).toMatch(/\n {2}--retries <n> +How many more\. Required\.\n/);
    expect(out).toMatch(/\n {2}-o, --output <format> .* One of text, json\.\n/);
    expect(out).toContain('\n  4  the service was not reached');
  });
});

describe('the tree', () => {
  const everyOption = COMMANDS.flatMap(({ options }) => Object.entries(options));

  test('has each command once, and none that is also a group', () => {
    const words = COMMANDS.map((command) => command.words);
    expect(new Set(words).size).toBe(words.length);
    expect(words.filter((one) => words.some((other) => other.startsWith(`${one} `)))).toEqual([]);
  });

  test('means one thing by an option, wherever it stands', () => {
    const shapes = new Map<string, Set<string>>();
    const shapeOf = ({ placeholder, short }: Parameter) =>
      `${placeholder === null ? 'switch' : 'value'} ${short ?? ''}`;
    for (const [name, option] of everyOption) shapes.set(name, (shapes.get(name) ?? new Set()).add(shapeOf(option)));
    expect([...shapes].filter(([, all]) => all.size > 1)).toEqual([]);
    const shorts = new Map(everyOption.flatMap(([name, { short }]) => (short === undefined ? [] : [[short, name]])));
    for (const [name, { short }] of everyOption) if (short !== undefined) expect(shorts.get(short)).toBe(name);
  });

  test('has no argument that must be given after one that need not', () => {
    for (const { words, args } of COMMANDS) {
      const optional = Object.values(args).map(isOptional);
      expect(optional.toSorted(), words).toEqual(optional);
    }
  });

  test('is the same whatever runs its local commands', () => {
    const refuse = async () => expect.unreachable();
    const tree = commandTree({ serve: refuse, doctor: refuse, explainPolicy: refuse, testAlerts: refuse });
    expect(tree.map(synopsisOf)).toEqual(COMMANDS.map(synopsisOf));
  });
});

test.each(['version', '--version'])('%s prints the version alone', async (argument) => {
  expect(await dagain([argument])).toEqual({ code: 0, signal: null, out: `${VERSION}\n`, err: '' });
});

describe('misuse ends with 2, one line that says what is wrong, and the way to the help', () => {
  test.each([
    [[], 'a command is missing', ''],
    [['sevre'], 'there is no command "sevre"; the nearest is "serve"', ''],
    [['serve', 'now'], 'serve takes no arguments', 'serve'],
    [['serve', '--port', '8484'], 'serve has no option --port', 'serve'],
    [['alerts'], 'alerts takes one of test', 'alerts'],
    [['alerts', 'test', 'slack', 'teams'], 'too many arguments: dagain alerts test [channel]', 'alerts test'],
    [['policy'], 'policy takes one of check, explain, schema, reference', 'policy'],
    [['policy', 'chekc', 'x.yaml'], 'there is no command "policy chekc"; the nearest is "policy check"', 'policy'],
    [['policy', 'check'], '<file> is missing: dagain policy check <file>', 'policy check'],
    [['policy', 'check', 'a.yaml', 'b.yaml'], 'too many arguments: dagain policy check <file>', 'policy check'],
    [['policy', 'explain', '../etl'], '<dag_id> must not hold the character "/" (U+002F)', 'policy explain'],
    [['policy', 'schema', 'x'], 'policy schema takes no arguments', 'policy schema'],
    [['policy', 'explain', 'etl', '-o', 'yaml'], '--output must be text or json', 'policy explain'],
    [['policy', 'explain', 'etl', '-o'], '-o needs a value: <format>', 'policy explain'],
    [['runs', 'lsit'], 'there is no command "runs lsit"; the nearest is "runs list"', 'runs'],
    [['runs', 'list', '--phas', 'waiting'], 'runs list has no option --phas; the nearest is --phase', 'runs list'],
    [['runs', 'list', '--limit', '0'], '--limit must be a whole number from 1 to 1000000', 'runs list'],
    [['runs', 'list', '--older-than', 'soon'], /^--older-than must be a whole number with its unit/, 'runs list'],
    [['runs', 'list', '--phase', 'waiting,done'], /^--phase must be one or several of confirming, /, 'runs list'],
    [['runs', 'list', '--class', 'x'], '--class must be task_error, infra, timeout or deadlock', 'runs list'],
    [['runs', 'pause', '--yes=no'], '--yes takes no value', 'runs pause'],
    [['runs', 'grant', 'etl', 'r1'], '--retries is missing', 'runs grant'],
    [
      ['runs', 'grant', 'etl', 'r1', '--retries', '1e2'],
      '--retries must be a whole number from 1 to 100',
      'runs grant',
    ],
    [['runs', 'show', 'etl'], '<dag_run_id> is missing: dagain runs show <dag_id> <dag_run_id>', 'runs show'],
    [['runs', 'show', 'etl', '..'], '<dag_run_id> must not be the reserved name ".."', 'runs show'],
    [['completion', 'tcsh'], '<shell> must be bash, zsh or fish', 'completion'],
    [['help', 'nothing'], /^there is no command "nothing"; the nearest is "/, ''],
  ])('%j', async (args, problem, words) => {
    const { code, out, err } = await dagain(args);
    expect([code, out]).toEqual([2, '']);
    const [first = '', ...rest] = err.split('\n');
    expect(first.slice('dagain: '.length)).toEqual(
      typeof problem === 'string' ? problem : expect.stringMatching(problem),
    );
    expect(rest).toEqual([`See "dagain ${words === '' ? '' : `${words} `}--help".`, '']);
  });
});
