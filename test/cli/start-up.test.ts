import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../docs/generated.ts';

const HOOK = `import { registerHooks } from 'node:module';
registerHooks({ resolve: (name, context, next) => (process.stderr.write('resolved ' + name + '\\n'), next(name, context)) });`;

const EXPLAIN = [join(ROOT, 'src/main.ts'), 'policy', 'explain', 'etl'];

/** Opens the service as `serve` does, and closes it again. */
const SERVE = `const { createApp, createLog } = await import(${JSON.stringify(join(ROOT, 'src/app.ts'))});
const { readEnvironment } = await import(${JSON.stringify(join(ROOT, 'src/config/environment.ts'))});
await (await createApp({ environment: readEnvironment(process.env), log: createLog('silent') })).stop();`;

/** The modules that are loaded while the command runs with these settings. */
async function loadedBy(settings: Readonly<Record<string, string>>, command: readonly string[] = EXPLAIN) {
  const hook = `data:text/javascript,${encodeURIComponent(HOOK)}`;
  const child = spawn(process.execPath, ['--import', hook, ...command], {
    env: { PATH: process.env['PATH'], DAGAIN_AIRFLOW_URL: 'http://127.0.0.1:9', ...settings },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(child, 'close');
  return [...said.matchAll(/^resolved (.+)$/gm)].map(([, name]) => name ?? '');
}

const CLOUDS = /^(google-auth-library|@aws-sdk\/credential-provider-node|@smithy\/signature-v4)$/;
const NOWHERE = {
  GCE_METADATA_HOST: '127.0.0.1:9',
  METADATA_SERVER_DETECTION: 'none',
  CLOUDSDK_CONFIG: '/nonexistent',
};

test('what only a cloud needs is loaded only there', async () => {
  const usual = await loadedBy({ DAGAIN_AIRFLOW_USERNAME: 'dagain', DAGAIN_AIRFLOW_PASSWORD: 'dagain' });
  expect(usual).toContain('undici');
  expect(usual.filter((name) => CLOUDS.test(name))).toEqual([]);
  const atGoogle = await loadedBy({ DAGAIN_GOOGLE_AUTH: 'true', ...NOWHERE });
  expect(atGoogle.filter((name) => CLOUDS.test(name))).toEqual(['google-auth-library']);
}, 30_000);

test('what only traces need is loaded only with a collector', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dagain-start-up-'));
  const settings = { DAGAIN_AIRFLOW_USERNAME: 'dagain', DAGAIN_AIRFLOW_PASSWORD: 'dagain', DAGAIN_DATA_DIR: folder };
  const serve = ['--input-type=module', '-e', SERVE];
  const sdk = (names: readonly string[]) =>
    names.filter((name) => /^@opentelemetry\/(sdk|exporter|resources)/.test(name));
  try {
    const usual = await loadedBy(settings, serve);
    expect(usual).toContain('express');
    expect(sdk(usual)).toEqual([]);
    const traced = await loadedBy({ ...settings, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }, serve);
    expect(sdk(traced)).toContain('@opentelemetry/sdk-trace');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 30_000);

test.each([[['--help']], [['runs', 'list', '--url', 'http://127.0.0.1:1']], [['completion', 'bash']]])(
  '%j loads no part of the service, and little else',
  async (command) => {
    const loaded = await loadedBy({}, [join(ROOT, 'src/main.ts'), ...command]);
    const own = loaded.filter((name) => /^\.\.?\//.test(name));
    expect(own).toContain('./cli/commands.ts');
    expect(own.filter((name) => /\/(app|http|engine|store|orchestrator|console)[./]/.test(name))).toEqual([]);
    const packages = loaded.filter((name) => /^[a-z@][^:]*$/.test(name));
    expect(packages.filter((name) => !['zod', 'yaml', 'process', 'buffer'].includes(name))).toEqual([]);
  },
);
