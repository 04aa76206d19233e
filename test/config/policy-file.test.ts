import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EMPTY_POLICY_FILE, type PolicyFile, parsePolicyFile, readPolicyFile } from '../../src/config/policy-file.ts';
import { PolicyLayer } from '../../src/core/policy-layer.ts';

function read(text: string): PolicyFile {
  const result = readPolicyFile(text);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.file;
}

/** `line path message` for everything that is wrong. */
function problemsOf(text: string): string[] {
  const result = readPolicyFile(text);
  return result.ok ? [] : result.problems.map(({ line, path, message }) => `${line} ${path} ${message}`);
}

const DURATION = 'must be a duration such as 500ms, 30s, 5m, 2h or a number of seconds';

describe('a valid file', () => {
  test('is read with durations in milliseconds and short forms taken apart', () => {
    const file = read(`
defaults:
  max_retries: 3
  delay: 90
dags:
  - match: "etl_*"
    retries: [5, 300, 600]
  - match: weekly
    max_retries: 0
limits: { max_retries: 10, max_delay: 24h }
`);
    expect(file).toEqual({
      defaults: { max_retries: 3, delay: 90_000 },
      dags: [
        {
          match: 'etl_*',
          retries: { max_retries: 5, delay: 300_000, max_delay: 600_000, backoff: 'ramp', jitter: 'none' },
        },
        { match: 'weekly', max_retries: 0 },
      ],
      limits: { max_retries: 10, max_delay: 86_400_000 },
    });
  });

  test.each([
    ['nothing', ''],
    ['blanks', ' \n\n'],
    ['a comment', '# nothing yet\n'],
    ['a null', '~'],
    ['an empty map', '{}'],
    ['a byte order mark', '\ufeff'],
    ['sections whose lines are all commented out', 'defaults:\n#  delay: 5s\ndags:\nlimits:\n'],
  ])('may hold %s', (_name, text) => {
    expect(read(text)).toEqual(EMPTY_POLICY_FILE);
  });

  test('may be JSON', () => {
    expect(read('{"defaults": {"max_retries": 1}, "dags": [{"match": "x"}]}')).toMatchObject({
      defaults: { max_retries: 1 },
      dags: [{ match: 'x' }],
    });
  });

  test('may come from Windows: carriage returns and a byte order mark', () => {
    const text = '\ufeffdefaults:\r\n  delay: 5m\r\n  never_on:\r\n    - ValueError\r\n';
    expect(read(text).defaults).toEqual({ delay: 300_000, never_on: ['ValueError'] });
    expect(problemsOf('\ufeffdefaults:\r\n  max_retries: 1\r\n  dealy: 5m\r\n')).toEqual([
      '3 defaults.dealy is not a known key; the nearest is "delay"',
    ]);
  });

  test('may use anchors, and merge keys', () => {
    const file = read(`
dags:
  - &slow { match: slow, delay: 1h, never_on: &bugs [TypeError] }
  - { <<: *slow, match: slower, delay: 2h }
  - { match: other, never_on: *bugs }
`);
    expect(file.dags).toEqual([
      { match: 'slow', delay: 3_600_000, never_on: ['TypeError'] },
      { match: 'slower', delay: 7_200_000, never_on: ['TypeError'] },
      { match: 'other', never_on: ['TypeError'] },
    ]);
  });

  test('may have ten thousand entries that share an anchor', () => {
    const entries = Array.from({ length: 9_999 }, (_, n) => `  - { match: dag_${n}, never_on: *bugs }`);
    const text = ['defaults: { never_on: &bugs [TypeError] }', 'dags:', ...entries, '  - match: last'].join('\n');
    expect(read(text).dags).toHaveLength(10_000);
    expect(problemsOf(`${text}\n  - match: one_more`)).toEqual([expect.stringMatching(/^2 dags .*10000/)]);
  });
});

