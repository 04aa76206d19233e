import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { matchesAnyGlob, matchesGlob } from '../../src/core/glob.ts';

/** The definition, as slow as it is plain. */
function matchesByDefinition(glob: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = glob;
  if (first === undefined) return text.length === 0;
  if (first === '*') {
    return text.some((_, at) => matchesByDefinition(rest, text.slice(at))) || matchesByDefinition(rest, []);
  }
  return text.length > 0 && (first === '?' || first === text[0]) && matchesByDefinition(rest, text.slice(1));
}

const letters = (...unit: string[]) => fc.string({ unit: fc.constantFrom(...unit), maxLength: 8 });

describe('matchesGlob', () => {
  test('agrees with the definition', () => {
    fc.assert(
      fc.property(letters('a', 'b', '*', '?', '😀'), letters('a', 'b', '*', '?', '😀'), (glob, text) => {
        expect(matchesGlob(glob, text)).toBe(matchesByDefinition([...glob], [...text]));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['etl_*', 'etl_', true],
    ['etl_*', 'Etl_x', false],
    ['*_daily', 'sales_daily', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a?c', 'a😀c', true],
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['a.c', 'abc', false],
    ['[ab]', 'a', false],
    ['a*', 'a\nb', true],
  ])('%j on %j: %j', (glob, text, matches) => {
    expect(matchesGlob(glob, text)).toBe(matches);
  });

  test('does not go exponential on stars', () => {
    expect(matchesGlob(`${'a*'.repeat(125)}b`, 'a'.repeat(20_000))).toBe(false);
  });

  test('of several globs one is enough, of none none is', () => {
    expect(matchesAnyGlob(['x', 'a*'], 'abc')).toBe(true);
    expect(matchesAnyGlob([], 'abc')).toBe(false);
  });
});
