import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from './generated.ts';

const PAGE = 'deploy/runbook/guarantees.md';
const text = readFileSync(join(ROOT, PAGE), 'utf8');
const PROMISES = 11;

/** Every link but those to sections of a page, with the file that it leads to. */
const links = [...text.matchAll(/\[([^\]]+)\]\(([^)\s#]+)\)/g)].map(([, title = '', target = '']) => ({
  title,
  file: relative(ROOT, join(ROOT, dirname(PAGE), target)),
}));

describe('the page of guarantees', () => {
  test.each(links)('names a test that exists: $title', ({ title, file }) => {
    expect(file).toMatch(/^test\/.*\.(?:test|faults|e2e)\.ts$/);
    expect(existsSync(join(ROOT, file)), file).toBe(true);
    expect(readFileSync(join(ROOT, file), 'utf8')).toContain(title);
  });

  test('proves every promise', () => {
    const rows = text.split('\n').filter((line) => /^\| \d+ \|/.test(line));
    expect(rows.map((row) => Number(/^\| (\d+)/.exec(row)?.[1]))).toEqual(
      Array.from({ length: PROMISES }, (_, index) => index + 1),
    );
    expect(rows.filter((row) => !row.includes('](../../test/'))).toEqual([]);
  });

  test('has a place for what long runs have shown', () => {
    for (const place of ['simulation', 'mutants']) {
      expect(text).toMatch(new RegExp(`<!-- ${place}: .*-->[\\s\\S]*<!-- /${place} -->`));
    }
  });
});
