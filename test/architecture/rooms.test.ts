import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');

/** What each room may import besides itself; `*` stands for packages and node's own modules. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['app.ts', 'app', 'config', 'cli', 'core', 'version.ts', '*'],
  'app.ts': [
    'app',
    'config',
    'core',
    'engine',
    'store',
    'orchestrator',
    'alerts',
    'http',
    'console',
    'version.ts',
    '*',
  ],
  app: ['config', 'core', 'engine', 'store', 'orchestrator', 'alerts', 'http', '*'],
  'version.ts': ['*'],
  core: ['zod'],
  config: ['core', '*'],
  engine: ['core', 'store/port.ts', 'orchestrator/port.ts', 'alerts/port.ts'],
  store: ['core', '*'],
  orchestrator: ['core', '*'],
  alerts: ['core', '*'],
  http: ['engine', 'core', '*'],
  console: ['engine', 'core', 'http', '*'],
  cli: ['engine', 'core', 'config', 'alerts/port.ts', '*'],
};

interface Import {
  readonly file: string;
  readonly target: string;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

/** Relative targets as paths under src; packages by their name. */
function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8');
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '');
  return found.map((target) => ({
    file: relative(SRC, path),
    target: target.startsWith('.') ? relative(SRC, resolve(dirname(path), target)) : target,
  }));
}

function roomOf(path: string): string {
  return path.split('/')[0] ?? path;
}

function isOwnFile(target: string): boolean {
  return target.endsWith('.ts');
}

function isAllowed({ file, target }: Import): boolean {
  const room = roomOf(file);
  const allowed = ARROWS[room] ?? [];
  if (!isOwnFile(target)) return allowed.includes('*') || allowed.includes(target);
  return roomOf(target) === room || allowed.includes(roomOf(target)) || allowed.includes(target);
}

const IMPORTS = sourceFiles(SRC).flatMap(importsOf);

describe('the rooms of src', () => {
  test('every room is known', () => {
    const rooms = new Set(sourceFiles(SRC).map((path) => roomOf(relative(SRC, path))));
    expect([...rooms].filter((room) => ARROWS[room] === undefined)).toEqual([]);
  });

  test('imports follow the arrows', () => {
    expect(IMPORTS.length).toBeGreaterThan(100);
    expect(IMPORTS.filter((one) => !isAllowed(one))).toEqual([]);
  });

  test('an adapter imports no other adapter', () => {
    const adapters = [/^store\/redis/, /^store\/sqlite/, /^orchestrator\/airflow/];
    const adapterOf = (path: string) => adapters.findIndex((pattern) => pattern.test(path));
    const crossing = IMPORTS.filter(({ file, target }) => {
      const [from, to] = [adapterOf(file), adapterOf(target)];
      return from >= 0 && to >= 0 && from !== to;
    });
    expect(crossing).toEqual([]);
  });

  test('only the app imports concrete adapters', () => {
    const concrete = /^(store\/(redis|sqlite)\.ts|orchestrator\/airflow\/airflow\.ts|alerts\/(?!port)[^/]+\.ts)$/;
    const users = IMPORTS.filter(({ target }) => concrete.test(target)).map(({ file }) => file);
    const outside = users.filter((file) => !/^app(\.ts|\/)/.test(file) && !file.startsWith('alerts/'));
    expect(outside).toEqual([]);
  });
});

describe('what each room may touch', () => {
  const textOf = (path: string) => readFileSync(path, 'utf8');

  test('the core has no clock, randomness or I/O', () => {
    const impure = /Date\.now|new Date\(\)|Math\.random|performance\.|process\.|setTimeout|node:|fetch\(/;
    const offenders = sourceFiles(join(SRC, 'core')).filter((path) => impure.test(textOf(path)));
    expect(offenders).toEqual([]);
  });

  test('the engine has no clock, randomness or environment of its own', () => {
    const impure = /Date\.now|new Date\(\)|Math\.random|performance\.|process\.|setTimeout|setInterval|node:/;
    const offenders = sourceFiles(join(SRC, 'engine')).filter((path) => impure.test(textOf(path)));
    expect(offenders).toEqual([]);
  });

  test('process.env is handed in by main; config alone knows its names', () => {
    const readers = sourceFiles(SRC).filter((path) => /process\.env\b(?!`)/.test(textOf(path)));
    expect(readers.map((path) => relative(SRC, path)).filter((file) => file !== 'main.ts')).toEqual([]);
  });

  test('files stay about a screenful of concepts: 220 lines at most', () => {
    const long = sourceFiles(SRC).filter((path) => textOf(path).split('\n').length > 221);
    expect(long.map((path) => relative(SRC, path))).toEqual([]);
  });
});
