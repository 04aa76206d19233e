import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createConsole } from '../../src/console/console.ts';
import { problemIn } from '../http/problem.ts';
import { type Serving, serve } from '../http/serve.ts';

let serving: Serving;
beforeAll(async () => {
  const { routes, missing } = createConsole();
  serving = await serve({
    routes,
    missingPage: missing,
    auth: { callbackTokens: [], operatorTokens: ['t'], webhookSecrets: [] },
  });
});
afterAll(() => serving.close());

const PAGES: readonly (readonly [path: string, root: string])[] = [
  ['/', './'],
  ['/runs', './'],
  ['/dags', './'],
  ['/events', './'],
  ['/runs/etl/scheduled__2026-01-01T00%3A00%3A00%2B00%3A00', '../../'],
  // A slash at the end is one more step down to a browser.
  ['/runs/', '../'],
  ['/events/?type=operated', '../'],
  ['/runs/etl/x/', '../../../'],
];

describe('the page', () => {
  test.each(PAGES)('is served at %s without a token, with links from %s', async (path, root) => {
    const { status, headers, text } = await serving.get(path);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['cache-control']).toBe('no-cache');
    expect(headers['set-cookie']).toBeUndefined();
    expect(text).toContain(`<base href="${root}">`);
    // Nothing absolute: a prefix before it would be lost.
    expect(text).not.toMatch(/(?:href|src)="(?:\/|https?:)/);
  });

  test('allows no script, style or connection but its own', async () => {
    const { headers, text } = await serving.get('/');
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect(policy).toContain("trusted-types 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(text).not.toMatch(/<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/);
  });

  test.each([
    ['/nope', './'],
    ['/runs/etl', '../'],
    ['/nope/a/b/', '../../../'],
    ['/nope//a', '../../'],
  ])('tells a browser that %s leads nowhere, with links from %s', async (path, root) => {
    const { status, headers, text } = await serving.get(path, { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' });
    expect(status).toBe(404);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(text).toContain(`<base href="${root}">`);
  });

  test.each<[method: string, path: string, accept: string | null]>([
    ['GET', '/nope', null],
    ['GET', '/nope', '*/*'],
    ['GET', '/nope', 'application/json'],
    ['POST', '/nope', 'text/html'],
    ['GET', '/v1/nope', 'text/html'],
  ])('tells whoever is no browser by a problem: %s %s for %s', async (method, path, accept) => {
    const got = await serving.send({ method, path, headers: accept === null ? {} : { accept } });
    expect(problemIn(got).code).toBe('not_found');
  });

  test('answers other methods with 405', async () => {
    expect((await serving.post('/', {})).status).toBe(405);
  });
});

describe('what the page loads', () => {
  const named = (text: string) => [...text.matchAll(/(?:href|src)="(assets\/[^"]+)"/g)].map((match) => `/${match[1]}`);

  test('is there, may be kept, and imports only what is there', async () => {
    const { text } = await serving.get('/');
    const paths = [...new Set(named(text))];
    expect(paths.length).toBeGreaterThan(30);
    let imports = 0;
    for (const path of paths) {
      const asset = await serving.get(path);
      expect([path, asset.status]).toEqual([path, 200]);
      expect(asset.headers['cache-control']).toContain('immutable');
      expect(asset.headers['x-content-type-options']).toBe('nosniff');
      expect(asset.headers['content-type']).toMatch(path.endsWith('.css') ? /^text\/css/ : /^text\/javascript/);
      if (path.endsWith('.css')) expect(asset.text).not.toMatch(/url\(|@import/);
      for (const target of importsOf(asset.text)) {
        imports++;
        expect(target).toMatch(/^\.\.?\/.*\.js$/);
        const resolved = new URL(target, `http://page${path}`).pathname;
        expect(paths).toContain(resolved);
      }
    }
    expect(imports).toBeGreaterThan(100);
  });

  test('is given under another build too, not to be kept: replicas are replaced one by one', async () => {
    const { text } = await serving.get('/');
    const [main = ''] = named(text).filter((path) => path.endsWith('/main.js'));
    const other = await serving.get(main.replace(/assets\/[^/]+/, 'assets/another'));
    expect(other.status).toBe(200);
    expect(other.headers['cache-control']).toBe('no-store');
  });

  test.each([
    '/assets/x/nothing.js',
    '/assets/x/..%2f..%2fconsole.ts',
    '/assets/x/%2e%2e/console.ts',
    '/assets/x/tsconfig.json',
  ])('is nothing else: %s', async (path) => {
    expect((await serving.get(path)).status).toBe(404);
  });
});

function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:^|[;}])\s*(?:import|export)\b[^;]*?from\s*["']([^"']+)["']/gm)].map(
    (match) => match[1] ?? '',
  );
}
