import { describe, expect, test } from 'vitest';
import { jsonText } from '../../src/cli/parameters.ts';
import { fieldsOf, tableOf } from '../../src/cli/print/table.ts';
import { cut, printable, widthOf } from '../../src/cli/print/text.ts';
import { absolute, lengthText, relative } from '../../src/cli/print/time.ts';
import { bars } from '../../src/cli/stats.ts';

const plain = { size: null, isColoured: false };
const sized = (columns: number) => ({ size: { columns, rows: 24 }, isColoured: false });

describe('a table', () => {
  const columns = [
    { title: 'dag', text: (row: readonly string[]) => row[0] ?? '' },
    { title: 'n', text: (row: readonly string[]) => row[1] ?? '', isRight: true },
    { title: 'remark', text: (row: readonly string[]) => row[2] ?? '' },
  ];

  test('is aligned, numbers to the right, without blanks at the end', () => {
    const rows = [
      ['etl', '1', 'x'],
      ['a_longer_name', '200', ''],
    ];
    expect(tableOf(columns, rows, plain)).toBe(
      'dag              n  remark\netl              1  x\na_longer_name  200\n',
    );
  });

  test('leaves out a column that says nothing', () => {
    expect(tableOf(columns, [['etl', '1', '']], plain)).toBe('dag  n\netl  1\n');
  });

  test('is cut to the terminal, the widest column first', () => {
    const rows = [['d'.repeat(60), '1', 'r'.repeat(20)]];
    const lines = tableOf(columns, rows, sized(50)).trimEnd().split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBe(50);
    expect(lines[1]).toContain('r'.repeat(20));
    expect(lines[1]).toMatch(/^d+… {2}1 {2}r+$/);
    expect(tableOf(columns, rows, plain)).toContain('d'.repeat(60));
  });

  test('keeps a little of each column on a terminal that is far too narrow', () => {
    const lines = tableOf(columns, [['d'.repeat(60), '1', 'r'.repeat(20)]], sized(5)).split('\n');
    expect(lines[1]).toBe('ddddd…  1  rrrrr…');
  });

  test('is aligned by what a terminal shows, also of wide letters and marks', () => {
    expect([widthOf('データ'), widthOf('e\u0301tl'), widthOf('etl')]).toEqual([6, 3, 3]);
    const lines = tableOf(
      columns,
      [
        ['データ', '1', ''],
        ['abcdef', '1', ''],
      ],
      plain,
    ).split('\n');
    expect(lines[1]).toBe('データ  1');
    expect(cut('データベース', 7)).toBe('データ…');
  });

  test('colours what is shown and not what is between', () => {
    const [column] = columns;
    if (column === undefined) return expect.unreachable();
    const red = [
      { ...column, colour: () => 'red' as const },
      { title: 'x', text: () => 'x' },
    ];
    expect(tableOf(red, [['etl'], ['a_name']], { size: null, isColoured: true }).split('\n')[1]).toBe(
      '\u001b[31metl\u001b[39m     x',
    );
  });
});

describe('what others have said', () => {
  const HOSTILE = 'a\u001b[2J\u001b]0;title\u0007\r\n\tb\u202ec\u0000';

  test('neither moves the cursor nor colours nor turns the line', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(printable(HOSTILE)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  });

  test('stays on its line in tables and fields', () => {
    const table = tableOf([{ title: 'x', text: (row: string) => row }], [HOSTILE], plain);
    expect(table.split('\n')).toHaveLength(3);
    expect(
      fieldsOf([
        ['x', HOSTILE],
        ['none', null],
      ]).split('\n'),
    ).toHaveLength(2);
  });
});

test.each([
  [0, '0s'],
  [999, '0s'],
  [45_000, '45s'],
  [3_600_000, '1h'],
  [7_500_000, '2h 5m'],
  [90_061_000, '1d 1h'],
  [86_401_000, '1d'],
])('%d ms are %s', (lengthMs, text) => {
  expect(lengthText(lengthMs)).toBe(text);
});

test('times are told from now', () => {
  const now = Date.UTC(2026, 0, 1);
  expect(relative(null, now)).toBe('');
  expect(relative('2026-01-01T00:00:00.400Z', now)).toBe('now');
  expect(relative('2026-01-01T00:01:30.000Z', now)).toBe('in 1m 30s');
  expect(relative('2025-12-31T00:00:00.000Z', now)).toBe('1d ago');
  expect(absolute('2026-01-01T00:01:30.123Z', now)).toBe('2026-01-01 00:01:30 UTC (in 1m 30s)');
  expect(absolute(null, now)).toBeNull();
});

test('bars show every count that is not zero, the highest in full', () => {
  expect(bars([0, 1, 100, 50])).toBe(' ▁█▄');
  expect(bars([0, 0])).toBe('  ');
});

describe('JSON', () => {
  const OBEYED = ['\u007f', '\u009b31m', '\u2028', '\u2029', '\u202e', '\u2066', '\u200f', '\ufeff', '\u{e0001}'];

  test.each(OBEYED)('holds nothing that a terminal obeys, and says the same: %j', (text) => {
    const json = { dag_id: `a${text}b`, [`key${text}`]: ['ü日😀\u001b[2J', { n: 1 }] };
    const printed = jsonText(json);
    expect(printed.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(printed).toContain('ü日😀');
    expect(JSON.parse(printed)).toEqual(json);
  });
});
