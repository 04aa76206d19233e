import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One file that the page loads. */
export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

export interface Assets {
  /** Changes whenever any of them does; part of their path, so that they may be kept for ever. */
  readonly build: string;
  /** By path under the build's folder, such as `runs/table.js`. */
  readonly files: ReadonlyMap<string, Asset>;
}

const FOLDER = join(import.meta.dirname, 'browser');
const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';

/** The packages that the page's modules name, and the file under which each is served. */
const PACKAGES: Readonly<Record<string, string>> = {
  preact: 'packages/preact.js',
  'preact/hooks': 'packages/hooks.js',
  htm: 'packages/htm.js',
};

/** Reads everything that the page loads: compiled modules as they are, sources without their types. */
export function readAssets(): Assets {
  const files = new Map<string, Asset>();
  for (const name of readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).sort()) {
    const asset = readOwn(name);
    if (asset !== null) files.set(servedName(name), asset);
  }
  for (const [name, path] of Object.entries(PACKAGES)) {
    const text = readFileSync(fileURLToPath(import.meta.resolve(name)), 'utf8');
    files.set(path, { type: SCRIPT, body: Buffer.from(linked(withoutMap(text), path)) });
  }
  const digest = createHash('sha256');
  for (const [name, { body }] of files) digest.update(`${name}\n`).update(body);
  return { build: digest.digest('base64url').slice(0, 12), files };
}

function readOwn(name: string): Asset | null {
  if (name.endsWith('.d.ts')) return null;
  const read = () => readFileSync(join(FOLDER, name), 'utf8');
  if (name.endsWith('.css')) return { type: STYLE, body: Buffer.from(read()) };
  if (name.endsWith('.ts')) return script(stripTypeScriptTypes(read()), name);
  if (name.endsWith('.js')) return script(withoutMap(read()), name);
  return null;
}

function script(text: string, name: string): Asset {
  return { type: SCRIPT, body: Buffer.from(linked(text, servedName(name))) };
}

function servedName(name: string): string {
  return name.replaceAll('\\', '/').replace(/\.ts$/, '.js');
}

function withoutMap(text: string): string {
  return text.replace(/^\/\/# sourceMappingURL=.*$/m, '');
}

/** Browsers know no packages and no `.ts`: what a module imports is named by its path from that module. */
function linked(text: string, path: string): string {
  const up = '../'.repeat(path.split('/').length - 1) || './';
  return text.replace(/(\bfrom\s*|\bimport\s*)(["'])([^"'\n]+)\2/g, (whole, keyword, quote, target) => {
    const served = PACKAGES[target];
    if (served !== undefined) return `${keyword}${quote}${up}${served}${quote}`;
    return target.startsWith('.') ? `${keyword}${quote}${servedName(target)}${quote}` : whole;
  });
}
