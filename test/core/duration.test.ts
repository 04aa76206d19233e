import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Duration, formatDurationMs, parseDurationMs } from '../../src/core/duration.ts';

describe('parseDurationMs', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1.5h', 5_400_000],
    ['90', 90_000],
    [' 5 m ', 300_000],
    [90, 90_000],
    [0.25, 250],
    [1e-7, 0],
    ['0', 0],
    ['36525d', 36_525 * 86_400_000],
  ])('%j is %d ms', (text, durationMs) => {
    expect(parseDurationMs(text)).toBe(durationMs);
  });

  test.each([
    '',
    ' ',
    'abc',
    '5x',
    '5M',
    '-5s',
    '+5s',
    '5s5s',
    '1h30m',
    '.5s',
    '5.s',
    '1e3',
    '٣s',
    '5s\n5s',
    '36526d',
    '9'.repeat(400),
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    1e30,
  ])('%j is none', (text) => {
    expect(parseDurationMs(text)).toBeNull();
  });

  test('reads what formatDurationMs writes', () => {
    fc.assert(
      fc.property(fc.nat(36_525 * 86_400_000), (durationMs) => {
        expect(parseDurationMs(formatDurationMs(durationMs))).toBe(durationMs);
      }),
    );
  });

  test.each([
    [90_000, '90s'],
    [7_200_000, '2h'],
    [172_800_000, '2d'],
    [1_500, '1500ms'],
    [0, '0ms'],
  ])('%d ms is written as %s', (durationMs, text) => {
    expect(formatDurationMs(durationMs)).toBe(text);
  });
});

describe('Duration', () => {
  test.each([true, null, ['5m'], {}, -1, 'soon'])('refuses %j and says what it wants', (written) => {
    const parsed = Duration.safeParse(written);
    expect(parsed.success).toBe(false);
    expect(parsed.error?.issues[0]?.message).toMatch(/^must be a duration such as 500ms, 30s, 5m, 2h/);
  });
});