describe('a file that is not valid', () => {
  test('has everything that is wrong named at once, line by line, with the key and the nearest that exists', () => {
    const text = `defualts:
  delay: 1s
defaults:
  max_retry: 3
  delay: soon
  retry_on: [infra, infrastructure]
  max_retries_by_class:
    infrastructure: 3
dags:
  - match: etl_*
    max_retries: -1
  - max_retries: 3
  - match: ""
    bakoff: linear
limits:
  max_delays: 3h
`;
    expect(problemsOf(text)).toEqual([
      '1 defualts is not a known key; the nearest is "defaults"',
      '4 defaults.max_retry is not a known key; the nearest is "max_retries"',
      `5 defaults.delay ${DURATION}, is "soon"`,
      expect.stringMatching(/^6 defaults\.retry_on\[1\] .*"task_error"/),
      '8 defaults.max_retries_by_class.infrastructure is not a known key; the nearest is "infra"',
      '11 dags[0].max_retries must be a whole number of retries, 0 or more',
      '12 dags[1].match is required',
      expect.stringMatching(/^13 dags\[2\]\.match /),
      '14 dags[2].bakoff is not a known key; the nearest is "backoff"',
      '16 limits.max_delays is not a known key; the nearest is "max_delay"',
    ]);
  });

  test('is thrown as one message, each problem in a line of its own behind the name of the file', () => {
    expect(() => parsePolicyFile('defaults:\n  dealy: 1\n  max_retries: x\n', 'policy.yaml')).toThrow(
      expect.objectContaining({
        code: 'configuration_invalid',
        message: [
          'policy.yaml:2: defaults.dealy is not a known key; the nearest is "delay"',
          'policy.yaml:3: defaults.max_retries must be a whole number of retries from 0 to 1000, or unlimited',
        ].join('\n'),
      }),
    );
  });

  test.each([
    ['- match: x', '1  Invalid input: expected object, received array'],
    ['hello', '1  Invalid input: expected object, received string'],
    ['0', '1  Invalid input: expected object, received number'],
    ['defaults:\n  delay:', `2 defaults.delay ${DURATION}`],
    [
      'defaults:\n  max_retries: "3"',
      '2 defaults.max_retries must be a whole number of retries from 0 to 1000, or unlimited',
    ],
    ['dags:\n  etl:\n    delay: 1s', '1 dags Invalid input: expected array, received object'],
    [
      'dags:\n  - match: x\n    retries: [1]',
      '3 dags[0].retries must be N, [N, delay] or [N, min, max], where N is a whole number or unlimited',
    ],
    ['defaults:\n  match: x', '2 defaults.match is not a known key; the nearest is "gate"'],
    [
      'defaults:\n  __proto__: { max_retries: 9 }',
      '2 defaults.__proto__ is not a known key; the nearest is "strategy"',
    ],
    ['__proto__: {}', '1 __proto__ is not a known key; the nearest is "limits"'],
  ])('%j', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  test('says where a merged key is used as well', () => {
    const text = 'dags:\n  - &a { match: x, delay: soon }\n  - { <<: *a, match: y }\n';
    expect(problemsOf(text)).toEqual([
      `2 dags[0].delay ${DURATION}, is "soon"`,
      `3 dags[1].delay ${DURATION}, is "soon"`,
    ]);
  });
});

describe('text that is not YAML', () => {
  test.each([
    ['a key twice', 'defaults:\n  delay: 1s\n  delay: 2s\n', '3  Map keys must be unique'],
    ['tabs', 'defaults:\n\tdelay: 1s\n', '2  Tabs are not allowed as indentation'],
    [
      'a map that is not closed',
      'defaults: {delay: 1s\n',
      '2  Flow map in block collection must be sufficiently indented and end with a }',
    ],
    [
      'two documents',
      'defaults: {}\n---\ndags: []\n',
      '2  must be one YAML document, without a second one after "---"',
    ],
    ['a tag of its own', 'defaults:\n  delay: !secret 5s\n', '2  Unresolved tag: !secret'],
    ['code', 'defaults: !!js/function "x"\n', '1  Unresolved tag: tag:yaml.org,2002:js/function'],
    ['a merge of something else', 'dags:\n  - { <<: 5, match: x }\n', '1  Merge sources must be maps or map aliases'],
  ])('%s', (_name, text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  test('a glob without quotes is told what it is to YAML, each of them', () => {
    const text = 'defaults:\n  never_on: [*Error]\ndags:\n  - match: *_daily\n    delay: 1s\n';
    expect(problemsOf(text)).toEqual([
      '2  *Error is an alias of no anchor before it; as a glob it needs quotes: "*Error"',
      '4  *_daily is an alias of no anchor before it; as a glob it needs quotes: "*_daily"',
    ]);
  });

  test('an anchor that is set only later is none', () => {
    expect(problemsOf('defaults: *a\ndags: [&a {match: x}]\n')).toEqual([
      expect.stringMatching(/^1 {2}\*a is an alias/),
    ]);
  });

  test('anchors that hold themselves, or grow beyond all bounds, are refused at once', () => {
    expect(problemsOf('defaults: &a\n  never_on: [*a]\n')).toEqual([
      expect.stringMatching(/^2 defaults\.never_on\[0\]/),
    ]);
    const nine = (what: string) => `[${Array.from({ length: 9 }, () => what).join(', ')}]`;
    const levels = Array.from({ length: 9 }, (_, n) => `a${n}: &a${n} ${nine(n === 0 ? 'x' : `*a${n - 1}`)}`);
    expect(problemsOf(levels.join('\n'))).toEqual([expect.stringMatching(/Excessive alias count/)]);
  });

  test('nesting without end is refused, with not too many words', () => {
    expect(problemsOf('['.repeat(5_000)).length).toBeLessThanOrEqual(20);
    const problems = problemsOf(`defaults: ${'['.repeat(5_000)}${']'.repeat(5_000)}`);
    expect(new Set(problems)).toEqual(new Set(['1  is nested too deeply']));
  });

  test('a file beyond two megabytes is refused unread', () => {
    const text = `# ${'x'.repeat(2 * 1024 * 1024)}`;
    expect(problemsOf(text)).toEqual(['1  must have at most 2097152 characters, has 2097154']);
  });

  test('keys of other kinds are unknown keys', () => {
    expect(problemsOf('1: x\n? [a]\n: b\n')).toEqual([
      '1 1 is not a known key; the nearest is "dags"',
      '1 [ a ] is not a known key; the nearest is "dags"',
    ]);
  });

  test('nothing that a file can hold makes it throw', () => {
    const piece = fc.constantFrom(
      ...Object.keys(PolicyLayer.shape),
      ...['defaults', 'dags', 'limits', 'match', ':', ' ', '\n', '\n  ', '- ', '[', ']', '{', '}', '&a', '*a', '!t'],
      ...['"', "'", '#', '|', '>', '%', '@', '`', '---', '...', '5s', '-1', 'null', '~', '\t', '\u0000', '<<', '? '],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const result = readPolicyFile(pieces.join(''));
        if (!result.ok) expect(result.problems).not.toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });
});
