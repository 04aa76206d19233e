import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');
const FILES = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

test('the fields of lines about a run are made in one place', () => {
  const own = FILES.filter((name) => /\brun: formatRunKey\(/.test(readFileSync(join(SRC, name), 'utf8')));
  expect(own).toEqual(['engine/log-fields.ts']);
});
