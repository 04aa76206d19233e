import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatRunKey, Id, idProblem, RunKey } from '../../src/core/run-key.ts';

const control = Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code));

describe('hostile ids', () => {
  test.each([
    ['', /must not be empty/],
    ['.', /reserved name/],
    ['..', /reserved name/],
    ['~', /reserved name/],
    ['__proto__', /reserved name/],
    ['constructor', /reserved name/],
    ['prototype', /reserved name/],
    ['a/b', /"\/" \(U\+002F\)/],
    ['../x', /U\+002F/],
    ['a\\b', /U\+005C/],
    ['a?b', /U\+003F/],
    ['a#b', /U\+0023/],
    ['a%2Fb', /U\+0025/],
    ['a\nb', /U\+000A/],
    ['a\u0000b', /U\+0000/],
    ['a\u0085b', /U\+0085/],
    ['a\u2028b', /U\+2028/],
    ['a\u2029b', /U\+2029/],
    ['a\ud800b', /lone surrogate/],
    ['\udc00', /lone surrogate/],
    [' a', /white space/],
    ['a ', /white space/],
    ['\u00a0a', /white space/],
    ['a'.repeat(251), /at most 250 characters, has 251/],
  ])('%j is refused', (id, problem) => {
    expect(idProblem(id)).toMatch(problem);
    expect(Id.safeParse(id).error?.issues[0]?.message).toMatch(problem);
  });

  test.each([...control, '\u007f', '\u009f'])('control character %j is refused anywhere', (character) => {
    for (const id of [character, `a${character}`, `${character}a`, `a${character}b`]) {
      expect(idProblem(id)).not.toBeNull();
    }
  });

  test('the message holds no control character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (id) => {
        expect(idProblem(id) ?? '').not.toMatch(/[\p{Cc}\p{Cs}\u2028\u2029]/u);
      }),
    );
  });
});

describe('good ids', () => {
  test.each([
    'scheduled__2026-01-01T00:00:00+00:00',
    'manual__2026-01-01T00:00:00.123456+00:00',
    'a',
    '...',
    '.hidden',
    'a..b',
    'a~b',
    '~a',
    'etl.daily-sales_v2',
    'with space',
    'a=b&c',
    '日次売上',
    'ünïcode',
    '😀',
    'a'.repeat(250),
    '__proto',
    'toString',
  ])('%j', (id) => {
    expect(idProblem(id)).toBeNull();
  });

  test("everything that Airflow's own pattern of run ids takes, but for its three special names", () => {
    const unit = fc.constantFrom(...'AZaz09_.~:+-');
    fc.assert(
      fc.property(fc.string({ unit, minLength: 1, maxLength: 250 }), (id) => {
        expect(idProblem(id) === null).toBe(!['.', '..', '~'].includes(id));
      }),
    );
  });

  test('a good id is one path segment that comes back as it went', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), (id) => {
        fc.pre(idProblem(id) === null);
        const { pathname } = new URL(`http://airflow/dags/${encodeURIComponent(id)}/end`);
        expect(pathname.split('/').map(decodeURIComponent)).toEqual(['', 'dags', id, 'end']);
      }),
    );
  });

  test('two runs never share a name', () => {
    const id = fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }).filter((text) => idProblem(text) === null);
    const key = fc.record({ dagId: id, dagRunId: id });
    fc.assert(
      fc.property(key, key, (a, b) => {
        fc.pre(a.dagId !== b.dagId || a.dagRunId !== b.dagRunId);
        expect(formatRunKey(a)).not.toBe(formatRunKey(b));
      }),
    );
  });

  test('a key holds nothing else', () => {
    expect(RunKey.safeParse({ dagId: 'a', dagRunId: 'b', other: 1 }).success).toBe(false);
    expect(RunKey.parse({ dagId: 'a', dagRunId: 'b' })).toEqual({ dagId: 'a', dagRunId: 'b' });
  });
});
